package beater

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/dump"
	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/limit"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/qos"
	"github.com/sipcmbeat/sipcmbeat/internal/track"
)

// status writes the line that a live capture leaves every minute.
func (r *run) status() {
	if !r.live || !r.reading {
		return
	}
	s, each := r.engine.Inputs()
	r.watchLoss(&s)
	line := r.line(&s)
	r.log.Infof("since the start: %s%s", line, perInput(each))
	in, _, _ := strings.Cut(line, ";")
	r.notify.say("STATUS=" + in + ", " + plural(r.ledger.acked.Load(), "event") + " delivered")
	if r.relayed() != nil {
		s := r.out.relay.Stats()
		r.log.Info(relayLine(&s, false))
	}
}

// summary writes the last line of a capture, and says when the counters do not
// agree.
func (r *run) summary() {
	s, each := r.engine.Inputs()
	r.watchLoss(&s)
	how := ""
	if !r.live && r.engine.Unread() {
		how = ", before the end of the files"
	}
	r.log.Infof("capture ended after %v%s; %s%s", time.Since(r.began).Round(time.Millisecond), how, r.line(&s), perInput(each))
	written := r.dumped()
	for _, err := range []error{s.Check(), written.Check()} {
		if err != nil {
			r.log.Error(err)
		}
	}
}

// moves are what counts up as long as a file run goes on.
type moves struct{ frames, accepted, added, acked, sent uint64 }

// progress says of a file run that has not gone on during that time what it waits for,
// and again every minute. It goes on by itself when that is mended.
func (r *run) progress(during time.Duration) {
	if r.live {
		return
	}
	now := moves{r.frames(), r.sent(), r.ledger.added.Load(), r.ledger.done(), r.metrics.sent()}
	before := r.moved
	r.moved = now
	if now != before {
		r.stuck = 0
		return
	}
	r.stuck += during
	if r.stuck != during && r.stuck%time.Minute != 0 {
		return
	}
	if what := r.waitsFor(now); what != "" {
		line := fmt.Sprintf("no progress for %v: %s", r.stuck, what)
		r.log.Warn(line)
		r.told.Stuck(line)
	}
}

// frames is how many frames were read.
func (r *run) frames() (sum uint64) {
	for _, in := range r.inputs {
		sum += in.Source.Stats().Frames
	}
	return sum
}

// waitsFor names what a file run waits for, "" when that is its input or a signal.
func (r *run) waitsFor(now moves) string {
	left := now.accepted - min(now.acked, now.accepted)
	switch {
	case r.disk != nil && left > 0:
		return fmt.Sprintf("%s wait for the queue on disk (queue.disk), which takes no more; the disk may be full, "+
			"or the output slow and queue.disk.max_size reached", plural(left, "event"))
	case r.disk != nil && r.disk.holds():
		return "the output does not take what is in the queue on disk (queue.disk); the log says why"
	case left > 0:
		return fmt.Sprintf("%s wait for the output; the log says why", plural(left, "event"))
	}
	return ""
}

// line is the state of a run in one line: what came in, what went out, what was
// lost and why. What is zero is left out.
func (r *run) line(s *engine.Stats) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s", plural(s.Frames, "frame"), plural(s.Datagrams[engine.Message]+s.Units[engine.Message], "message"))
	if n := s.Events[event.Message]; n > 0 {
		fmt.Fprintf(&b, "; %s", plural(n, "record")+" of messages")
	}
	counts(&b, "; events: ", event.NumTypes, func(i int) (string, uint64) {
		if t := event.Type(i); t != event.Message {
			return t.String(), s.Events[i]
		}
		return "", 0
	})
	for _, why := range []struct {
		fate  limit.Fate
		title string
	}{{limit.HeldType, "event_types_blst"}, {limit.HeldRate, "evr_limits"}, {limit.HeldSource, "the source blacklist"}} {
		counts(&b, "; held back by "+why.title+": ", event.NumTypes, func(i int) (string, uint64) {
			return event.Type(i).String(), s.Limit.Fates[i][why.fate]
		})
	}
	counts(&b, "; not followed: ", engine.NumFates, func(i int) (string, uint64) {
		if f := engine.Fate(i); f != engine.Message && f != engine.Segment {
			return f.String(), s.Datagrams[i] + s.Units[i]
		}
		return "", 0
	})
	counts(&b, "; frames without a datagram: ", packet.NumDrops, func(i int) (string, uint64) {
		if d := packet.Drop(i); d != packet.OK {
			return d.String(), s.Drops[i]
		}
		return "", 0
	})
	reports := s.Track.Reports
	counts(&b, "; quality reports: ", track.NumReports, func(i int) (string, uint64) { return track.ReportFate(i).String(), reports[i] })
	counts(&b, "; quality reports not used: ", qos.NumOutcomes, func(i int) (string, uint64) {
		if o := qos.Outcome(i); o != qos.OK {
			return o.String(), s.Quality[i]
		}
		return "", 0
	})
	state := r.kept()
	b.WriteString(r.stateLine(state))
	written := r.dumped()
	if written.Files > 0 {
		fmt.Fprintf(&b, "; pcap_dump: %s in %s", plural(written.Written, "message"), plural(written.Files, "file"))
	}
	if tls := &s.Stream; tls.TLSConnections > 0 {
		counts(&b, "; can't be read: TLS: ", len(tls.TLS), func(i int) (string, uint64) {
			return "connections to " + r.sayEnd(tls.TLS[i].Addr), tls.TLS[i].Connections
		})
	}
	losses := r.lossesOf(s, &written, &state)
	counts(&b, "; lost: ", len(losses), func(i int) (string, uint64) { return losses[i].what, losses[i].n })
	evicted := s.Track.Evicted
	counts(&b, "; gave way for want of memory (calls_max_*, regs_max_*): ", len(evicted), func(i int) (string, uint64) { return track.EvictedWords[i], evicted[i] })
	if r.live {
		fmt.Fprintf(&b, "; in memory: %d calls and transactions, %s, %d MiB",
			s.Track.Entries, plural(uint64(s.Track.Bindings), "binding"), s.Track.Bytes>>20)
		if n := r.ring.waiting(); n > 0 {
			fmt.Fprintf(&b, "; %s waiting for the output", plural(uint64(n), "event"))
		}
	}
	return b.String()
}

