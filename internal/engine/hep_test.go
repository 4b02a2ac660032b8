package engine

import (
	"context"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/hep"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

func fromHEP(at time.Duration, m hep.Message) packet.Frame {
	m.Version = max(m.Version, 3)
	m.Src, m.Dst = netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("192.0.2.2:5070")
	b, ok := m.Append(nil)
	if !ok {
		panic("not written")
	}
	return packet.Frame{Time: siptest.Start + int64(at), Link: packet.LinkHEP, Data: b, Wire: len(b), Peer: netip.MustParseAddr("203.0.113.77")}
}

// TestHEP: an event tells who sent its message, and has the time at which it was
// seen; what HEP carries besides is counted by its type. A HEP sender needs neither
// listed ports nor any_port.
func TestHEP(t *testing.T) {
	cfg := DefaultConfig()
	cfg.AnyPort = false
	seen := siptest.Start - int64(3*time.Hour)
	all := []packet.Frame{
		fromHEP(0, hep.Message{Protocol: 22, Type: hep.TypeSIP, Time: seen, CaptureID: 2001, Node: []byte("edge-1"), CorrelationID: []byte("corr-1"), Payload: []byte(options)}),
		fromHEP(1, hep.Message{Protocol: 17, Type: hep.TypeLog, CorrelationID: []byte("x"), Payload: []byte("hello")}),
		fromHEP(2, hep.Message{Protocol: 17, Type: hep.TypeRTCP, CorrelationID: []byte("x"), Payload: []byte("{}")}),
		fromHEP(3, hep.Message{Protocol: 17, Type: hep.TypeSIP, Payload: []byte("hello")}),
	}
	events, s := run(t, cfg, &frames{all: all})
	if len(events) != 1 || events[0].Type != event.OtherTimeout {
		t.Fatalf("events: %s", summary(events))
	}
	e := &events[0]
	if e.Start != seen || e.Transport != event.TCP || e.Src.String() != "192.0.2.1:40000" || e.Dst.String() != "192.0.2.2:5070" {
		t.Errorf("at %d by %v from %v to %v", e.Start, e.Transport, e.Src, e.Dst)
	}
	if h := &e.HEP; h.Version != 3 || h.Type != 1 || h.CaptureID != 2001 || h.Received || string(e.Bytes(h.Node)) != "edge-1" || string(e.Bytes(h.Correlation)) != "corr-1" {
		t.Errorf("%+v", e.HEP)
	}
	if s.HEPTypes[hep.TypeLog] != 1 || s.HEPTypes[hep.TypeRTCP] != 1 || s.Datagrams[Report] != 1 || s.Datagrams[OtherHEP] != 1 || s.Datagrams[OtherPort] != 1 {
		t.Errorf("%v", s.Datagrams)
	}
}

// TestHEPAhead: a HEP sender whose clock is fast, or who lies, changes no event of
// others: their timers run on the time of arrival.
func TestHEPAhead(t *testing.T) {
	for _, l := range siptest.Ladders(t, "../track/testdata/*.txtar") {
		if len(l.Config) > 0 {
			continue
		}
		plain := ladder(l)
		want, _ := run(t, DefaultConfig(), &frames{all: plain})
		for i, f := range plain {
			ahead := fromHEP(time.Duration(f.Time-siptest.Start), hep.Message{Protocol: 17, Type: hep.TypeSIP,
				Time: f.Time + int64(9900*time.Millisecond), Payload: []byte(options)})
			got, s := run(t, DefaultConfig(), &frames{all: slices.Insert(slices.Clone(plain), i, ahead)})
			if s.Packet.HEP.Untimed != 0 {
				t.Fatal("the time was not taken")
			}
			got = slices.DeleteFunc(got, func(e event.Event) bool { return e.HEP.Version != 0 })
			if a, b := summary(want), summary(got); a != b {
				t.Errorf("%s, ahead before frame %d:\n%s\nwithout:\n%s", filepath.Base(l.Name), i, b, a)
			}
		}
	}
}

// TestHEPDuplicates: a message that two agents saw is one; one that an agent sends
// again is a retransmission.
func TestHEPDuplicates(t *testing.T) {
	m := hep.Message{Protocol: 17, Type: hep.TypeSIP, Time: siptest.Start, CaptureID: 1, Payload: []byte(options)}
	other := m
	other.CaptureID = 2
	_, s := run(t, DefaultConfig(), &frames{all: []packet.Frame{fromHEP(0, m), fromHEP(1, other), fromHEP(2, m)}})
	if s.Datagrams[Message] != 2 || s.Datagrams[MirrorDuplicate] != 1 {
		t.Errorf("%v", s.Datagrams)
	}
}

// TestHEPOverTCP: a packet that a stream put together is counted and read like one
// in a datagram, on the listed port alone where any_port is off.
func TestHEPOverTCP(t *testing.T) {
	cfg := DefaultConfig()
	cfg.AnyPort = false
	agent, receiver, other := netip.MustParseAddrPort("203.0.113.77:40001"), netip.MustParseAddrPort("203.0.113.78:9060"), netip.MustParseAddrPort("203.0.113.78:9061")
	good := fromHEP(0, hep.Message{Protocol: 22, Type: hep.TypeSIP, Time: siptest.Start, CaptureID: 1, Payload: []byte(options)}).Data
	log := fromHEP(0, hep.Message{Protocol: 22, Type: hep.TypeLog, Time: siptest.Start, Payload: []byte("hello")}).Data
	bad := append([]byte(nil), log[:len(log)-11]...) // without its payload
	bad[4], bad[5] = byte(len(bad)>>8), byte(len(bad))
	segment := func(to netip.AddrPort) packet.Frame {
		data := siptest.TCPFrame(agent, to, 1, 1, packet.ACK|packet.PSH, append(append(append([]byte(nil), good...), bad...), log...))
		return packet.Frame{Time: siptest.Start + 1e9, Link: packet.LinkEthernet, Data: data, Wire: len(data)}
	}
	events, s := run(t, cfg, &frames{all: []packet.Frame{segment(receiver)}})
	if len(events) != 1 || events[0].Transport != event.TCP || events[0].Src.String() != "192.0.2.1:40000" || events[0].Start != siptest.Start {
		t.Fatalf("events: %s", summary(events))
	}
	if s.Units[Capsule] != 3 || s.Capsules[packet.OK] != 2 || s.Capsules[packet.BadHEP] != 1 || s.Datagrams[OtherHEP] != 1 || s.Datagrams[Message] != 1 {
		t.Errorf("%v %v %v", s.Units, s.Capsules, s.Datagrams)
	}
	if events, _ := run(t, cfg, &frames{all: []packet.Frame{segment(other)}}); len(events) != 0 {
		t.Errorf("events on a port that is not listed: %s", summary(events))
	}
}

// TestHEPSource: what an agent sends to a socket comes out as events; the engine ends
// with the source.
func TestHEPSource(t *testing.T) {
	sc := capture.DefaultHEPConfig()
	sc.Listen, sc.Timeout, sc.AuthKeys = []string{"udp:127.0.0.1:0", "tcp:127.0.0.1:0"}, 10*time.Millisecond, []string{"s3cret"}
	src, err := capture.NewHEP(sc)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var k keeper
	e := New(DefaultConfig(), []Input{{Source: src, Name: "hep", Live: true}}, &k)
	ran := make(chan error, 1)
	go func() { ran <- e.Run(context.Background()) }()
	answer := strings.Replace(strings.Replace(options, "OPTIONS sip:b@example.com SIP/2.0", "SIP/2.0 200 OK", 1), "To: <sip:b@example.com>", "To: <sip:b@example.com>;tag=2", 1)
	for i, text := range []string{options, answer, options} {
		m := hep.Message{Version: 3, Protocol: 17, Type: hep.TypeSIP, Time: time.Now().UnixNano(), Payload: []byte(text), Key: []byte("s3cret"),
			Src: netip.MustParseAddrPort("192.0.2.1:5060"), Dst: netip.MustParseAddrPort("192.0.2.2:5060")}
		if i == 1 {
			m.Src, m.Dst = m.Dst, m.Src
		}
		if i == 2 {
			m.Key = []byte("wrong")
		}
		b, _ := m.Append(nil)
		a := src.Addrs()[i%2]
		c, err := net.Dial(a.Network(), a.String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		c.Close()
		for deadline := time.Now().Add(30 * time.Second); ; <-time.After(10 * time.Millisecond) {
			if s := src.Stats(); s.Frames+s.WrongKey == uint64(i)+1 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("packet %d did not come: %+v", i, src.Stats())
			}
		}
	}
	src.Close()
	if err := <-ran; err != nil {
		t.Fatal(err)
	}
	s := e.Stats()
	if err := s.Check(); err != nil || len(k.events) != 1 || k.events[0].Type != event.OtherOK || k.events[0].HEP.Version != 3 || s.Capture.WrongKey != 1 || s.Capture.Frames != 2 {
		t.Errorf("%v, %+v, events: %s", err, s.Capture, summary(k.events))
	}
}

// TestHEPAndWire: a message that was captured and that a HEP sender copied too is one,
// whichever comes first; one that is sent again is a retransmission, once.
func TestHEPAndWire(t *testing.T) {
	wire := func(at time.Duration, id byte) packet.Frame {
		return identified(udp(at, "192.0.2.1:40000", "192.0.2.2:5070", options), id)
	}
	copied := func(at time.Duration) packet.Frame {
		return fromHEP(at, hep.Message{Protocol: 17, Type: hep.TypeSIP, Time: siptest.Start + int64(at), CaptureID: 1, Payload: []byte(options)})
	}
	const ms = time.Millisecond
	for name, all := range map[string][]packet.Frame{
		"wire first": {wire(0, 7), copied(1 * ms), wire(40*ms, 8), copied(41 * ms)},
		"HEP first":  {copied(0), wire(1*ms, 7), copied(40 * ms), wire(41*ms, 8)},
		"mixed":      {copied(0), wire(1*ms, 7), wire(40*ms, 8), copied(41 * ms)},
		"mirrored":   {wire(0, 7), wire(0, 7), copied(1 * ms), wire(40*ms, 8), wire(40*ms, 8), copied(41 * ms)},
	} {
		events, s := run(t, DefaultConfig(), &frames{all: all})
		if len(events) != 1 || s.Datagrams[Message] != 2 || s.Datagrams[MirrorDuplicate] != uint64(len(all)-2) || s.Track.Retransmissions != 1 {
			t.Errorf("%s: %v, %d retransmissions, events: %s", name, s.Datagrams, s.Track.Retransmissions, summary(events))
		}
	}
}

// TestHEPAndStream: the same of a message that came by TCP, where the lane knows that
// there is HEP.
func TestHEPAndStream(t *testing.T) {
	text := strings.Replace(options, "Call-ID: x", "Call-ID: y", 1)
	stream := siptest.StreamCarriers[0].Wrap([]packet.Frame{udp(time.Second, "192.0.2.1:40000", "192.0.2.2:5070", text)})
	copied := fromHEP(1001*time.Millisecond, hep.Message{Protocol: 6, Type: hep.TypeSIP, Time: siptest.Start + int64(1001*time.Millisecond), CaptureID: 1, Payload: []byte(text)})
	first := fromHEP(0, hep.Message{Protocol: 17, Type: hep.TypeSIP, Time: siptest.Start, CaptureID: 1, Payload: []byte(options)})
	for name, all := range map[string][]packet.Frame{
		"HEP last":  append(append([]packet.Frame{first}, stream...), copied),
		"HEP first": append([]packet.Frame{first, copied}, stream...),
	} {
		_, s := run(t, DefaultConfig(), &frames{all: all})
		if s.Datagrams[Message]+s.Units[Message] != 2 || s.Datagrams[MirrorDuplicate]+s.Units[MirrorDuplicate] != 1 || s.Track.Retransmissions != 0 {
			t.Errorf("%s: %v %v, %d retransmissions", name, s.Datagrams, s.Units, s.Track.Retransmissions)
		}
	}
}
