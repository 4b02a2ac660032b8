package recent

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// put keeps a message.
func put(s *Store, at int64, src, dst netip.AddrPort, text string) {
	var m sip.Message
	p := packet.Packet{Time: at, Src: src, Dst: dst, Transport: packet.UDP, Payload: []byte(text)}
	m.Parse(p.Payload, false)
	s.Message(&p, &m)
}

func request(id string, cseq int, more string) string {
	return fmt.Sprintf("OPTIONS sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx%d\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: %s\r\nCSeq: %d OPTIONS\r\n%s\r\n", cseq, id, cseq, more)
}

// TestStore holds the store against a list: of each Call-ID the newest messages are
// there, in order, none of another's among them.
func TestStore(t *testing.T) {
	for _, size := range []int{MinSize, 16 << 20} {
		rnd := rand.New(rand.NewPCG(5, 6))
		s := New(size)
		if s.Stats().Bytes != 0 {
			t.Error("memory is taken before the first message")
		}
		var all [20][]string
		for i := range 30000 {
			c := rnd.IntN(len(all))
			text := request(fmt.Sprintf("call-%d", c), i, strings.Repeat("x", rnd.IntN(500))+"\r\n")
			all[c] = append(all[c], text)
			put(s, int64(i)*1000, alice4, bob4, text)
		}
		for c := range all {
			found, cut := s.Find(fmt.Appendf(nil, "call-%d", c), 100, 1<<20)
			if len(found) == 0 || len(found) > 100 || cut != (len(found) == 100) {
				t.Fatalf("call %d: %d found, cut %v", c, len(found), cut)
			}
			for i, r := range found {
				if want := all[c][len(all[c])-len(found)+i]; string(r.Payload()) != want {
					t.Fatalf("call %d, message %d: %q, want %q", c, i, r.Payload(), want)
				}
			}
		}
		if got := s.Stats(); got.Messages != 30000 || got.Bytes > size || got.TooLong != 0 {
			t.Errorf("%+v", got)
		}
		put(s, 0, alice4, bob4, request("long", 1, strings.Repeat("x", size)+"\r\n"))
		if got := s.Stats(); got.TooLong != 1 {
			t.Errorf("%+v", got)
		}
	}
}

// TestNoCallID: what has none is not kept, and nothing is found of what was not seen.
func TestNoCallID(t *testing.T) {
	s := New(MinSize)
	put(s, 1, alice4, bob4, "OPTIONS sip:b@example.com SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n")
	if s.Stats().Messages != 0 {
		t.Error("it is kept")
	}
	if all, cut := s.Messages("x"); all != nil || cut {
		t.Error(all, cut)
	}
	var b bytes.Buffer
	if n, err := s.WriteCapture("x", &b, nil); n != 0 || err != nil || b.Len() != 0 {
		t.Error(n, err, b.Len())
	}
}

