package privacy

import (
	"bytes"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// TestWords: words of the protocol stay; those that a sender wrote an address, a number or
// an id into are masked, by each group alone, and open again.
func TestWords(t *testing.T) {
	for _, g := range []event.Group{event.Addresses, event.Numbers, event.CallIDs, event.URIs} {
		for _, m := range []Mode{Encrypt, HMAC, Redact} {
			cfg := Config{Key: NewKey()}
			cfg.Modes[g] = m
			s, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			for _, word := range []string{"INVITE", "application/sdp", "multipart/mixed", "Q.850", "telephone-event/8000", "application/vnd.3gpp.state-and-event-info+xml", "TLS", "16"} {
				if out, ok := s.Append(nil, event.Errors, event.Word, []byte(word)); !ok || string(out) != word {
					t.Errorf("%s %s: %q becomes %q", g, m, word, out)
				}
			}
			for _, word := range []string{
				"X203.0.113.77", "M004930998877", "4930998877", "30998877/4930", "203.0.113.77-004930998877", "a84b4c76e66710f0a1",
				`multipart/mixed;boundary="b203.0.113.77"`, "multipart/mixed;boundary=a84b4c76@203.0.113.77", ";a@203.0.113.77",
			} {
				out, ok := s.Append(nil, event.Errors, event.Word, []byte(word))
				if bytes.Contains(out, []byte("203.0.113")) || bytes.Contains(out, []byte("998877")) || bytes.Contains(out, []byte("a84b4c76")) {
					t.Errorf("%s %s: %q becomes %q", g, m, word, out)
				}
				if m != Encrypt {
					continue
				}
				if again, err := s.OpenAs(nil, event.Errors, event.Word, out); !ok || err != nil || string(again) != word {
					t.Errorf("%s: %q opens to %q, %v", g, out, again, err)
				}
			}
		}
	}
}

// TestRewriteWords: in messages, such words are left out.
func TestRewriteWords(t *testing.T) {
	const message = "X203.0.113.77 sip:a@b.example SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP-203.0.113.77 c.example;branch=z9hG4bKx\r\nFrom: <sip:a@b.example>;tag=1\r\nTo: <sip:c@d.example>\r\n" +
		"Call-ID: x\r\nCSeq: 1 X203.0.113.77\r\nAccept: application/x-203.0.113.77\r\nAllow: INVITE, M004930998877\r\n" +
		"Supported: t004930998877\r\nRequire: 4930998877\r\nPriority: 4930998877\r\nAllow-Events: 30998877, a\r\nEvent: presence;id=203.0.113.77-1\r\nReason: SIP-203.0.113.77;cause=200\r\n" +
		"Reason: Q.850;cause=004930998877\r\nPrivacy: id;203.0.113.77\r\nSubscription-State: terminated;reason=x203.0.113.77\r\n" +
		"Authorization: Digest-203.0.113.77 username=\"a\"\r\nRAck: 2147483647 1 INVITE\r\nContent-Length: 0\r\n\r\n"
	cfg := Config{Key: NewKey()}
	cfg.Modes[event.Addresses], cfg.Modes[event.Numbers] = Encrypt, Encrypt
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	out := NewRewriter(s).AppendMessage(nil, []byte(message), false)
	if bytes.Contains(out, []byte("203.0.113")) || bytes.Contains(out, []byte("998877")) {
		t.Errorf("the message becomes\n%s", out)
	}
	if !bytes.Contains(out, []byte("RAck: 2147483647 1 INVITE")) || !bytes.Contains(out, []byte("CSeq: 1 UNKNOWN")) {
		t.Errorf("too much is left out:\n%s", out)
	}
}
