package engine

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
	"github.com/sipcmbeat/sipcmbeat/internal/track"
)

var (
	alice = netip.MustParseAddrPort("192.0.2.1:5060")
	bob   = netip.MustParseAddrPort("192.0.2.2:5060")
)

// said is a message of a call.
func said(first, cid, cseq, toTag, more string) []byte {
	return fmt.Appendf(nil, "%s\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK%s%s\r\nFrom: <sip:alice@a>;tag=f\r\nTo: <sip:bob@a>%s\r\nCall-ID: %s\r\nCSeq: %s\r\n%sContent-Length: 0\r\n\r\n",
		first, cid, strings.ReplaceAll(cseq, " ", ""), toTag, cid, cseq, more)
}

// paced gives frames a second apart. Those that begin with + are put in by hand.
type paced struct {
	t   *testing.T
	e   *Engine
	all [][]byte
	n   int
}

func (s *paced) Next(f *packet.Frame) error {
	for ; s.n < len(s.all) && s.all[s.n][0] == '+'; s.n++ {
		src, dst := alice, bob
		if strings.HasPrefix(string(s.all[s.n]), "+SIP/") {
			src, dst = bob, alice
		}
		if got := s.e.Inject(s.all[s.n][1:], src, dst, packet.UDP); got != Injected {
			s.t.Errorf("%v: %s", got, s.all[s.n])
		}
	}
	if s.n == len(s.all) {
		return io.EOF
	}
	src, dst := alice, bob
	if strings.HasPrefix(string(s.all[s.n]), "SIP/") {
		src, dst = bob, alice
	}
	*f = packet.Frame{Time: siptest.Start + int64(s.n)*1e9, Link: packet.LinkEthernet, Data: siptest.UDPFrame(src, dst, s.all[s.n])}
	f.Wire = len(f.Data)
	s.n++
	return nil
}

func (s *paced) Name() string         { return "test.pcap" }
func (s *paced) Stats() capture.Stats { return capture.Stats{} }
func (s *paced) Close() error         { return nil }

// injected runs messages and gives the events, those that are marked with a +.
func injected(t *testing.T, cfg Config, all ...[]byte) (lines []string, k *keeper) {
	t.Helper()
	s := &paced{t: t, all: all}
	k = &keeper{}
	s.e = New(cfg, one(s), k)
	if err := s.e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	for i := range k.events {
		e := &k.events[i]
		line := fmt.Sprint(e.Type, " ", string(e.Bytes(e.CallID)))
		if e.Injected {
			line = "+" + line
		}
		lines = append(lines, line)
	}
	stats := s.e.Stats()
	if err := stats.Check(); err != nil {
		t.Error(err)
	}
	return lines, k
}

func plus(b []byte) []byte { return append([]byte{'+'}, b...) }

// TestInject: what is said because of a message that was put in, or of a call, binding
// or transaction that one had a part in, is marked, and nothing else is.
func TestInject(t *testing.T) {
	const contact = "Contact: <sip:alice@192.0.2.1>;expires=60\r\n"
	invite := said("INVITE sip:bob@a SIP/2.0", "c", "1 INVITE", "", "")
	ok := said("SIP/2.0 200 OK", "c", "1 INVITE", ";tag=t", "")
	bye := said("BYE sip:bob@a SIP/2.0", "c", "2 BYE", ";tag=t", "")
	byeOK := said("SIP/2.0 200 OK", "c", "2 BYE", ";tag=t", "")
	register := said("REGISTER sip:a SIP/2.0", "r", "1 REGISTER", "", contact)
	registered := said("SIP/2.0 200 OK", "r", "1 REGISTER", ";tag=t", contact)
	removal := said("REGISTER sip:a SIP/2.0", "r", "2 REGISTER", "", strings.Replace(contact, "60", "0", 1))
	removed := said("SIP/2.0 200 OK", "r", "2 REGISTER", ";tag=t", "")
	options := said("OPTIONS sip:bob@a SIP/2.0", "o", "1 OPTIONS", "", "")
	optionsOK := said("SIP/2.0 200 OK", "o", "1 OPTIONS", ";tag=t", "")
	busy := said("SIP/2.0 486 Busy Here", "c", "1 INVITE", ";tag=t", "")
	for _, x := range []struct {
		name string
		all  [][]byte
		want string
	}{
		{"nothing", [][]byte{invite, ok, bye, byeOK}, "call-start c, call-end c"},
		{"all", [][]byte{options, plus(invite), plus(ok), plus(bye), plus(byeOK), optionsOK}, "+call-start c, +call-end c, other-ok o"},
		{"the INVITE", [][]byte{options, plus(invite), ok, bye, byeOK}, "+call-start c, +call-end c, other-timeout o"},
		{"the 200", [][]byte{invite, plus(ok), bye, byeOK}, "+call-start c, +call-end c"},
		{"the BYE", [][]byte{invite, ok, plus(bye), byeOK}, "call-start c, +call-end c"},
		{"the 200 to the BYE", [][]byte{invite, ok, bye, plus(byeOK)}, "call-start c, +call-end c"},
		{"a refusal", [][]byte{invite, plus(busy)}, "+call-attempt c"},
		{"a request", [][]byte{invite, plus(options), optionsOK, busy}, "+other-ok o, call-attempt c"},
		{"a REGISTER", [][]byte{invite, plus(register), registered, removal, removed, busy}, "+reg-new r, +reg-del r, call-attempt c"},
		{"its 200", [][]byte{invite, register, plus(registered), busy}, "+reg-new r, call-attempt c, +reg-expired r"},
		{"a removal", [][]byte{invite, register, registered, plus(removal), removed, busy}, "reg-new r, +reg-del r, call-attempt c"},
	} {
		cfg := DefaultConfig()
		cfg.Flush = track.FlushAll
		lines, k := injected(t, cfg, x.all...)
		if got := strings.Join(lines, ", "); got != x.want {
			t.Errorf("%s: %s, want %s", x.name, got, x.want)
		}
		for i := range k.events {
			tags := strings.Contains(string(event.AppendJSON(nil, &k.events[i], nil)), `"tags":["injected"]`)
			if tags != k.events[i].Injected {
				t.Errorf("%s: the tag is there: %v", x.name, tags)
			}
		}
	}
}

