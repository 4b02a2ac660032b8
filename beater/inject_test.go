package beater

import (
	"strings"
	"syscall"
	"testing"

	"github.com/elastic/beats/v7/libbeat/outputs/codec/json"

	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// A message that is put in by hand makes records with a tag; what cannot be followed is
// refused with what is allowed.
func TestInject(t *testing.T) {
	p := newPipe(true)
	r, signals, done := start(t, p, calls+"run_forever: true\nevent_types_blst: none")
	for n := 0; n < 80; n = p.count() {
		<-p.got
	}
	message := func(first, tag string) string {
		return first + "\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nFrom: <sip:a@b>;tag=f\nTo: <sip:c@b>" + tag + "\nCall-ID: by-hand\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n"
	}
	options, ok := message("OPTIONS sip:c@b SIP/2.0", ""), message("SIP/2.0 200 OK", ";tag=t")
	for _, x := range []struct {
		m    view.Injected
		want string
	}{
		{view.Injected{Message: options, Source: "192.0.2.1", Destination: "192.0.2.2:5060"}, `source: "192.0.2.1" is not allowed`},
		{view.Injected{Message: options, Source: "192.0.2.1:5060"}, `destination: "" is not allowed`},
		{view.Injected{Message: options, Source: "192.0.2.1:5060", Destination: "192.0.2.2:5060", Transport: "quic"}, `transport: "quic" is not allowed`},
		{view.Injected{Message: "\x1b[31mhello\nthere", Source: "192.0.2.1:5060", Destination: "192.0.2.2:5060"}, `message: what begins with "\x1b[31mhello" is not allowed`},
		{view.Injected{Message: options + strings.Repeat("x", 1<<16), Source: "192.0.2.1:5060", Destination: "192.0.2.2:5060"}, "allowed: up to 65507"},
	} {
		if err := r.Inject(x.m, "a test"); err == nil || !strings.HasPrefix(err.Error(), x.want) && !strings.HasSuffix(err.Error(), x.want) {
			t.Errorf("%v", err)
		}
	}
	if err := r.Inject(view.Injected{Message: options, Source: "192.0.2.1:5060", Destination: "[::ffff:192.0.2.2]:5060"}, "a test"); err != nil {
		t.Error(err)
	}
	if err := r.Inject(view.Injected{Message: strings.ReplaceAll(ok, "\n", "\r\n"), Source: "192.0.2.2:5060", Destination: "192.0.2.1:5060", Transport: "UDP"}, "a test"); err != nil {
		t.Error(err)
	}
	for n := 0; n < 81; n = p.count() {
		<-p.got
	}
	text, err := json.New("1", json.Config{}).Encode("sipcmbeat", &p.events[80])
	if err != nil || !strings.Contains(string(text), `"action":"other-ok"`) || !strings.Contains(string(text), `"tags":["injected"]`) {
		t.Errorf("%v, %s", err, text)
	}
	signals <- syscall.SIGTERM
	if err := result(t, done); err != nil {
		t.Error(err)
	}
}
