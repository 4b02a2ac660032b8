package track

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// line writes a message of the Call-ID id: what its first line is, who the tags say
// they are, and what stands in it besides.
func line(id, first string, cseq int, method, toTag, more string) string {
	return fmt.Sprintf("%s\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%s%d%s\r\nFrom: <sip:%s@example.com>;tag=f%s\r\nTo: <sip:%s@example.com>%s\r\n"+
		"Call-ID: %s\r\nCSeq: %d %s\r\n%s\r\n", first, id, cseq, method, id, id, id, toTag, id, cseq, method, more)
}

func asks(method string) string { return method + " sip:b@example.com SIP/2.0" }

const toTag = ";tag=t"

// A flood is what somebody sends with Call-IDs that nobody else uses: the messages of
// one Call-ID, from the attacker and, where > stands before, to him.
type flood struct {
	name string
	send []func(id string) string
	back []bool // by message: it is an answer
	lost worth  // what gives way
}

func say(first string, cseq int, method, tag, more string) func(string) string {
	return func(id string) string { return line(id, first, cseq, method, tag, strings.ReplaceAll(more, "%", id)) }
}

const (
	flooded    = 4000
	asksAuth   = "WWW-Authenticate: Digest realm=\"r\", nonce=\"%\"\r\n"
	ofPhone    = "Contact: <sip:%@10.0.0.1>;expires=3600\r\n"
	subscribed = "Event: presence\r\nSubscription-State: active;expires=600\r\n"
)

var floods = []flood{
	{"INVITE", []func(string) string{say(asks("INVITE"), 1, "INVITE", "", "")}, []bool{false}, worthRequest},
	{"INVITE, challenged", []func(string) string{say(asks("INVITE"), 1, "INVITE", "", ""), say("SIP/2.0 401 No", 1, "INVITE", toTag, asksAuth)}, []bool{false, true}, worthRequest},
	{"INVITE, refused", []func(string) string{say(asks("INVITE"), 1, "INVITE", "", ""), say("SIP/2.0 404 No", 1, "INVITE", toTag, "")}, []bool{false, true}, worthOver},
	{"INVITE and BYE", []func(string) string{say(asks("INVITE"), 1, "INVITE", "", ""), say(asks("BYE"), 2, "BYE", toTag, "")}, []bool{false, false}, worthRequest},
	{"ACK", []func(string) string{say(asks("ACK"), 1, "ACK", toTag, "")}, []bool{false}, worthRequest},
	{"2xx to INVITE", []func(string) string{say("SIP/2.0 200 OK", 1, "INVITE", toTag, "")}, []bool{true}, worthRequest},
	{"re-INVITE", []func(string) string{say(asks("INVITE"), 2, "INVITE", toTag, "")}, []bool{false}, worthRequest},
	{"re-INVITE, unknown there", []func(string) string{say(asks("INVITE"), 2, "INVITE", toTag, ""), say("SIP/2.0 481 No", 2, "INVITE", toTag, "")}, []bool{false, true}, worthRequest},
	{"INFO", []func(string) string{say(asks("INFO"), 2, "INFO", toTag, "")}, []bool{false}, worthRequest},
	{"NOTIFY", []func(string) string{say(asks("NOTIFY"), 2, "NOTIFY", toTag, subscribed)}, []bool{false}, worthRequest},
	{"SUBSCRIBE", []func(string) string{say(asks("SUBSCRIBE"), 1, "SUBSCRIBE", "", subscribed)}, []bool{false}, worthRequest},
	{"BYE", []func(string) string{say(asks("BYE"), 2, "BYE", toTag, "")}, []bool{false}, worthRequest},
	{"OPTIONS", []func(string) string{say(asks("OPTIONS"), 1, "OPTIONS", "", "")}, []bool{false}, worthRequest},
	{"REGISTER", []func(string) string{say(asks("REGISTER"), 1, "REGISTER", "", ofPhone)}, []bool{false}, worthRequest},
	{"REGISTER, challenged", []func(string) string{say(asks("REGISTER"), 1, "REGISTER", "", ofPhone), say("SIP/2.0 401 No", 1, "REGISTER", toTag, asksAuth)}, []bool{false, true}, worthOver},
	{"REGISTER, granted", []func(string) string{say(asks("REGISTER"), 1, "REGISTER", "", ofPhone), say("SIP/2.0 200 OK", 1, "REGISTER", toTag, ofPhone)}, []bool{false, true}, worthBinding},
	{"2xx to REGISTER", []func(string) string{say("SIP/2.0 200 OK", 1, "REGISTER", toTag, ofPhone)}, []bool{true}, worthHearsay},
	{"2xx to REGISTER without contact", []func(string) string{say(asks("REGISTER"), 1, "REGISTER", "", ""), say("SIP/2.0 200 OK", 1, "REGISTER", toTag, "")}, []bool{false, true}, worthForgiven},
}

