package kpi

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

func TestKinds(t *testing.T) {
	for k := range kind(numKinds) {
		p := k.parts()
		var again kind
		switch {
		case p.code == 0:
			again = kind(int(p.method)<<2 | p.auth<<1 | p.tag)
		case p.class:
			again = answer(codes+p.code/100-1, p.method, p.tag)
		default:
			again = answer(p.code-100, p.method, p.tag)
		}
		if again != k {
			t.Fatalf("kind %d is %+v, which is kind %d", k, p, again)
		}
	}
}

func rows(t *testing.T, c *Counter, q view.MethodQuery) (view.MethodSeries, string) {
	t.Helper()
	s, err := c.Methods(q)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range s.Rows {
		out = append(out, fmt.Sprintf("%s/%s/%d/%d %d", r.Method, r.CSeq, r.Auth, r.ToTag, r.Total))
	}
	return s, strings.Join(out, ", ")
}

func TestMethods(t *testing.T) {
	c := New(DefaultConfig())
	yes, no := true, false
	for i, m := range []*sip.Message{
		message(t, "INVITE", "INVITE"),
		message(t, "INVITE", "INVITE", "Proxy-Authorization: Digest realm=\"x\""),
		message(t, "INVITE", "INVITE", "tag"),
		message(t, "BYE", "BYE", "tag", "Authorization: Digest realm=\"x\""),
		message(t, "KDMQ", "KDMQ"),
		message(t, "407", "INVITE", "tag"),
		message(t, "100", "INVITE"),
		message(t, "200", "INVITE", "tag"),
		message(t, "200", "BYE", "tag"),
		message(t, "481", "BYE", "tag"),
	} {
		c.See(packetAt(at(time.Duration(i)*time.Minute)), m)
	}
	for _, x := range []struct {
		q    view.MethodQuery
		want string
	}{
		{view.MethodQuery{Method: "INVITE"}, "INVITE/INVITE/0/0 1, INVITE/INVITE/0/1 1, INVITE/INVITE/1/0 1"},
		{view.MethodQuery{Method: "invite", Auth: &yes}, "INVITE/INVITE/1/0 1"},
		{view.MethodQuery{Method: "INVITE", ToTag: &no}, "INVITE/INVITE/0/0 1, INVITE/INVITE/1/0 1"},
		{view.MethodQuery{Auth: &yes}, "BYE/BYE/1/1 1, INVITE/INVITE/1/0 1"},
		{view.MethodQuery{Method: "200"}, "200/BYE/0/1 1, 200/INVITE/0/1 1"},
		{view.MethodQuery{Method: "4xx"}, "407/INVITE/0/1 1, 481/BYE/0/1 1"},
		{view.MethodQuery{Method: "4xx", CSeq: "INVITE"}, "407/INVITE/0/1 1"},
		{view.MethodQuery{CSeq: "BYE"}, "200/BYE/0/1 1, 481/BYE/0/1 1, BYE/BYE/1/1 1"},
		{view.MethodQuery{Method: "other"}, "other/other/0/0 1"},
		{view.MethodQuery{Method: "PUBLISH"}, ""},
	} {
		x.q.To = start.Add(10 * time.Minute)
		if _, got := rows(t, c, x.q); got != x.want {
			t.Errorf("%+v:\nhave %s\nwant %s", x.q, got, x.want)
		}
	}
	s, _ := rows(t, c, view.MethodQuery{From: start.Add(90 * time.Second), To: start.Add(8 * time.Minute), Step: 5 * time.Minute})
	if s.Total != 10 || !s.From.Equal(start) || !s.To.Equal(start.Add(10*time.Minute)) || s.Step != "5m" || len(s.Rows[0].Counts) != 2 {
		t.Errorf("%+v", s)
	}
	if s, _ = rows(t, c, view.MethodQuery{From: start.Add(2 * time.Minute), To: start.Add(3 * time.Minute)}); s.Total != 1 {
		t.Errorf("%+v", s)
	}
}

