package track

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// What a million calls and a million bindings take, and what they cost the messages
// that come meanwhile: `make bench-memory`. The heap is measured, not our own count.

const crowdSize = 1_000_000

// crowd makes the messages of many calls and phones, as soft phones and a proxy of
// the usual kind write them.
type crowd struct {
	buf   []byte
	m     sip.Message
	short bool // without session descriptions and what else ladders leave out
}

const sdpOffer = "v=0\r\no=- 1467374242 74546537 IN IP4 10.7.226.88\r\ns=session\r\nc=IN IP4 10.9.8.7\r\nt=0 0\r\nm=audio 31722 RTP/AVP 0 8 9 101\r\n" +
	"a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:9 G722/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=sendrecv\r\n"

// more is what a message has besides, of phone i.
func (c *crowd) more(i int) string {
	if c.short {
		return ""
	}
	return fmt.Sprintf("User-Agent: Larkphone %d.0.%d (build 551; linux)\r\nAllow: INVITE, ACK, OPTIONS, CANCEL, BYE\r\n", i%7, i%11)
}

// call writes a message of call i: a request with cseq, or the answer to it. The caller's
// phone and the proxy are at addresses of their own.
func (c *crowd) call(i int, first string, cseq int, method, toTag, sdp string) []byte {
	more := c.more(i)
	if c.short {
		sdp = ""
	} else if sdp != "" {
		more += "Content-Type: application/sdp\r\n"
	}
	c.buf = fmt.Appendf(c.buf[:0], "%s\r\nVia: SIP/2.0/UDP 10.%d.%d.%d:52995;branch=z9hG4bKabbe%08x%d;rport\r\nFrom: \"u%07d\" <sip:u%07d@voip.example.net>;tag=5e88e2%06x\r\n"+
		"To: <sip:+4930%08d@voip.example.net>%s\r\nCall-ID: %08x-348b-a7f8-2cbd-63940384716b\r\nCSeq: %d %s\r\nMax-Forwards: 70\r\n"+
		"Contact: <sip:u%07d@10.%d.%d.%d:52995>\r\n%sContent-Length: %d\r\n\r\n%s",
		first, 1+i>>16, i>>8&255, i&255, i, cseq, i, i, i, i, toTag, i, cseq, method, i, 1+i>>16, i>>8&255, i&255, more, len(sdp), sdp)
	return c.buf
}

// register writes a REGISTER of phone i, or the answer to it.
func (c *crowd) register(i int, first string, cseq int, toTag string) []byte {
	c.buf = fmt.Appendf(c.buf[:0], "%s\r\nVia: SIP/2.0/UDP 11.%d.%d.%d:56506;branch=z9hG4bKa1d4%08x%d;rport\r\nFrom: \"r%07d\" <sip:r%07d@voip.example.net>;tag=7425%06x\r\n"+
		"To: <sip:r%07d@voip.example.net>%s\r\nCall-ID: ec4ecb4efd26e9f6b54cecda%08x\r\nCSeq: %d REGISTER\r\nContact: <sip:r%07d@11.%d.%d.%d:56506>;expires=3600\r\n"+
		"Max-Forwards: 70\r\n%sContent-Length: 0\r\n\r\n",
		first, 1+i>>16, i>>8&255, i&255, i, cseq, i, i, i, i, toTag, i, cseq, i, 1+i>>16, i>>8&255, i&255, c.more(i))
	return c.buf
}

const okLine = "SIP/2.0 200 OK"

// start gives the sights of one call from its INVITE to its ACK.
func (c *crowd) start(i int, to func(answer bool, i int, text []byte)) {
	to(false, i, c.call(i, "INVITE sip:+4930@voip.example.net SIP/2.0", 1, "INVITE", "", sdpOffer))
	to(true, i, c.call(i, "SIP/2.0 180 Ringing", 1, "INVITE", ";tag=as7", ""))
	to(true, i, c.call(i, okLine, 1, "INVITE", ";tag=as7", sdpOffer))
	to(false, i, c.call(i, "ACK sip:+4930@voip.example.net SIP/2.0", 1, "ACK", ";tag=as7", ""))
}

