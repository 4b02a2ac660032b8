package relay

import (
	"net/netip"
	"testing"
)

// TestChoose: key, methods and sources are those of the next message.
func TestChoose(t *testing.T) {
	in := newInbox()
	cfg := config("udp", listenUDP(t, in))
	r := begin(t, cfg, nil)
	send := func(n int) {
		p, m := message(t, n, "OPTIONS", 0)
		r.Copy(&p, m)
	}
	send(0)
	cfg.AuthKey = "another"
	r.Choose(&cfg)
	send(1)
	cfg.Methods = []string{"INVITE"}
	r.Choose(&cfg)
	send(2)
	cfg.Methods, cfg.Sources = nil, []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	r.Choose(&cfg)
	send(3)
	got := in.wait(t, 2)
	if string(got[0].Key()) != "s3cret" || string(got[1].Key()) != "another" {
		t.Errorf("keys %q and %q", got[0].Key(), got[1].Key())
	}
	if s := finish(t, r, patience); s.Targets[0].Sent != 2 || s.Filtered != 2 {
		t.Errorf("%+v", s)
	}
}