// lossesOf are the counters of what is gone.
func (r *run) lossesOf(s *engine.Stats, written *dump.Stats, state *engine.KeeperStats) []loss {
	return []loss{
		{"packets by the kernel (pcap_buf_kb, buffer_kb)", s.Capture.KernelDrops},
		{"packets by the interface", s.Capture.InterfaceDrops},
		{"times an interface that went away", s.Capture.Outages},
		{"packets and connections of senders that are not allowed", s.Capture.Refused},
		{"HEP packets with a wrong key", s.Capture.WrongKey},
		{"connections beyond max_connections", s.Capture.Surplus},
		{"connections that did not carry HEP to the end", s.Capture.Broken},
		{"bytes of TCP that were not captured", s.Stream.HoleBytes},
		{"frames by a fault of this program", s.Faults},
		{"events by the full queue (event_buffer_size)", total(&r.ring.dropped) - r.ring.dropped[event.Message].Load()},
		{"records of messages by the full queue (event_buffer_size)", r.ring.dropped[event.Message].Load()},
		{"records of indicators, which waited for the output", r.windows.lost()},
		{"events by the output", r.metrics.dropped()},
		{"messages for capture files by the full queue (pcap_dump.queue_size)", written.Dropped},
		{"messages for capture files by pcap_dump.max_file", written.Full},
		{"messages for capture files by the disk", written.Unwritten},
		{"messages for capture files that had been deleted", written.Deleted},
		{"capture files by the full queue (pcap_dump.queue_size)", written.Refused},
		{"times the state could not be written (state.path)", state.Failed},
	}
}

// dumped is what became of the messages for files of single calls.
func (r *run) dumped() dump.Stats {
	if r.dump == nil {
		return dump.Stats{}
	}
	return r.dump.Stats()
}

// perInput is what came from where, "" for a single input: workers of an interface
// are one.
func perInput(each []engine.InputStats) string {
	var merged []engine.InputStats
	for _, s := range each {
		if n := len(merged) - 1; n >= 0 && merged[n].Name == s.Name && s.Live {
			merged[n].Add(&s.Stats)
			merged[n].Ended = merged[n].Ended && s.Ended
			continue
		}
		merged = append(merged, s)
	}
	if len(merged) < 2 {
		return ""
	}
	var b strings.Builder
	for i := range merged {
		s := &merged[i]
		fmt.Fprintf(&b, "; from %s: %s, %s", s.Name, plural(s.Frames, "frame"), plural(s.Datagrams[engine.Message]+s.Units[engine.Message], "message"))
		if n := s.Datagrams[engine.MirrorDuplicate]; n > 0 {
			fmt.Fprintf(&b, ", %s", plural(n, "mirror duplicate"))
		}
		if n := s.Capture.KernelDrops + s.Capture.InterfaceDrops; n > 0 {
			fmt.Fprintf(&b, ", %d lost", n)
		}
		if s.Live && s.Ended {
			b.WriteString(", ended")
		}
	}
	return b.String()
}

// loss is a counter of what is gone.
type loss struct {
	what string
	n    uint64
}

// counts writes those of n counters that are not zero behind a title.
func counts[N int | engine.Fate | event.Type | track.ReportFate | qos.Outcome](b *strings.Builder, title string, n N, at func(i int) (string, uint64)) {
	first := true
	for i := range int(n) {
		name, count := at(i)
		if count == 0 {
			continue
		}
		if first {
			b.WriteString(title)
		} else {
			b.WriteString(", ")
		}
		fmt.Fprintf(b, "%d %s", count, name)
		first = false
	}
}

func total(counters *[event.NumTypes]atomic.Uint64) (sum uint64) {
	for i := range counters {
		sum += counters[i].Load()
	}
	return sum
}

// unjoin takes errors.Join apart.
func unjoin(err error) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	return []error{err}
}

// shown is how many errors the last line tells one by one.
const shown = 3

// oneLine is err on one line: the log has had all of them.
func oneLine(err error) error {
	all := unjoin(err)
	if len(all) <= shown {
		return joinLine(all)
	}
	return fmt.Errorf("%w; and %d more, see the log", joinLine(all[:shown]), len(all)-shown)
}

// joinLine joins errors on one line.
func joinLine(all []error) error {
	if len(all) == 0 {
		return nil
	}
	err := all[0]
	for _, next := range all[1:] {
		err = fmt.Errorf("%w; %w", err, next)
	}
	return err
}