// TestMessages: what is shown of messages, with repeats and what cannot be used.
func TestMessages(t *testing.T) {
	s := New(MinSize)
	sdp := "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
	invite := "INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: x\r\nCSeq: 7 INVITE\r\nUser-Agent: \xff<b>\r\n" +
		fmt.Sprintf("Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", len(sdp), sdp)
	ringing := "SIP/2.0 180 Ring\xffing\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>;tag=2\r\nCall-ID: x\r\nCSeq: 7 INVITE\r\n\r\n"
	put(s, 2e9, alice4, bob4, invite)
	put(s, 3e9, alice4, bob4, invite)
	put(s, 1e9, alice6, alice4, invite) // another hop; it came later than it was sent
	put(s, 4e9, bob4, alice4, ringing)
	put(s, 5e9, bob4, alice4, "BYE\r\nCall-ID: x\r\n\r\n")
	all, cut := s.Messages("x")
	var got []string
	for _, m := range all {
		got = append(got, fmt.Sprint(m.Time.Unix(), " ", m.Source, ">", m.Dest, " ", m.Transport, " ", m.Line, "|", m.CSeq, "|", m.Method, "|", m.Code, " ", m.Repeat, " ", m.SDP))
		if !utf8.ValidString(m.Line) {
			t.Errorf("%q", m.Line)
		}
	}
	want := []string{
		"1 [2001:db8::1]:5060>192.0.2.1:5060 udp INVITE sip:b@example.com SIP/2.0|7 INVITE|INVITE|0 false true",
		"2 192.0.2.1:5060>192.0.2.2:5080 udp INVITE sip:b@example.com SIP/2.0|7 INVITE|INVITE|0 false true",
		"3 192.0.2.1:5060>192.0.2.2:5080 udp INVITE sip:b@example.com SIP/2.0|7 INVITE|INVITE|0 true true",
		"4 192.0.2.2:5080>192.0.2.1:5060 udp SIP/2.0 180 Ring\ufffding|7 INVITE|INVITE|180 false false",
		"5 192.0.2.2:5080>192.0.2.1:5060 udp BYE|||0 false false",
	}
	if cut || !slices.Equal(got, want) {
		t.Errorf("cut %v\n%s\nwant\n%s", cut, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	c, ok := s.Call("x")
	if !ok || c.State != Gone || c.From != "sip:a@example.com" || c.Source != "[2001:db8::1]:5060" || c.Started.Unix() != 1 || c.Seen.Unix() != 5 || c.UserAgent != "\ufffd<b>" {
		t.Errorf("%v %+v", ok, c)
	}
}

// TestUnusualIDs: what is folded or too long is found as records have it.
func TestUnusualIDs(t *testing.T) {
	s := New(MinSize)
	long := strings.Repeat("l", 3000)
	put(s, 1, alice4, bob4, request(long, 1, ""))
	put(s, 1, alice4, bob4, request("a\r\n b", 1, ""))
	for _, id := range []string{long, "a b"} {
		if all, _ := s.Messages(id); len(all) != 1 {
			t.Errorf("%.20q: %d messages", id, len(all))
		}
	}
}

// TestStoreLanes: lanes write while others read; the race detector looks on, and what is
// read is whole.
func TestStoreLanes(t *testing.T) {
	s := New(MinSize)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var lanes, readers sync.WaitGroup
	for lane := range 4 {
		lanes.Go(func() {
			for i := range 20000 {
				put(s, int64(i), alice4, bob4, request(fmt.Sprint("call-", i%7), lane<<20+i, ""))
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := fmt.Sprint("call-", i%7)
				found, _ := s.Find([]byte(id), 300, 1<<20)
				for _, r := range found {
					if !bytes.Contains(r.Payload(), []byte("Call-ID: "+id+"\r\n")) || !bytes.HasSuffix(r.Payload(), []byte("\r\n\r\n")) {
						t.Errorf("%s: %q", id, r.Payload())
						return
					}
				}
			}
		})
	}
	lanes.Wait()
	stop()
	readers.Wait()
	if n := s.Stats().Messages; n != 80000 {
		t.Errorf("%d messages", n)
	}
}

// TestCapture: what is written is read as what it was, in order.
func TestCapture(t *testing.T) {
	s := New(MinSize)
	var want []string
	for i := range 900 {
		text := request("x", i, strings.Repeat("y: z\r\n", i%50))
		want = append(want, text)
		put(s, int64(i+1)*1e6, alice4, bob4, text)
		put(s, int64(i+1)*1e6, alice4, bob4, request("other", i, ""))
	}
	var b bytes.Buffer
	n, err := s.WriteCapture("x", &b, nil)
	if err != nil || n == 0 {
		t.Fatal(n, err)
	}
	all := frames(t, b.Bytes()[len(FileHeader):])
	if len(all) != n {
		t.Fatalf("%d frames of %d messages", len(all), n)
	}
	d := packet.New(packet.DefaultConfig())
	for i := range all {
		if why := d.Decode(&all[i]); why != packet.OK || string(d.Payload) != want[len(want)-n+i] {
			t.Fatalf("frame %d: %v %q", i, why, d.Payload)
		}
	}
	if _, err := s.WriteCapture("x", broken{}, nil); err == nil {
		t.Error("a client that went away is no error")
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, context.Canceled }

// TestNoAllocation: in steady state a message costs none.
func TestNoAllocation(t *testing.T) {
	s := New(MinSize)
	var m sip.Message
	long := strings.Repeat("l", 1000)
	p := packet.Packet{Time: at, Src: alice4, Dst: bob4, Transport: packet.UDP, Payload: []byte(request(long+"\r\n "+long[:10], 1, ""))}
	m.Parse(p.Payload, false)
	s.Message(&p, &m)
	if n := testing.AllocsPerRun(10000, func() { s.Message(&p, &m) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkStore is what a message costs a lane: alone, and beside others.
func BenchmarkStore(b *testing.B) {
	texts := make([]sip.Message, 4096)
	packets := make([]packet.Packet, len(texts))
	for i := range texts {
		p := packet.Packet{Time: at, Src: alice4, Dst: bob4, Transport: packet.UDP, Payload: []byte(request(fmt.Sprintf("%08x-348b-a7f8-2cbd-63940384716b", i), 1, strings.Repeat("Header: of some length\r\n", 20)))}
		packets[i] = p
		texts[i].Parse(p.Payload, false)
	}
	b.Run("alone", func(b *testing.B) {
		s := New(64 << 20)
		b.SetBytes(int64(len(packets[0].Payload)))
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			s.Message(&packets[i%len(texts)], &texts[i%len(texts)])
		}
	})
	b.Run("lanes", func(b *testing.B) {
		s := New(64 << 20)
		b.SetBytes(int64(len(packets[0].Payload)))
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				s.Message(&packets[i%len(texts)], &texts[i%len(texts)])
			}
		})
	})
	b.Run("find", func(b *testing.B) {
		s := New(64 << 20)
		for i := range 100000 {
			s.Message(&packets[i%len(texts)], &texts[i%len(texts)])
		}
		b.ReportAllocs()
		for b.Loop() {
			if all, _ := s.Messages("00000001-348b-a7f8-2cbd-63940384716b"); len(all) < 10 {
				b.Fatal(len(all))
			}
		}
	})
}
