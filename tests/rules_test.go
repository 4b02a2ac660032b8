package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// wire is a source of datagrams made by a test.
type wire struct{ frames []packet.Frame }

func (w *wire) Next(f *packet.Frame) error {
	if len(w.frames) == 0 {
		return io.EOF
	}
	*f, w.frames = w.frames[0], w.frames[1:]
	return nil
}

func (w *wire) Name() string         { return "wire" }
func (w *wire) Stats() capture.Stats { return capture.Stats{} }
func (w *wire) Close() error         { return nil }

func (w *wire) send(at time.Duration, src, dst, text string) {
	data := siptest.UDPFrame(netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst), []byte(text))
	w.frames = append(w.frames, packet.Frame{Time: siptest.Start + int64(at), Link: packet.LinkEthernet, Data: data, Wire: len(data)})
}

// at reads a dotted key out of a record, as text; "" where it is not there.
func at(record map[string]any, key string) string {
	var v any = record
	for _, name := range strings.Split(key, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// TestDetectionRules: what Elastic's prebuilt rules count in Packetbeat's records is
// found in ours. The conditions are those of the rules' queries: REGISTER brute force
// (1ca59146-7386-4033-a010-1c32717e9321) counts refusals by client, server and
// extension, extension enumeration (e7bf9314-f346-45b5-a6ed-044dc3b839c8) the extensions
// that a client asks for by OPTIONS.
func TestDetectionRules(t *testing.T) {
	const attacker, server = "198.51.100.66:5099", "192.0.2.2:5060"
	head := func(user, method, tag string, n int) string {
		return fmt.Sprintf("Via: SIP/2.0/UDP 198.51.100.66:5099;branch=z9hG4bK%d\r\nFrom: <sip:%[2]s@example.com>;tag=%[1]d\r\nTo: <sip:%[2]s@example.com>%[3]s\r\n"+
			"Call-ID: %[1]d\r\nCSeq: 1 %[4]s\r\nUser-Agent: friendly-scanner\r\nContent-Length: 0\r\n\r\n", n, user, tag, method)
	}
	var w wire
	for n := range 12 {
		d := time.Duration(n) * time.Second
		w.send(d, attacker, server, "REGISTER sip:example.com SIP/2.0\r\n"+head("1001", "REGISTER", "", n))
		w.send(d+1e6, server, attacker, "SIP/2.0 401 Unauthorized\r\n"+head("1001", "REGISTER", ";tag=s", n))
	}
	for n := 100; n < 125; n++ {
		w.send(time.Minute+time.Duration(n)*time.Millisecond, attacker, server, "OPTIONS sip:example.com SIP/2.0\r\n"+head(fmt.Sprint(n), "OPTIONS", "", n))
	}
	cfg := engine.DefaultConfig()
	cfg.Messages = true
	var l lines
	if err := engine.New(cfg, []engine.Input{{Source: &w}}, &l).Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	refused := map[string]int{}
	asked := map[string]map[string]bool{}
	for _, line := range bytes.Split(bytes.TrimSpace(l.b), []byte("\n")) {
		var r map[string]any
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		if at(r, "event.dataset") != "sip" {
			continue
		}
		client, target, extension := at(r, "client.ip"), at(r, "server.ip"), at(r, "sip.to.uri.username")
		if code := at(r, "sip.code"); at(r, "sip.cseq.method") == "REGISTER" && at(r, "sip.type") == "response" && (code == "401" || code == "403" || code == "407") {
			refused[client+" "+target+" "+extension]++
		}
		if at(r, "sip.method") == "OPTIONS" {
			if asked[client+" "+target] == nil {
				asked[client+" "+target] = map[string]bool{}
			}
			asked[client+" "+target][extension] = true
			if at(r, "sip.user_agent.original") != "friendly-scanner" {
				t.Errorf("no user agent in %s", line)
			}
		}
	}
	if n := refused["198.51.100.66 192.0.2.2 1001"]; n != 12 || len(refused) != 1 { // the rule asks for 10
		t.Errorf("refusals: %v", refused)
	}
	if n := len(asked["198.51.100.66 192.0.2.2"]); n != 25 || len(asked) != 1 { // the rule asks for 20
		t.Errorf("extensions: %v", asked)
	}
}