func TestMethodsRefuses(t *testing.T) {
	c := New(DefaultConfig())
	if s, err := c.Methods(view.MethodQuery{}); err != nil || len(s.Rows) != 0 {
		t.Error("nothing was seen:", s, err)
	}
	c.See(packetAt(at(0)), message(t, "INVITE", "INVITE"))
	for _, x := range []struct {
		q    view.MethodQuery
		want string
	}{
		{view.MethodQuery{Method: "INVTE"}, `method: "INVTE" is not allowed; allowed: INVITE, ACK`},
		{view.MethodQuery{Method: "99"}, `method: "99"`},
		{view.MethodQuery{Method: "700"}, `method: "700"`},
		{view.MethodQuery{Method: "7xx"}, `method: "7xx"`},
		{view.MethodQuery{CSeq: "200"}, `cseq: "200" is not allowed; allowed: INVITE`},
		{view.MethodQuery{Step: 90 * time.Second}, "step: 1m30s is not allowed; allowed: whole minutes"},
		{view.MethodQuery{Step: -time.Minute}, "step: -1m0s"},
		{view.MethodQuery{Step: 48 * time.Hour}, "step: 48h0m0s"},
		{view.MethodQuery{From: start, To: start}, "from: 2024-03-01T10:00:00Z is not before to"},
		{view.MethodQuery{From: start.Add(-72 * time.Hour), To: start.Add(-48 * time.Hour)}, "nothing is kept of that time; allowed: from 2024-02-29T10:00:00Z to 2024-03-01T10:00:00Z"},
		{view.MethodQuery{From: start.Add(72 * time.Hour), To: start.Add(80 * time.Hour)}, "nothing is kept"},
	} {
		if _, err := c.Methods(x.q); err == nil || !strings.Contains(err.Error(), x.want) || !strings.Contains(err.Error(), "allowed: ") {
			t.Errorf("%+v: %v, want %s", x.q, err, x.want)
		}
	}
}

// A packet with a time of up to a day ago lands in its own minute; one that is older, or
// far ahead of the clock, is counted and has none.
func TestStepsBack(t *testing.T) {
	c := New(DefaultConfig())
	told := packetAt(at(90 * time.Minute))
	c.Advance(at(0))
	for _, after := range []time.Duration{0, -time.Hour, -24 * time.Hour, -24*time.Hour - 1, -2000 * time.Hour} {
		c.See(packetAt(at(after)), message(t, "INVITE", "INVITE"))
		e := ended(after, 200)
		c.Count(e)
	}
	c.days.message(c.high, told.Time, 0)
	c.days.message(c.high, at(59*time.Minute), 0)
	if d := &c.days; d.messages != 7 || d.late != 2 || d.early != 1 || d.events != 5 || d.eventsLate != 2 {
		t.Errorf("%d messages, %d late, %d early; %d events, %d late", d.messages, d.late, d.early, d.events, d.eventsLate)
	}
	s, _ := rows(t, c, view.MethodQuery{From: start.Add(-25 * time.Hour), To: start.Add(2 * time.Hour), Step: time.Hour})
	if s.Total != 4 || s.Rows[0].Counts[0] != 1 || s.Rows[0].Counts[23] != 1 || s.Rows[0].Counts[24] != 1 {
		t.Errorf("%+v", s)
	}
	e, err := c.EventsOver(start.Add(-24*time.Hour), start.Add(time.Minute), time.Minute)
	if err != nil || e.Total != 3 || e.Rows[0].Type != "call-start" || e.Rows[0].Counts[1440] != 1 {
		t.Errorf("%v %v", e.Total, err)
	}
}

