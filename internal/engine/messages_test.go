package engine

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

func messages() Config {
	cfg := DefaultConfig()
	cfg.Messages = true
	return cfg
}

// TestMessages: each message is a record, in one order with the events, before those
// that it makes.
func TestMessages(t *testing.T) {
	got, s := run(t, messages(), &frames{all: []packet.Frame{
		udp(0, "192.0.2.1:5060", "192.0.2.2:5060", options),
		udp(time.Millisecond, "192.0.2.2:5060", "192.0.2.1:5060", answer),
		udp(time.Second, "192.0.2.1:5060", "192.0.2.2:5060", strings.Replace(options, "To: ", "Two: ", 1)),
		udp(2*time.Second, "192.0.2.1:5060", "192.0.2.2:5060", "\r\n\r\n"),
	}})
	var types []string
	for i := range got {
		types = append(types, got[i].Type.String())
		if got[i].Sequence != uint64(i+1) {
			t.Errorf("%s has number %d, want %d", got[i].Type, got[i].Sequence, i+1)
		}
		if got[i].Capture != "test.pcap" {
			t.Errorf("%s comes from %q", got[i].Type, got[i].Capture)
		}
	}
	if have := strings.Join(types, " "); have != "message message other-ok parse-error" {
		t.Errorf("have %s", have)
	}
	if s.Events[event.Message] != 2 {
		t.Errorf("%d counted", s.Events[event.Message])
	}
}

// TestMessagesOnce: a retransmission is a message, a mirror duplicate is none.
func TestMessagesOnce(t *testing.T) {
	frame := udp(0, "192.0.2.1:5060", "192.0.2.2:5060", options)
	mirrored := siptest.VLAN(frame, 0x8100, 100)[0]
	mirrored.Time += int64(time.Millisecond)
	again := identified(frame, 77)
	again.Time += int64(500 * time.Millisecond)
	got, _ := run(t, messages(), &frames{all: []packet.Frame{frame, mirrored, again}})
	n := 0
	ids := map[event.Hash]bool{}
	for i := range got {
		if got[i].Type == event.Message {
			n++
			ids[got[i].ID] = true
		}
	}
	if n != 2 || len(ids) != 2 {
		t.Errorf("%d records with %d ids, want 2", n, len(ids))
	}
}

// TestMessagesOff: there are none unless they are asked for, and the events are the same.
func TestMessagesOff(t *testing.T) {
	all := []packet.Frame{udp(0, "192.0.2.1:5060", "192.0.2.2:5060", options), udp(time.Millisecond, "192.0.2.2:5060", "192.0.2.1:5060", answer)}
	got, s := run(t, DefaultConfig(), &frames{all: all})
	if len(got) != 1 || got[0].Type != event.OtherOK || s.Events[event.Message] != 0 {
		t.Errorf("events: %s", summary(got))
	}
}

// TestMessagesCarried: the ends are those of the SIP, however it travels.
func TestMessagesCarried(t *testing.T) {
	for name, carry := range map[string]func(packet.Frame) []packet.Frame{
		"plain": func(f packet.Frame) []packet.Frame { return []packet.Frame{f} },
		"vxlan": siptest.VXLAN,
		"hep":   func(f packet.Frame) []packet.Frame { return siptest.HEP(f, 3, false) },
		"pieces": func(f packet.Frame) []packet.Frame {
			return siptest.Fragments(f, 64)
		},
	} {
		var all []packet.Frame
		for _, f := range []packet.Frame{udp(0, "192.0.2.1:5060", "192.0.2.2:5060", options), udp(time.Millisecond, "192.0.2.2:5060", "192.0.2.1:5060", answer)} {
			all = append(all, carry(f)...)
		}
		got, _ := run(t, messages(), &frames{all: all})
		if len(got) != 3 || got[0].Type != event.Message || got[0].Src.String() != "192.0.2.1:5060" || got[1].Code != 200 {
			t.Errorf("%s: %s", name, summary(got))
		}
	}
}

// TestMessagesDirection: of an answer it is that of the answer.
func TestMessagesDirection(t *testing.T) {
	cfg := messages()
	cfg.Internal = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}
	got, _ := run(t, cfg, &frames{all: []packet.Frame{
		udp(0, "192.0.2.1:5060", "192.0.2.2:5060", options),
		udp(time.Millisecond, "192.0.2.2:5060", "192.0.2.1:5060", answer),
	}})
	if len(got) != 3 || got[0].Direction != event.Outbound || got[1].Direction != event.Inbound || got[2].Direction != event.Outbound {
		t.Errorf("%s", summary(got))
	}
}

// TestMessagesFault: a message that is given up before it is followed is no record, so
// that the counters agree (run looks).
func TestMessagesFault(t *testing.T) {
	cfg := messages()
	first := true
	cfg.Tap = func(*packet.Packet, *sip.Message) {
		if first {
			first = false
			panic("on purpose")
		}
	}
	frame := udp(0, "192.0.2.1:5060", "192.0.2.2:5060", options)
	_, s := run(t, cfg, &frames{all: []packet.Frame{frame, identified(frame, 77)}})
	if s.Faults != 1 || s.Events[event.Message] != 1 {
		t.Errorf("%d faults, %d records", s.Faults, s.Events[event.Message])
	}
}

func TestMessagesNoAllocation(t *testing.T) {
	noAllocationWith(t, messages(), func(f packet.Frame) packet.Frame { return f })
}