// TestFloods: a flood of any kind, with Call-IDs and AORs that nobody else has, pushes
// out no call that is up or rings and no binding that was set; what gives way is
// counted by its worth, and never is the table beyond its bound.
func TestFloods(t *testing.T) {
	for _, byBytes := range []bool{false, true} {
		for _, f := range floods {
			name := f.name
			if byBytes {
				name += ", in bytes"
			}
			t.Run(name, func(t *testing.T) { f.run(t, byBytes) })
		}
	}
}

const (
	ups, ringing, phones = 100, 20, 100
	entriesBound         = 300
	callsMem, regsMem    = 400 << 10, 100 << 10
)

func (f *flood) run(t *testing.T, byBytes bool) {
	cfg := DefaultConfig()
	cfg.Warmup = time.Millisecond
	if byBytes {
		cfg.MaxCallsMem, cfg.MaxRegsMem = callsMem, regsMem
	} else {
		cfg.MaxCalls, cfg.MaxRegs = entriesBound, entriesBound
	}
	s := &sender{t: t, tr: New(cfg), now: siptest.Start}
	s.settle(1)
	if f.lost == worthBinding { // anybody's looks like theirs, but for the refresh
		s.settle(2)
	}
	evicted := 0
	count := func(got []event.Event) {
		for i := range got {
			if got[i].Incomplete&event.Evicted != 0 {
				evicted++
			}
		}
	}
	for i := range flooded {
		s.now += int64(100 * time.Microsecond)
		id := fmt.Sprintf("flood%d", i)
		for k, text := range f.send {
			if f.back[k] {
				s.now += int64(50 * time.Microsecond)
				count(s.see("192.0.2.2", "198.51.100.1", text(id)))
			} else {
				count(s.see("198.51.100.1", "192.0.2.2", text(id)))
			}
		}
		if s.tr.calls.entries > max(cfg.MaxCalls, 0) || s.tr.calls.bytes > cfg.MaxCallsMem || s.tr.regs.bindings > cfg.MaxRegs || s.tr.regs.bytes > cfg.MaxRegsMem+aorSize+bindingSize {
			t.Fatalf("%d entries in %d bytes, %d bindings in %d bytes", s.tr.calls.entries, s.tr.calls.bytes, s.tr.regs.bindings, s.tr.regs.bytes)
		}
	}
	st := s.tr.Stats()
	if st.Evicted[f.lost] < flooded/2 {
		t.Errorf("%d %s gave way", st.Evicted[f.lost], EvictedWords[f.lost])
	}
	for _, w := range []worth{worthAttempt, worthCall, worthBinding, worthRefreshed} {
		if st.Evicted[w] != 0 && w != f.lost {
			t.Errorf("%d %s gave way", st.Evicted[w], EvictedWords[w])
		}
	}
	t.Logf("%v gave way, %d said so", st.Evicted, evicted)
	s.survivors()
}

// settle makes calls that are up, calls that ring and bindings, the oldest of all; with
// another cseq it refreshes the bindings.
func (s *sender) settle(cseq int) {
	for i := range ups + ringing {
		if cseq > 1 {
			break
		}
		id := fmt.Sprintf("call%d", i)
		s.see("192.0.2.1", "192.0.2.2", line(id, asks("INVITE"), 1, "INVITE", "", ""))
		s.see("192.0.2.2", "192.0.2.1", line(id, "SIP/2.0 180 Ringing", 1, "INVITE", toTag, ""))
		if i < ups {
			s.see("192.0.2.2", "192.0.2.1", line(id, "SIP/2.0 200 OK", 1, "INVITE", toTag, ""))
			s.see("192.0.2.1", "192.0.2.2", line(id, asks("ACK"), 1, "ACK", toTag, ""))
		}
	}
	s.now += int64(time.Second)
	for i := range phones {
		id := fmt.Sprintf("phone%d", i)
		s.see("192.0.2.1", "192.0.2.2", line(id, asks("REGISTER"), cseq, "REGISTER", "", strings.ReplaceAll(ofPhone, "%", id)))
		s.see("192.0.2.2", "192.0.2.1", line(id, "SIP/2.0 200 OK", cseq, "REGISTER", toTag, strings.ReplaceAll(ofPhone, "%", id)))
	}
	s.now += int64(time.Second)
}