func (c *crowd) end(i int, to func(answer bool, i int, text []byte)) {
	to(false, i, c.call(i, "BYE sip:+4930@voip.example.net SIP/2.0", 2, "BYE", ";tag=as7", ""))
	to(true, i, c.call(i, okLine, 2, "BYE", ";tag=as7", ""))
}

// ping is one of a phone's that is not registered here.
func (c *crowd) ping(i, n int, to func(answer bool, i int, text []byte)) {
	to(false, i, c.call(i, "OPTIONS sip:voip.example.net SIP/2.0", n, "OPTIONS", "", ""))
	to(true, i, c.call(i, okLine, n, "OPTIONS", ";tag=b", ""))
}

func (c *crowd) bind(i, cseq int, to func(answer bool, i int, text []byte)) {
	to(false, i, c.register(i, "REGISTER sip:voip.example.net SIP/2.0", cseq, ""))
	to(true, i, c.register(i, okLine, cseq, ";tag=b"))
}

// ends are the addresses of a message of phone i and its proxy.
func ends(answer bool, i int) (src, dst netip.AddrPort) {
	src = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(1 + i>>16), byte(i >> 8), byte(i)}), 52995)
	dst = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 10}), 5060)
	if answer {
		return dst, src
	}
	return src, dst
}

// million is a tracker with as many calls up and bindings.
func million(b *testing.B, calls, bindings int) (tr *Tracker, now int64) {
	cfg := DefaultConfig()
	cfg.MaxCalls, cfg.MaxRegs, cfg.MaxCallsMem, cfg.MaxRegsMem = 3*crowdSize, 3*crowdSize, 16<<30, 16<<30
	tr, now = New(cfg), siptest.Start
	var c crowd
	var events []event.Event
	see := func(answer bool, i int, text []byte) {
		p := packet.Packet{Time: now, Transport: packet.UDP, Payload: text}
		p.Src, p.Dst = ends(answer, i)
		if c.m.Parse(text, false) != sip.OK {
			b.Fatal(string(text))
		}
		events = tr.See(events[:0], &p, &c.m)
	}
	for i := range max(calls, bindings) {
		now += int64(time.Millisecond)
		if i < calls {
			c.start(i, see)
		}
		if i < bindings {
			c.bind(i, 1, see)
		}
	}
	now += int64(time.Minute) // what absorbs retransmissions is over
	tr.Advance(nil, now)
	return tr, now
}

// BenchmarkHeapCalls and BenchmarkHeapBindings measure the heap, everything counted in:
// map entries, sets, AORs, pools.
func BenchmarkHeapCalls(b *testing.B) { heapOf(b, "call", crowdSize, 0) }

func BenchmarkHeapBindings(b *testing.B) { heapOf(b, "binding", 0, crowdSize) }

func heapOf(b *testing.B, what string, calls, bindings int) {
	before := heap()
	tr, _ := million(b, calls, bindings)
	took := heap() - before
	s := tr.Stats()
	if s.Entries != calls || s.Bindings != bindings {
		b.Fatalf("%d calls and %d bindings", s.Entries, s.Bindings)
	}
	counted := tr.calls.bytes + tr.regs.bytes
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took)/crowdSize, "B/"+what)
	b.ReportMetric(float64(counted)/crowdSize, "counted-B/"+what)
	runtime.KeepAlive(tr)
}

// flow makes the messages that come when there are a million calls and bindings: calls
// end and new ones begin, bindings are refreshed, in any order, and others ping, in
// the proportion of BenchmarkSee.
type flow struct {
	tr     *Tracker
	now    int64
	r      *rand.Rand
	up     []int // calls
	next   int
	cseq   int
	c      crowd
	sights []sight
	events []event.Event
}

