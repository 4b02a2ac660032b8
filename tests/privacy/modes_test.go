package privacy

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/track"
)

// TestAnyModes: whatever groups are masked in whatever modes, each record is one, and a
// Reader takes it; where some are encrypted and the others clear it opens to what it was.
func TestAnyModes(t *testing.T) { anyModes(t, own(t)) }

// TestSharedAnyModes is the same over the captures of other projects.
func TestSharedAnyModes(t *testing.T) { anyModes(t, corpus(t)) }

// mixtures is how many choices of modes are tried with each capture.
const mixtures = 12

func anyModes(t *testing.T, files []string) {
	reader, err := privacy.NewReader(testKey)
	if err != nil {
		t.Fatal(err)
	}
	for i, file := range files {
		t.Run(name(file), func(t *testing.T) {
			s := collect(t, unnamed(t, file))
			r := rand.New(rand.NewPCG(uint64(i), 8))
			for n := range mixtures {
				opens := n%2 == 0
				cfg := privacy.Config{Key: testKey}
				for g := event.Group(1); g < event.NumGroups; g++ {
					if cfg.Modes[g] = privacy.Mode(r.IntN(int(privacy.NumModes))); !privacy.Allowed(g, cfg.Modes[g]) || opens && cfg.Modes[g] > privacy.Encrypt {
						cfg.Modes[g] = privacy.Encrypt
					}
				}
				m, err := privacy.New(cfg)
				if err != nil {
					t.Fatal(err)
				}
				mixed(t, s, m, reader, schema, opens)
				mixed(t, s, m, reader, legacy, opens)
				if t.Failed() {
					t.Fatalf("modes %v", cfg.Modes)
				}
			}
		})
	}
}

// mixed masks all records of a capture and reads them again.
func mixed(t *testing.T, s *secrets, m *privacy.Sealer, reader *privacy.Reader, schema *event.Schema, opens bool) {
	t.Helper()
	r := event.Renderer{Schema: schema}
	var masked event.Event
	var clear, sealed, opened []byte
	// An E.164 form that was read out of a private URI is left out where numbers are clear.
	partly := m.Private(event.URIs) && !m.Private(event.Numbers)
	for _, e := range s.clear {
		if e.Type == event.Message && schema == legacy {
			continue // the older names have no such record
		}
		if clear = r.Append(clear[:0], e, nil); partly {
			kept := &event.Event{}
			kept.CopyFrom(e)
			kept.Caller.E164, kept.Callee.E164 = event.Text{}, event.Text{}
			clear = r.Append(clear[:0], kept, nil)
		}
		e.Mask(m, &masked)
		sealed = r.Append(sealed[:0], &masked, nil)
		if !json.Valid(sealed) {
			t.Fatalf("no JSON: %s", sealed)
		}
		var err error
		if opened, _, err = reader.Record(opened[:0], sealed); err != nil {
			t.Fatalf("%v: %s", err, sealed)
		}
		if !opens {
			continue
		}
		var lost []string
		if m.Private(event.URIs) != m.Private(event.Addresses) {
			// Of related.ip the hosts of URIs are left out that are private where addresses are
			// clear, and cannot come back.
			lost = []string{"related.ip"}
		}
		if want, got := stripped(t, clear, lost...), stripped(t, opened, lost...); want[0] != got[0] {
			t.Fatalf("it opens to\n%s\nwas\n%s", got[0], want[0])
		}
	}
}

// TestBrokenOpens: what is taken for the user of a URI that cannot be read opens to itself.
func TestBrokenOpens(t *testing.T) {
	reader, err := privacy.NewReader(testKey)
	if err != nil {
		t.Fatal(err)
	}
	records := 0
	for _, uri := range []string{"sip:alice@", "sip:+4930123456@", "sips:alice@:5060", "sip:@example.com", "sip::secret@example.com", "sip:alice", "tel:", "tel:+4930123456;x", "sip:alice@[2001:db8::1", "sip:a b@c"} {
		message := []byte("BYE " + uri + " SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <" + uri + ">;tag=1\r\nTo: <" + uri + ">;tag=2\r\nCall-ID: x\r\nCSeq: 1 BYE\r\n\r\n")
		tr := track.New(track.DefaultConfig())
		var m sip.Message
		p := packet.Packet{Time: 1, Src: netip.MustParseAddrPort("192.0.2.1:5060"), Dst: netip.MustParseAddrPort("192.0.2.2:5060"), Transport: packet.UDP, Payload: message}
		var events []event.Event
		if m.Parse(message, false) != sip.OK {
			events = tr.Unusable(nil, &p, &m)
		} else {
			events = tr.Flush(tr.See(nil, &p, &m), track.FlushAll)
		}
		for i := range events {
			records++
			mixed(t, &secrets{clear: []*event.Event{&events[i]}}, sealer(t, privacy.Encrypt), reader, schema, true)
		}
	}
	if records < 9 {
		t.Errorf("only %d records", records)
	}
}