// survivors ends what settle made, and looks whether the ends are whole.
func (s *sender) survivors() {
	s.now += int64(time.Second)
	whole := map[event.Type]int{}
	count := func(got []event.Event) {
		for i := range got {
			if e := &got[i]; e.Incomplete == 0 && (e.Type != event.CallEnd || e.End > e.Start && e.Start != 0) && (e.Type != event.RegDel || e.Lifetime > 0) {
				whole[e.Type]++
			}
		}
	}
	for i := range ups + ringing {
		id := fmt.Sprintf("call%d", i)
		if i < ups {
			count(s.see("192.0.2.1", "192.0.2.2", line(id, asks("BYE"), 2, "BYE", toTag, "")))
			count(s.see("192.0.2.2", "192.0.2.1", line(id, "SIP/2.0 200 OK", 2, "BYE", toTag, "")))
		} else {
			count(s.see("192.0.2.2", "192.0.2.1", line(id, "SIP/2.0 486 Busy Here", 1, "INVITE", toTag, "")))
		}
	}
	if whole[event.CallEnd] != ups || whole[event.CallAttempt] != ringing {
		s.t.Errorf("%d calls of %d end, %d of %d are refused, as if nothing had been", whole[event.CallEnd], ups, whole[event.CallAttempt], ringing)
	}
	for i := range phones {
		id := fmt.Sprintf("phone%d", i)
		gone := fmt.Sprintf("Contact: <sip:%s@10.0.0.1>;expires=0\r\n", id)
		count(s.see("192.0.2.1", "192.0.2.2", line(id, asks("REGISTER"), 3, "REGISTER", "", gone)))
		count(s.see("192.0.2.2", "192.0.2.1", line(id, "SIP/2.0 200 OK", 3, "REGISTER", toTag, "")))
	}
	if whole[event.RegDel] != phones {
		s.t.Errorf("%d bindings of %d leave as if nothing had been", whole[event.RegDel], phones)
	}
}

// TestFull: where calls that are up, or refreshed bindings, fill the table by themselves,
// the oldest of them makes room, and not each new one at once.
func TestFull(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxCalls, cfg.MaxRegs, cfg.Warmup = 200, 100, time.Millisecond
	s := &sender{t: t, tr: New(cfg), now: siptest.Start}
	const all = 1000
	events := map[event.Type]int{}
	see := func(src, dst, text string) {
		for _, e := range s.see(src, dst, text) {
			events[e.Type]++
		}
	}
	for i := range all {
		s.now += int64(33 * time.Second)
		id := fmt.Sprintf("c%d", i)
		see("192.0.2.1", "192.0.2.2", line(id, asks("INVITE"), 1, "INVITE", "", ""))
		see("192.0.2.2", "192.0.2.1", line(id, "SIP/2.0 200 OK", 1, "INVITE", toTag, ""))
		contact := strings.ReplaceAll(ofPhone, "%", id)
		for cseq := 1; cseq <= 2; cseq++ {
			see("192.0.2.1", "192.0.2.2", line(id, asks("REGISTER"), cseq, "REGISTER", "", contact))
			see("192.0.2.2", "192.0.2.1", line(id, "SIP/2.0 200 OK", cseq, "REGISTER", toTag, contact))
		}
	}
	if events[event.CallStart] != all || events[event.CallAttempt] != 0 || events[event.RegNew] != all {
		t.Errorf("%d starts and %d failures of %d calls, %d registrations", events[event.CallStart], events[event.CallAttempt], all, events[event.RegNew])
	}
	if st := s.tr.Stats(); st.Evicted[worthCall] < uint64(all-cfg.MaxCalls) || st.Evicted[worthRefreshed] == 0 || st.Bindings < 80 {
		t.Errorf("%v gave way, %d bindings are left", st.Evicted, st.Bindings)
	}
	checkTables(t, s.tr)
	checkEmpty(t, s.tr)
}