func newFlow(b *testing.B) *flow {
	f := &flow{r: rand.New(rand.NewPCG(1, 2)), next: crowdSize, cseq: 1}
	f.tr, f.now = million(b, crowdSize, crowdSize)
	f.up = f.r.Perm(crowdSize)
	return f
}

// batch parses the next few hundred messages, so few that they stay in the cache, as
// one that was just read does.
func (f *flow) batch(b *testing.B) []sight {
	n := 0
	add := func(answer bool, i int, text []byte) {
		if n == len(f.sights) {
			f.sights = append(f.sights, sight{})
		}
		x := &f.sights[n]
		n++
		x.p = packet.Packet{Transport: packet.UDP, Payload: append(x.p.Payload[:0], text...)}
		x.p.Src, x.p.Dst = ends(answer, i)
		if x.m.Parse(x.p.Payload, false) != sip.OK {
			b.Fatal(string(text))
		}
	}
	f.cseq++
	for range 25 {
		f.c.end(f.up[0], add)
		f.c.start(f.next, add)
		f.c.ping(f.next+crowdSize, f.cseq, add)
		f.c.ping(f.next+2*crowdSize, f.cseq, add)
		f.up = append(f.up[1:], f.next)
		f.next++
		f.c.bind(f.r.IntN(crowdSize), f.cseq, add)
	}
	return f.sights[:n]
}

func (f *flow) see(x *sight) {
	f.now += int64(500 * time.Microsecond)
	x.p.Time = f.now
	f.events = f.tr.See(f.events[:0], &x.p, &x.m)
}

// BenchmarkHeapFlow is a message when there are a million calls and a million bindings:
// short ones, as BenchmarkSee has them, and whole ones.
func BenchmarkHeapFlow(b *testing.B) {
	f := newFlow(b)
	for _, short := range []bool{true, false} {
		name := "whole"
		if f.c.short = short; short {
			name = "short"
		}
		for range 500 { // until what absorbs retransmissions is as much as it will be
			f.round(b)
		}
		b.Run(name, func(b *testing.B) {
			var busy time.Duration
			n := 0
			for n < b.N || n < 500_000 {
				took, messages := f.round(b)
				busy, n = busy+took, n+messages
			}
			b.ReportMetric(float64(busy.Nanoseconds())/float64(n), "ns/op")
		})
	}
}

// round sees a batch, and tells how long that took.
func (f *flow) round(b *testing.B) (took time.Duration, messages int) {
	sights := f.batch(b)
	began := time.Now()
	for i := range sights {
		f.see(&sights[i])
	}
	return time.Since(began), len(sights)
}

// BenchmarkHeapPause is the longest time that the collector stops the program while
// the same messages flow. It runs all the time.
func BenchmarkHeapPause(b *testing.B) {
	f := newFlow(b)
	var stop atomic.Bool
	done := make(chan struct{})
	before := pauses()
	go func() {
		for !stop.Load() {
			runtime.GC()
		}
		close(done)
	}()
	for n := 0; n < b.N || n < 500_000; {
		_, messages := f.round(b)
		n += messages
	}
	stop.Store(true)
	<-done
	longest, count := longestPause(before, pauses())
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(longest, "ms/longest-pause")
	b.ReportMetric(float64(count), "pauses")
}

// pauses are how long the collector stopped the program so far.
func pauses() *metrics.Float64Histogram {
	s := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(s)
	return s[0].Value.Float64Histogram()
}

// longestPause is the upper bound of the highest bucket that grew, in ms, and how many
// pauses there were.
func longestPause(before, after *metrics.Float64Histogram) (ms float64, n uint64) {
	for i := range after.Counts {
		if grown := after.Counts[i] - before.Counts[i]; grown > 0 {
			n += grown
			ms = 1000 * after.Buckets[i+1]
			if math.IsInf(ms, 1) {
				ms = 1000 * after.Buckets[i]
			}
		}
	}
	return ms, n
}