// All that was seen is in the minutes, or is counted as having none.
func TestConservation(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	c := New(DefaultConfig())
	methods := []string{"INVITE", "BYE", "REGISTER", "KDMQ"}
	now, seen, told := time.Duration(0), uint64(0), uint64(0)
	for range 20000 {
		if r.IntN(20) == 0 {
			now += time.Duration(r.IntN(200)) * time.Second
		}
		c.Advance(at(now))
		when, cseq := now, methods[r.IntN(len(methods))]
		if r.IntN(10) == 0 {
			when -= time.Duration(r.IntN(26*3600)) * time.Second
		}
		first := cseq
		if r.IntN(2) == 0 {
			first = fmt.Sprint(100 + r.IntN(600))
		}
		c.See(packetAt(at(when)), message(t, first, cseq))
		seen++
		if r.IntN(5) == 0 {
			c.Count(ended(when, 486))
			told++
		}
	}
	var all, events uint64
	for _, b := range c.days.ring {
		if b == nil {
			continue
		}
		for i := range b.rows {
			for _, n := range b.rows[i] {
				all += uint64(n)
			}
		}
		for i := range b.events {
			for _, n := range b.events[i] {
				events += uint64(n)
			}
		}
	}
	d := &c.days
	if d.messages != seen || d.events != told {
		t.Errorf("%d messages and %d events, counted %d and %d", seen, told, d.messages, d.events)
	}
	// Hours that were older than a day when theirs came are gone, so a query finds less.
	s, _ := rows(t, c, view.MethodQuery{From: start.Add(now - kept + time.Hour), To: start.Add(now + time.Minute), Step: time.Hour})
	if s.Total == 0 || s.Total > all || all+d.late > seen || events+d.eventsLate > told {
		t.Errorf("%d found, %d kept, %d late of %d", s.Total, all, d.late, seen)
	}
	if now < kept && (all+d.late != seen || events+d.eventsLate != told) {
		t.Errorf("%d messages kept and %d late of %d; %d events and %d of %d", all, d.late, seen, events, d.eventsLate, told)
	}
}

// Who sends odd codes and methods fills an hour's table, and nothing is lost: what has no
// row of its own is in that of its class.
func TestOddCodesHaveABound(t *testing.T) {
	c := New(DefaultConfig())
	c.Advance(at(0))
	for k := range kind(numKinds) {
		if !k.parts().class {
			c.days.message(c.high, at(0), k)
		}
	}
	b := c.days.ring[at(0)/int64(time.Hour)%int64(blocks)]
	if len(b.rows) > allRows || len(b.rows) < maxRows {
		t.Errorf("%d rows, at most %d", len(b.rows), allRows)
	}
	s, _ := rows(t, c, view.MethodQuery{To: start.Add(time.Minute)})
	if s.Total != c.days.messages {
		t.Errorf("%d found of %d", s.Total, c.days.messages)
	}
	if s, _ = rows(t, c, view.MethodQuery{Method: "6xx", To: start.Add(time.Minute)}); s.Total != 100*uint64(sip.NumMethods)*2 {
		t.Errorf("%d of class 6xx", s.Total)
	}
	// The next hour is none the worse for it.
	c.Advance(at(26 * time.Hour))
	c.days.message(c.high, at(26*time.Hour), answer(386, sip.MethodInvite, 1))
	if _, got := rows(t, c, view.MethodQuery{To: start.Add(26*time.Hour + time.Minute)}); got != "486/INVITE/0/1 1" {
		t.Error(got)
	}
}

// An answer has no more rows than an hour, though each hour had other odd codes.
func TestSeriesHaveABound(t *testing.T) {
	c := New(DefaultConfig())
	const hours = 12
	c.Advance(at(hours * time.Hour))
	for k := range kind(numKinds) {
		if !k.parts().class {
			c.days.message(c.high, at(time.Duration(int(k)%hours)*time.Hour), k)
		}
	}
	s, _ := rows(t, c, view.MethodQuery{From: start, To: start.Add(hours * time.Hour), Step: time.Hour})
	if s.Total != c.days.messages || len(s.Rows) > allRows || len(s.Rows) < maxRows {
		t.Errorf("%d of %d in %d rows, at most %d", s.Total, c.days.messages, len(s.Rows), allRows)
	}
}

// A full day of every kind there is room for stays within its bound.
func TestMemory(t *testing.T) {
	const most = 16 << 20
	size := blocks * (numKinds*2 + allRows*(int(perHour)*4+2) + int(event.NumTypes)*int(perHour)*4)
	if size > most {
		t.Errorf("a day of messages may take %d bytes, more than %d", size, most)
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	c := New(DefaultConfig())
	c.Advance(at(0))
	m, r, p, e := message(t, "INVITE", "INVITE"), message(t, "200", "REGISTER"), packetAt(at(0)), ended(0, 486)
	if n := testing.AllocsPerRun(100, func() {
		p.Time++
		c.See(p, m)
		c.See(p, r)
		c.Count(e)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
