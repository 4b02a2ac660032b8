package beater

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/relay"
)

// output is the HEP output of a run: it starts before the lane and ends after it.
type output struct {
	relay  *relay.Relay
	ended  chan struct{} // closed when the workers have ended
	over   bool          // ended was seen
	cancel context.CancelFunc
	notice notices
}

// startRelay makes the HEP output, where there is one.
func (r *run) startRelay() {
	if len(r.cfg.Relay.Targets) == 0 {
		return
	}
	o := &output{ended: make(chan struct{})}
	if !isTrue(r.cfg.Keys.HEPOutput.Clear) {
		r.cfg.Relay.Mask = func() relay.Mask {
			if by := r.rewriter(); by != nil {
				return by
			}
			return nil
		}
	}
	o.relay = relay.New(r.cfg.Relay, func(target string, err error) {
		if n, ok := o.notice.say(target, time.Now()); ok && err != nil {
			r.log.Warnf("HEP output to %s is interrupted: %v%s", target, err, n)
		} else if ok {
			r.log.Infof("HEP output to %s goes on%s", target, n)
		}
	})
	r.cfg.Engine.Copy = o.relay.Copy
	r.out = o
	o.relay.Start()
}

// drainRelay lets the HEP output send what waits, for at most shutdown_timeout. The
// lane has ended.
func (r *run) drainRelay() {
	if r.out == nil || r.out.cancel != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.now().ShutdownTimeout)
	r.out.cancel = cancel
	go func() {
		r.out.relay.Close(ctx)
		close(r.out.ended)
	}()
}

// relayed is closed when the HEP output has ended; nil, which blocks, when there is
// nothing to wait for.
func (r *run) relayed() <-chan struct{} {
	if r.out == nil || r.out.over {
		return nil
	}
	return r.out.ended
}

// endRelay stops the HEP output now, and says what it did.
func (r *run) endRelay() {
	if r.out == nil {
		return
	}
	r.drainRelay()
	r.out.cancel()
	<-r.out.ended
	r.out.over = true
	s := r.out.relay.Stats()
	r.log.Info(relayLine(&s, true))
	if err := s.Check(); err != nil && !r.reading {
		r.log.Error(err)
	}
}

// relayLine is what the HEP output did, in one line; what is zero is left out. What
// waits when it has ended is lost.
func relayLine(s *relay.Stats, ended bool) string {
	waiting := "waiting"
	if ended {
		waiting = "lost at the end"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "HEP output: %s seen", plural(s.Seen, "message"))
	all := []loss{{"not wanted", s.Filtered}, {"own, seen again", s.Returned}}
	counts(&b, ", of them ", len(all), func(i int) (string, uint64) { return all[i].what, all[i].n })
	for i := range s.Targets {
		t := &s.Targets[i]
		fmt.Fprintf(&b, "; to %s %d sent", t.Addr, t.Sent)
		all := []loss{
			{waiting, t.Waiting},
			{"lost by the full buffer (hep_output.buffer)", t.Full},
			{"too long", t.TooLong},
			{"refused", t.Failed},
			{"sent again", t.Retried},
		}
		counts(&b, ", ", len(all), func(i int) (string, uint64) { return all[i].what, all[i].n })
	}
	return b.String()
}

// notices lets two lines about a target through a minute: that it is interrupted, and
// that it goes on.
type notices struct {
	mu      sync.Mutex
	targets map[string]*noticed
}

type noticed struct {
	since time.Time // of the present minute
	said  int       // in it
	held  int       // since the last one that was said
}

// say tells whether to log now, and how many lines were held back before.
func (n *notices) say(target string, now time.Time) (held string, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.targets == nil {
		n.targets = map[string]*noticed{}
	}
	t := n.targets[target]
	if t == nil {
		t = &noticed{}
		n.targets[target] = t
	}
	if now.Sub(t.since) >= time.Minute {
		t.since, t.said = now, 0
	}
	if t.said == 2 {
		t.held++
		return "", false
	}
	t.said++
	if t.held > 0 {
		held = fmt.Sprintf(" (%d times more since the last line)", t.held)
		t.held = 0
	}
	return held, true
}
