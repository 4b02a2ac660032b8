package track

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// TestLadders plays every ladder of testdata through a tracker.
func TestLadders(t *testing.T) {
	ladders(t, "testdata/*.txtar", func(t *testing.T, l *siptest.Ladder) { siptest.Check(t, l.Want, play(t, l)) })
}

// TestRestart: the same of what is said after the program did not run for a while.
func TestRestart(t *testing.T) {
	ladders(t, "testdata/restart/*.txtar", func(t *testing.T, l *siptest.Ladder) { siptest.Check(t, l.Want, play(t, l)) })
}

// ladders reads ladders and runs each.
func ladders(t *testing.T, pattern string, run func(t *testing.T, l *siptest.Ladder)) {
	t.Helper()
	for _, l := range siptest.Ladders(t, pattern) {
		t.Run(strings.TrimSuffix(filepath.Base(l.Name), ".txtar"), func(t *testing.T) { run(t, l) })
	}
}

// play runs a ladder and returns copies of its events.
func play(t *testing.T, l *siptest.Ladder) []event.Event {
	cfg, how := ladderConfig(t, l)
	tr := New(cfg)
	var all, events []event.Event
	keep := func(got []event.Event) {
		for i := range got {
			all = append(all, event.Event{})
			all[len(all)-1].CopyFrom(&got[i])
		}
		events = got[:0]
	}
	var m sip.Message
	for i := range l.Steps {
		s := &l.Steps[i]
		if s.Restart {
			tr = takeUp(t, cfg, shoot(tr), s.Time)
		}
		keep(tr.Advance(events, s.Time))
		if s.Payload == nil {
			continue
		}
		p := packet.Packet{Time: s.Time, Src: s.Src, Dst: s.Dst, Transport: packet.UDP, Payload: s.Payload}
		if s.HEP != "" {
			p.HEP.Version, p.HEP.Type, p.HEP.CorrelationID = 3, 1, []byte(s.HEP)
		}
		if m.Parse(s.Payload, false) != sip.OK {
			keep(tr.Unusable(events, &p, &m))
			continue
		}
		keep(tr.See(events, &p, &m))
	}
	keep(tr.Flush(events, how))
	checkTables(t, tr)
	checkEmpty(t, tr)
	return all
}

// checkEmpty lets the longest timers run out, after which nothing may be left.
func checkEmpty(t *testing.T, tr *Tracker) {
	t.Helper()
	now := tr.now
	for _, after := range []time.Duration{time.Minute, 10 * time.Minute, 13 * time.Hour, 40 * time.Hour, 80 * time.Hour} {
		tr.Advance(nil, now+int64(after))
	}
	left(t, tr)
}

// left reports what is left.
func left(t *testing.T, tr *Tracker) {
	t.Helper()
	s := tr.Stats()
	for what, n := range map[string]int{
		"entries": int(s.Entries), "bytes": int(s.Bytes), "bindings": int(s.Bindings), "AORs": int(s.AORs),
		"bytes of bindings": int(tr.regs.bytes), "user agents": len(tr.regs.agents), "refreshed bindings": tr.regs.refreshed, "calls up": tr.calls.up, "call sets": len(tr.calls.sets), "clients": len(tr.auth.clients),
		"holds": len(tr.auth.holds), "bad messages": len(tr.bads), "answers to them": len(tr.replies), "timers": tr.wheel.count,
		"listed calls": tr.lists.calls.count, "listed bindings": tr.lists.bindings.count, "blocks": len(tr.lists.calls.blocks) + len(tr.lists.bindings.blocks),
	} {
		if n != 0 {
			t.Errorf("after the longest timer %d %s are left", n, what)
		}
	}
}

// checkTables holds the tables of a tracker against each other.
func checkTables(t *testing.T, tr *Tracker) {
	t.Helper()
	entries := len(tr.auth.clients)
	for _, s := range tr.calls.sets {
		entries += len(s.attempts.items) + len(s.dialogs.items) + len(s.requests.items)
		if s.subs != nil {
			entries += len(s.subs.items)
		}
	}
	if n := tr.stats; n.Requests != n.New+n.RequestsAgain+n.Hops+n.Satellites {
		t.Errorf("%d requests: %d new, %d again, %d hops, %d ACK and CANCEL", n.Requests, n.New, n.RequestsAgain, n.Hops, n.Satellites)
	}
	up, attempts, requests := 0, 0, 0
	for _, s := range tr.calls.sets {
		attempts += len(s.attempts.items)
		requests += len(s.requests.items)
		for _, d := range s.dialogs.items {
			if d.up {
				up++
			}
			if d.rec != nil {
				t.Error("a record is not packed")
			}
		}
	}
	if up != tr.calls.up {
		t.Errorf("%d calls are up, %d are counted", up, tr.calls.up)
	}
	if attempts != tr.calls.attempts || requests != tr.calls.requests {
		t.Errorf("%d attempts and %d requests, %d and %d are counted", attempts, requests, tr.calls.attempts, tr.calls.requests)
	}
	checkLists(t, tr)
	waiting := 0 // answers, found by one key or two
	for _, all := range tr.replies {
		waiting += len(all)
	}
	if free := tr.calls.entries - entries; free < 0 || free > len(tr.auth.holds)+len(tr.bads)+waiting {
		t.Errorf("%d entries are counted, %d are there", tr.calls.entries, entries)
	}
	for m := range tr.stats.Unexpected {
		for s := range tr.stats.Unexpected[m] {
			for y, n := range tr.stats.Unexpected[m][s] {
				if n > 0 {
					mm := machines[m]
					t.Errorf("%s: in state %s, %s is not in the table", mm.name, mm.states[s], mm.symbols[y])
				}
			}
		}
	}
}

func ladderConfig(t *testing.T, l *siptest.Ladder) (Config, Flush) {
	cfg, how := DefaultConfig(), FlushPending
	for k, v := range l.Config {
		d, _ := time.ParseDuration(v)
		n, _ := strconv.Atoi(v)
		switch k {
		case "end":
			how = map[string]Flush{"pending": FlushPending, "all": FlushAll, "none": FlushNone}[v]
		case "auth_linger":
			cfg.AuthLinger = d
		case "retry_linger":
			cfg.RetryLinger = d
		case "reg_exp_delta":
			cfg.RegExpDelta = d
		case "reg_del_delay":
			cfg.RegDelDelay = d
		case "established":
			cfg.Established = d
		case "warmup":
			cfg.Warmup = d
		case "headers":
			cfg.Headers = strings.Fields(v)
		case "contact_ignore_port":
			cfg.ContactIgnorePort = v == "true"
		case "auth_failed_codes":
			cfg.AuthFailedCodes = append(cfg.AuthFailedCodes, AuthFailedCode{Code: n, All: true})
		case "call_alive_interval":
			cfg.Alive = d
		case "correlation_headers":
			cfg.CorrelationHeaders = strings.Fields(v)
		case "calls_max_entries":
			cfg.MaxCalls = n
		case "regs_max_entries":
			cfg.MaxRegs = n
		default:
			t.Fatalf("config: no key %q", k)
		}
	}
	return cfg, how
}
