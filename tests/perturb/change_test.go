package perturb

import (
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// A change damages a capture. make leaves frames as they are and returns others.
type change struct {
	name  string
	seeds int
	make  func(frames []packet.Frame, dice *rand.Rand) []packet.Frame
	judge func(t *testing.T, clean, changed outcome)
}

var changes = []change{
	{"loss=1", 10, lose(0.01), afterLossComplete},
	{"loss=5", 10, lose(0.05), afterLossComplete},
	{"loss=20", 10, lose(0.20), afterLossComplete},
	{"twice=at-once", 1, double(1, 0, 0), asBefore},
	{"twice=soon", 4, double(0.3, time.Millisecond, 90*time.Millisecond), asBeforeSoon},
	{"twice=later", 4, double(0.3, 110*time.Millisecond, 20*time.Second), asBeforeLater},
	{"late=times-kept", 8, delay(50*time.Millisecond, false), asBefore},
	{"late=times-anew", 8, delay(50*time.Millisecond, true), asBefore},
}

// newDice throws the same for the same capture, change and seed.
func newDice(capture, change string, seed int) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(capture + " " + change))
	return rand.New(rand.NewPCG(h.Sum64(), uint64(seed)))
}

// lose drops a part of the packets.
func lose(part float64) func([]packet.Frame, *rand.Rand) []packet.Frame {
	return func(frames []packet.Frame, dice *rand.Rand) (kept []packet.Frame) {
		for _, f := range frames {
			if dice.Float64() >= part {
				kept = append(kept, f)
			}
		}
		return kept
	}
}

// double lets a part of the frames come again on the same place, between from and to
// later.
func double(part float64, from, to time.Duration) func([]packet.Frame, *rand.Rand) []packet.Frame {
	return func(frames []packet.Frame, dice *rand.Rand) []packet.Frame {
		all := slices.Clone(frames)
		for _, f := range frames {
			if dice.Float64() < part {
				f.Time += int64(from) + int64(dice.Float64()*float64(to-from))
				all = append(all, f)
			}
		}
		// Stable, and by the greatest time so far: a clock that steps back in the capture
		// stays where it steps.
		return inOrder(all, len(frames))
	}
}

// inOrder puts the frames behind the first n among these, each behind the last one
// that is not later.
func inOrder(frames []packet.Frame, n int) []packet.Frame {
	type placed struct {
		f  packet.Frame
		at int64
	}
	all := make([]placed, len(frames))
	greatest := int64(0)
	for i, f := range frames {
		if i < n {
			greatest = max(greatest, f.Time)
			all[i] = placed{f, greatest}
		} else {
			all[i] = placed{f, f.Time}
		}
	}
	slices.SortStableFunc(all, func(a, b placed) int { return int(min(max(a.at-b.at, -1), 1)) })
	for i := range all {
		frames[i] = all[i].f
	}
	return frames
}

// delay holds every fifth packet back by up to most, so that others overtake it. With
// anew the times are those of the arrival; else they stay and step back.
func delay(most time.Duration, anew bool) func([]packet.Frame, *rand.Rand) []packet.Frame {
	return func(frames []packet.Frame, dice *rand.Rand) []packet.Frame {
		type placed struct {
			f  packet.Frame
			at int64
		}
		all := make([]placed, len(frames))
		greatest := int64(0)
		for i, f := range frames {
			greatest = max(greatest, f.Time)
			all[i] = placed{f, greatest}
			if dice.Float64() < 0.2 && !opens(f) {
				late := int64(dice.Float64() * float64(most))
				all[i].at += late
				if anew {
					all[i].f.Time += late
				}
			}
		}
		slices.SortStableFunc(all, func(a, b placed) int { return int(min(max(a.at-b.at, -1), 1)) })
		out := make([]packet.Frame, len(all))
		for i := range all {
			out[i] = all[i].f
		}
		return out
	}
}

// opens tells whether a frame opens a TCP connection. These stay in their place: to who
// sees data first, a connection has begun in the middle, and what was sent before is gone.
func opens(f packet.Frame) bool {
	d := packet.New(packet.DefaultConfig())
	return d.Decode(&f) == packet.OK && d.Packet.Flags.Has(packet.SYN)
}

// number is n in decimal.
func number(n uint64) string { return strconv.FormatUint(n, 10) }
