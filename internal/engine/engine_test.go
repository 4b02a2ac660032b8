package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// frames is a source of frames made by a test. Each is handed out in a buffer of
// its own, which poisoning may overwrite.
type frames struct {
	all  []packet.Frame
	errs map[int]error // before frame n
	n    int
	buf  []byte
}

func (s *frames) Next(f *packet.Frame) error {
	if err := s.errs[s.n]; err != nil {
		delete(s.errs, s.n)
		return err
	}
	if s.n == len(s.all) {
		return io.EOF
	}
	*f = s.all[s.n]
	s.buf = append(s.buf[:0], f.Data...)
	f.Data = s.buf
	s.n++
	return nil
}

func (s *frames) Name() string         { return "test.pcap" }
func (s *frames) Stats() capture.Stats { return capture.Stats{} }
func (s *frames) Close() error         { return nil }

// keeper is a sink that keeps copies.
type keeper struct{ events []event.Event }

func (k *keeper) Put(e *event.Event) {
	k.events = append(k.events, event.Event{})
	k.events[len(k.events)-1].CopyFrom(e)
}

// one makes a source the only input, read as a file.
func one(src capture.Source) []Input { return []Input{{Source: src, Name: "test"}} }

func run(t *testing.T, cfg Config, src capture.Source) ([]event.Event, Stats) {
	t.Helper()
	var k keeper
	e := New(cfg, one(src), &k)
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	s := e.Stats()
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	return k.events, s
}

// ladder turns a ladder's datagrams into plain frames; ticks are frames of another
// protocol.
func ladder(l *siptest.Ladder) []packet.Frame {
	var all []packet.Frame
	for i := range l.Steps {
		s := &l.Steps[i]
		f := packet.Frame{Time: s.Time, Link: packet.LinkEthernet}
		if s.Payload == nil {
			f.Data = siptest.UDPFrame(netip.MustParseAddrPort("192.0.2.250:9"), netip.MustParseAddrPort("192.0.2.251:9"), []byte("tick"))
		} else {
			f.Data = siptest.UDPFrame(s.Src, s.Dst, s.Payload)
		}
		f.Wire = len(f.Data)
		all = append(all, f)
	}
	return all
}

// TestCarriers: every ladder gives the same events however its messages travel.
func TestCarriers(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(1000)) // of thousands of short-lived engines
	for _, l := range siptest.Ladders(t, "../track/testdata/*.txtar") {
		if len(l.Config) > 0 { // the tracker's own settings are tested beside it
			continue
		}
		plain := ladder(l)
		want, _ := run(t, DefaultConfig(), &frames{all: plain})
		siptest.Check(t, l.Want, want)
		small := DefaultConfig() // made quickly: there are thousands of runs
		small.Stream.MaxStreams, small.Packet.FragmentMax = 64, 64
		same := func(carrier string, all []packet.Frame) {
			got, _ := run(t, small, &frames{all: all})
			if a, b := summary(want), summary(got); a != b {
				t.Errorf("%s through %s:\n%s\nplain:\n%s", filepath.Base(l.Name), carrier, b, a)
			}
		}
		for _, c := range siptest.Carriers {
			var all []packet.Frame
			for _, f := range plain {
				all = append(all, c.Wrap(f)...)
			}
			same(c.Name, all)
		}
		for _, c := range slices.Concat(siptest.StreamCarriers, siptest.HEPStreamCarriers) {
			same(c.Name, c.Wrap(plain))
		}
	}
}

func summary(events []event.Event) string {
	var b strings.Builder
	for i := range events {
		e := &events[i]
		fmt.Fprintf(&b, "%v %s %x\n", time.Duration(e.Time-siptest.Start), e.Type, e.ID)
	}
	return b.String()
}

const options = "OPTIONS sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@example.com>;tag=1\r\n" +
	"To: <sip:b@example.com>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"