// A message that is put in has the time of the clock, its interface is inject, it is no
// mirror duplicate, and neither the HEP output nor the files of calls get it.
func TestInjectIsNoTraffic(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Flush, cfg.Messages = track.FlushNone, true
	cfg.Copy = func(p *packet.Packet, m *sip.Message) {
		if string(m.CallID()) != "real" {
			t.Errorf("%s was copied", m.CallID())
		}
	}
	options := plus(said("OPTIONS sip:bob@a SIP/2.0", "hand", "1 OPTIONS", "", ""))
	_, k := injected(t, cfg, said("OPTIONS sip:bob@a SIP/2.0", "real", "1 OPTIONS", "", ""), options, options)
	if len(k.events) != 3 {
		t.Fatalf("%d events", len(k.events))
	}
	for i := range k.events {
		e := &k.events[i]
		if hand := string(e.Bytes(e.CallID)) == "hand"; hand != e.Injected || hand && (e.Iface != "inject" || e.Capture != "" || e.Time != siptest.Start) {
			t.Errorf("%s: injected %v, from %q %q at %d", e.Bytes(e.CallID), e.Injected, e.Iface, e.Capture, e.Time-siptest.Start)
		}
	}
}

// What is no SIP, or too long, or comes before there is a clock, is not looked at.
func TestInjectRefuses(t *testing.T) {
	e := New(DefaultConfig(), nil, &keeper{})
	const options = "OPTIONS sip:a@b SIP/2.0\r\nNo: Call-ID\r\n\r\n"
	for _, x := range []struct {
		text string
		want Injection
	}{
		{"", InjectNoSIP}, {"\r\n\r\n", InjectNoSIP}, {"GET / HTTP/1.1\r\n\r\n", InjectNoSIP},
		{options + strings.Repeat("x", MaxInject), InjectTooLong}, {options, InjectNoClock},
	} {
		if got := e.Inject([]byte(x.text), alice, bob, packet.UDP); got != x.want {
			t.Errorf("%.20q: %v", x.text, got)
		}
	}
	e.core.advance(siptest.Start)
	if got := e.Inject([]byte(options), alice, bob, packet.TCP); got != InjectedBroken {
		t.Error(got)
	}
	s, each := e.Inputs()
	if err := s.Check(); err != nil || s.Frames != 1 || len(each) != 1 || each[0].Name != "inject" {
		t.Errorf("%v, %+v", err, each)
	}
}

// TestInjectBeside: many put messages in while files are read and the state is saved.
func TestInjectBeside(t *testing.T) {
	files := capture.DefaultFilesConfig()
	files.Paths, files.Loop = []string{"../../tests/captures/04-calls.pcap"}, 20
	src, err := capture.NewFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	var k keeper
	e := New(DefaultConfig(), one(src), &k)
	const hands, each = 4, 200
	var all sync.WaitGroup
	for h := range hands {
		all.Go(func() {
			for e.Now().IsZero() { // no message is taken before the first packet
				runtime.Gosched()
			}
			for i := range each {
				id := fmt.Sprint("hand", h, "-", i)
				e.Inject(said("OPTIONS sip:bob@a SIP/2.0", id, "1 OPTIONS", "", ""), alice, bob, packet.UDP)
				e.Inject(said("SIP/2.0 200 OK", id, "1 OPTIONS", ";tag=t", ""), bob, alice, packet.UDP)
			}
		})
	}
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	real, byHand := 0, 0
	for i := range k.events {
		switch ev := &k.events[i]; {
		case strings.HasPrefix(string(ev.Bytes(ev.CallID)), "hand"):
			if byHand++; !ev.Injected {
				t.Error("a record is not marked")
			}
		case ev.Injected:
			t.Errorf("%s of a capture is marked", ev.Bytes(ev.CallID))
		default:
			real++
		}
	}
	s := e.Stats()
	if err := s.Check(); err != nil || real != 20*80 || byHand == 0 {
		t.Errorf("%v, %d events, %d by hand", err, real, byHand)
	}
}
