package beater

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/engine"
)

// When what is missing from the capture is told of. docs/metrics.md states them.
const (
	lossEnough = 100              // packets without which a share says nothing
	lossShare  = 0.01             // more than this is missing,
	lossLeast  = 10               // and so many packets
	lossAgain  = 10 * time.Minute // until it is told again, while it lasts
)

// losses looks at what was sent and not captured, though nothing reported it
// (engine.Stats.Loss). look is for one goroutine, the rest for all.
type losses struct {
	share atomic.Uint64 // bits of the last share
	much  atomic.Bool   // it is too much

	unseen, sent, reported uint64 // when the last share was taken
	told                   time.Time
}

// ratio is the share of the last time that enough was sent.
func (l *losses) ratio() float64 { return math.Float64frombits(l.share.Load()) }

// high tells whether too much was missing then.
func (l *losses) high() bool { return l.much.Load() }

// look takes the share since the last one, and gives the line for the log, "" where
// there is nothing to say. bad says whether it is one of loss.
func (l *losses) look(s *engine.Stats, now time.Time) (line string, bad bool) {
	unseen, sent := s.Loss()
	reported := s.Capture.KernelDrops + s.Capture.InterfaceDrops
	missing, of := unseen-min(l.unseen, unseen), sent-min(l.sent, sent)
	if of < lossEnough {
		return "", false
	}
	known := reported - min(l.reported, reported)
	l.unseen, l.sent, l.reported = unseen, sent, reported
	share := float64(missing) / float64(of)
	l.share.Store(math.Float64bits(share))
	if share <= lossShare || missing < lossLeast {
		if l.much.Swap(false) {
			l.told = time.Time{}
			return "the capture misses hardly anything any more", false
		}
		return "", false
	}
	if l.much.Swap(true) && now.Sub(l.told) < lossAgain {
		return "", false
	}
	l.told = now
	why := "kernel and interface report no loss: a mirror port or a switch drops packets, or one direction is not mirrored"
	if known > 0 {
		why = fmt.Sprintf("kernel and interface report %s lost", plural(known, "packet"))
	}
	return fmt.Sprintf("about %.1f %% is missing from the capture: %d of %d packets that others show to have been sent; %s (capture_loss_ratio, docs/metrics.md)",
		share*100, missing, of, why), true
}

// watchLoss tells of what is missing.
func (r *run) watchLoss(s *engine.Stats) {
	line, bad := r.loss.look(s, time.Now())
	switch {
	case bad:
		r.log.Warn(line)
	case line != "":
		r.log.Info(line)
	}
}