func udp(at time.Duration, src, dst, payload string) packet.Frame {
	f := packet.Frame{Time: siptest.Start + int64(at), Link: packet.LinkEthernet,
		Data: siptest.UDPFrame(netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst), []byte(payload))}
	f.Wire = len(f.Data)
	return f
}

// TestPorts: what is read on listed ports and what on others.
func TestPorts(t *testing.T) {
	broken := strings.Replace(options, "Call-ID: x\r\n", "", 1)
	for _, c := range []struct {
		name    string
		anyPort bool
		port    int
		payload string
		want    string
	}{
		{"SIP on a listed port", false, 5060, options, "other-timeout"},
		{"SIP on another port", true, 6000, options, "other-timeout"},
		{"SIP on another port, not wanted", false, 6000, options, ""},
		{"broken SIP on a listed port", false, 5060, broken, "parse-error"},
		{"broken SIP on another port", true, 6000, broken, "parse-error"},
		{"text on a listed port", true, 5060, "hello, is anybody there?\r\n", "msg-probe"},
		{"text on another port", true, 6000, "hello, is anybody there?\r\n", ""},
		{"a request line without version on a listed port", true, 5060, "OPTIONS sip:b@example.com\r\n\r\n", "parse-error"},
		{"a request line without version on another port", true, 6000, "OPTIONS sip:b@example.com\r\n\r\n", ""},
		{"a keep-alive", true, 5060, "\r\n\r\n", ""},
		{"too small", true, 5060, "jaK", "msg-probe"},
		{"SSDP", true, 5060, "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n", "msg-probe"},
	} {
		cfg := DefaultConfig()
		cfg.AnyPort = c.anyPort
		src := &frames{all: []packet.Frame{udp(0, "192.0.2.1:40000", fmt.Sprintf("192.0.2.2:%d", c.port), c.payload)}}
		events, _ := run(t, cfg, src)
		got := ""
		for i := range events {
			got += events[i].Type.String()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestKeepaliveProbes(t *testing.T) {
	cfg := DefaultConfig()
	cfg.KeepaliveProbes = true
	stun := "\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl"
	events, _ := run(t, cfg, &frames{all: []packet.Frame{
		udp(0, "192.0.2.1:5060", "192.0.2.2:5060", "\r\n\r\n"),
		udp(1, "192.0.2.1:5060", "192.0.2.2:5060", stun),
	}})
	if len(events) != 2 || events[0].Type != event.MsgProbe || string(events[1].Bytes(events[1].Probe)) != "stun" {
		t.Errorf("%d events: %s", len(events), summary(events))
	}
}

// TestMirrorDuplicates: the same datagram from another VLAN is dropped first, also a
// probe; from the same place it is a retransmission, unless its IP identification
// shows that it is the same packet.
func TestMirrorDuplicates(t *testing.T) {
	probe := identified(udp(0, "192.0.2.1:40000", "192.0.2.2:5060", "hello, is anybody there?\r\n"), 0)
	later := func(f packet.Frame, d time.Duration) packet.Frame { f.Time += int64(d); return f }
	vlan := siptest.VLAN(later(probe, 50*time.Millisecond), 0x8100, 7)[0]
	for _, c := range []struct {
		name   string
		all    []packet.Frame
		events int
		dups   uint64
	}{
		{"another VLAN", []packet.Frame{probe, vlan}, 1, 1},
		{"another VLAN, later than the window", []packet.Frame{probe, later(vlan, 100*time.Millisecond)}, 2, 0},
		{"a tunnel", []packet.Frame{probe, later(siptest.VXLAN(probe)[0], 50*time.Millisecond)}, 1, 1},
		{"another tunnel", []packet.Frame{siptest.VXLAN(probe)[0], later(elsewhere(siptest.VXLAN(probe)[0]), 50*time.Millisecond)}, 1, 1},
		{"the same tunnel", []packet.Frame{siptest.VXLAN(probe)[0], later(siptest.VXLAN(probe)[0], 50*time.Millisecond)}, 2, 0},
		{"the same place", []packet.Frame{probe, later(probe, 50*time.Millisecond)}, 2, 0},
		{"the same packet", []packet.Frame{identified(probe, 9), later(identified(probe, 9), time.Millisecond)}, 1, 1},
		{"another packet", []packet.Frame{identified(probe, 9), later(identified(probe, 10), time.Millisecond)}, 2, 0},
	} {
		events, s := run(t, DefaultConfig(), &frames{all: c.all})
		if len(events) != c.events || s.Datagrams[MirrorDuplicate] != c.dups {
			t.Errorf("%s: %d events and %d duplicates, want %d and %d", c.name, len(events), s.Datagrams[MirrorDuplicate], c.events, c.dups)
		}
	}
}

// elsewhere sets another source of the outer IPv4 header.
func elsewhere(f packet.Frame) packet.Frame {
	f.Data = append([]byte(nil), f.Data...)
	f.Data[14+15]++
	return f
}

// TestTunnel: a record tells of the tunnel, turned like the addresses inside, and
// its counter counts.
func TestTunnel(t *testing.T) {
	answer := strings.Replace(strings.Replace(options, "OPTIONS sip:b@example.com SIP/2.0", "SIP/2.0 200 OK", 1), "To: <sip:b@example.com>", "To: <sip:b@example.com>;tag=2", 1)
	for _, c := range []struct {
		name string
		all  []packet.Frame
		from string
	}{
		{"request and answer", []packet.Frame{udp(0, "192.0.2.1:5060", "192.0.2.2:5060", options), udp(time.Second, "192.0.2.2:5060", "192.0.2.1:5060", answer)}, "198.51.100.1"},
		{"answer", []packet.Frame{udp(0, "192.0.2.2:5060", "192.0.2.1:5060", answer)}, "198.51.100.2"},
	} {
		for i := range c.all {
			c.all[i] = siptest.VXLAN(siptest.VLAN(c.all[i], 0x8100, 77)[0])[0]
		}
		c.all[0] = siptest.VLAN(c.all[0], 0x8100, 838)[0]
		events, s := run(t, DefaultConfig(), &frames{all: c.all})
		if len(events) != 1 || events[0].OuterSrc.String() != c.from || !events[0].OuterDst.IsValid() {
			t.Fatalf("%s: %d events, outside from %v", c.name, len(events), events[0].OuterSrc)
		}
		if n := uint64(len(c.all)); s.Packet.Layers[packet.LayerVXLAN] != n || s.Packet.Layers[packet.LayerVLAN] != n+1 {
			t.Errorf("%s: %d VXLAN, %d VLAN", c.name, s.Packet.Layers[packet.LayerVXLAN], s.Packet.Layers[packet.LayerVLAN])
		}
	}
}

// identified sets the IPv4 identification of an Ethernet frame.
func identified(f packet.Frame, id byte) packet.Frame {
	f.Data = append([]byte(nil), f.Data...)
	f.Data[18], f.Data[19] = 0, id
	return f
}

// TestErrorsGoOn: an error of one file is reported at the end, and what comes after
// it is read.
func TestErrorsGoOn(t *testing.T) {
	bad := errors.New("read capture \"b.pcap\": empty file")
	src := &frames{all: []packet.Frame{
		udp(0, "192.0.2.1:5060", "192.0.2.2:5060", options),
		udp(time.Second, "192.0.2.2:5060", "192.0.2.1:5060", strings.Replace(strings.Replace(options, "OPTIONS sip:b@example.com SIP/2.0", "SIP/2.0 200 OK", 1), "To: <sip:b@example.com>", "To: <sip:b@example.com>;tag=2", 1)),
	}, errs: map[int]error{1: bad}}
	var k keeper
	err := New(DefaultConfig(), one(src), &k).Run(context.Background())
	if !errors.Is(err, bad) {
		t.Errorf("error %v", err)
	}
	if len(k.events) != 1 || k.events[0].Type != event.OtherOK {
		t.Errorf("events: %s", summary(k.events))
	}
}

// TestLoop: files that are read again give the same events again, with other ids.
func TestLoop(t *testing.T) {
	files := capture.DefaultFilesConfig()
	files.Paths, files.Loop = []string{"../../tests/captures/demo.pcap"}, 3
	src, err := capture.NewFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	events, _ := run(t, DefaultConfig(), src)
	n := len(events) / 3
	ids := map[event.Hash]bool{}
	for i := range events {
		if a, b := &events[i], &events[i%n]; a.Type != b.Type || a.Time != b.Time {
			t.Fatalf("event %d is %s at %d, in the first turn it was %s at %d", i, a.Type, a.Time, b.Type, b.Time)
		}
		if ids[events[i].ID] {
			t.Errorf("event %d has an id that was there", i)
		}
		ids[events[i].ID] = true
	}
	if n == 0 || len(events) != 3*n {
		t.Errorf("%d events in three turns", len(events))
	}
}

// TestCancelled: a cancelled run ends and decides nothing.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var k keeper
	if err := New(DefaultConfig(), one(&frames{all: []packet.Frame{udp(0, "192.0.2.1:5060", "192.0.2.2:5060", options)}}), &k).Run(ctx); err != nil || len(k.events) != 0 {
		t.Errorf("error %v, %d events", err, len(k.events))
	}
}

// TestFault: a fault on one frame is counted and told, and the next one is read.
func TestFault(t *testing.T) {
	cfg := DefaultConfig()
	faults := 0
	cfg.Tap = func(*packet.Packet, *sip.Message) {
		if faults == 0 {
			panic("on purpose")
		}
	}
	cfg.Fault = func(f *packet.Frame, cause any) {
		if faults++; len(f.Data) == 0 || cause != "on purpose" {
			t.Errorf("told of %d bytes and %v", len(f.Data), cause)
		}
	}
	frame := udp(0, "192.0.2.1:5060", "192.0.2.2:5060", options)
	events, s := run(t, cfg, &frames{all: []packet.Frame{frame, identified(frame, 77)}})
	if faults != 1 || s.Faults != 1 || len(events) != 1 {
		t.Errorf("%d faults told, %d counted, %d events", faults, s.Faults, len(events))
	}
}

// TestIdle: a live source that is idle lets the timers run by its clock.
func TestIdle(t *testing.T) {
	cfg := DefaultConfig()
	var k keeper
	src := &ticking{frames{all: []packet.Frame{udp(0, "192.0.2.1:5060", "192.0.2.2:5060", options)}}, 0}
	if err := New(cfg, []Input{{Source: src, Live: true}}, &k).Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(k.events) != 1 || k.events[0].Type != event.OtherTimeout || k.events[0].Time != siptest.Start+int64(32*time.Second) {
		t.Errorf("events: %s", summary(k.events))
	}
}

type ticking struct {
	frames
	ticks int
}

func (s *ticking) Next(f *packet.Frame) error {
	if s.n < len(s.all) {
		return s.frames.Next(f)
	}
	if s.ticks++; s.ticks > 40 {
		return io.EOF
	}
	f.Time = siptest.Start + int64(s.ticks)*int64(time.Second)
	return capture.ErrIdle
}

// TestConservation holds the sums over every capture of the lab, and of others.
func TestConservation(t *testing.T) {
	var files []string
	for _, pattern := range []string{"lab/*/*.pcap*", "lab/*/*/*.pcap", "corpus/*.*cap*", "torture/*.pcap"} {
		found, _ := filepath.Glob(filepath.Join(siptest.Shared(t, "."), pattern))
		files = append(files, found...)
	}
	if len(files) == 0 {
		t.Fatal("no captures")
	}
	for _, file := range files {
		cfg := capture.DefaultFilesConfig()
		cfg.Paths = []string{file}
		src, err := capture.NewFiles(cfg)
		if err != nil {
			t.Error(err)
			continue
		}
		var k keeper
		e := New(DefaultConfig(), one(src), &k)
		e.Run(context.Background()) // some of them are damaged, or of another link type
		s := e.Stats()
		if err := s.Check(); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// TestNoAllocation: a frame in steady state costs none.
func TestNoAllocation(t *testing.T) {
	t.Run("plain", func(t *testing.T) { noAllocation(t, func(f packet.Frame) packet.Frame { return f }) })
	t.Run("vxlan", func(t *testing.T) { noAllocation(t, func(f packet.Frame) packet.Frame { return siptest.VXLAN(f)[0] }) })
	t.Run("hep", func(t *testing.T) {
		noAllocation(t, func(f packet.Frame) packet.Frame { return siptest.HEP(f, 3, false)[0] })
	})
	t.Run("tcp", func(t *testing.T) {
		seq := uint32(1)
		src, dst := netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("192.0.2.2:5060")
		noAllocation(t, func(f packet.Frame) packet.Frame {
			const headers = 14 + 20 + 8
			f.Data = siptest.TCPFrame(src, dst, seq, 1, packet.ACK|packet.PSH, f.Data[headers:])
			f.Wire = len(f.Data)
			seq += uint32(f.Wire - (14 + 20 + 20))
			return f
		})
	})
}

func noAllocation(t *testing.T, wrap func(packet.Frame) packet.Frame) {
	noAllocationWith(t, DefaultConfig(), wrap)
}

func noAllocationWith(t *testing.T, cfg Config, wrap func(packet.Frame) packet.Frame) {
	l := newLane(cfg, Input{}, newCore(cfg, discard{}))
	now := siptest.Start
	requests := []string{options}
	for _, method := range []string{"MESSAGE", "SUBSCRIBE", "INFO"} {
		requests = append(requests, strings.ReplaceAll(options, "OPTIONS", method))
	}
	n := 0
	turn := func() {
		for _, r := range requests {
			n++
			now += int64(10 * time.Millisecond)
			r = strings.Replace(r, "Call-ID: x", fmt.Sprintf("Call-ID: %09d", n), 1)
			ask := wrap(udp(0, "192.0.2.1:5060", "192.0.2.2:5060", r))
			ask.Time = now
			l.frame(&ask)
		}
	}
	for range 4000 { // until the first transactions are forgotten
		turn()
	}
	made := testing.AllocsPerRun(200, func() { frameOnly(requests, &n, &now, wrap) })
	all := testing.AllocsPerRun(200, turn)
	if all > made {
		t.Errorf("%v allocations for %d frames, %v of them the test's own", all, len(requests), made)
	}
}

// frameOnly does what turn does besides the lane's work.
func frameOnly(requests []string, n *int, now *int64, wrap func(packet.Frame) packet.Frame) {
	for _, r := range requests {
		*n++
		*now += int64(10 * time.Millisecond)
		r = strings.Replace(r, "Call-ID: x", fmt.Sprintf("Call-ID: %09d", *n), 1)
		f := wrap(udp(0, "192.0.2.1:5060", "192.0.2.2:5060", r))
		f.Time = *now
	}
}

type discard struct{}

func (discard) Put(*event.Event) {}

// TestTurnsAreWhole: a file that is read again gives every frame again, the first too.
func TestTurnsAreWhole(t *testing.T) {
	files := capture.DefaultFilesConfig()
	files.Paths, files.Loop = []string{"../../tests/captures/04-calls.pcap"}, 3
	src, err := capture.NewFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	_, s := run(t, DefaultConfig(), src)
	if s.Frames != 3*624 || s.Datagrams[Message] != 3*624 {
		t.Errorf("%d messages in %d frames, want 624 of each turn", s.Datagrams[Message], s.Frames)
	}
}
