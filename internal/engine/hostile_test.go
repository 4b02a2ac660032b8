package engine

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// TestDamaged: whatever happens to frames on their way (bytes changed, cut, twice, in
// another order, at another time), in whatever carried them, nothing fails, and
// everything is counted.
func TestDamaged(t *testing.T) {
	ladders := siptest.Ladders(t, "../track/testdata/*.txtar")
	carriers := slices.Concat(siptest.StreamCarriers, siptest.HEPStreamCarriers)
	for _, c := range siptest.Carriers {
		carriers = append(carriers, siptest.StreamCarrier{Name: c.Name, Wrap: func(plain []packet.Frame) (all []packet.Frame) {
			for _, f := range plain {
				all = append(all, c.Wrap(f)...)
			}
			return all
		}})
	}
	cfg := DefaultConfig()
	cfg.KeepaliveProbes = true
	cfg.Stream.MaxStreams, cfg.Stream.MaxMessage, cfg.Packet.FragmentMax = 16, 4096, 16
	for i, c := range carriers {
		for n := range 10 {
			l := ladders[(10*i+n)*7%len(ladders)]
			r := rand.New(rand.NewPCG(uint64(i), uint64(n)))
			cfg.Fault = func(f *packet.Frame, cause any) {
				t.Errorf("%s by %s: %v\n%x", filepath.Base(l.Name), c.Name, cause, f.Data)
			}
			if _, s := run(t, cfg, &frames{all: damaged(r, c.Wrap(ladder(l)))}); t.Failed() || s.Faults > 0 {
				t.Fatalf("%s by %s, %d", filepath.Base(l.Name), c.Name, n)
			}
		}
	}
}

// damaged copies frames, of which every second or fewer are not as they were.
func damaged(r *rand.Rand, in []packet.Frame) (all []packet.Frame) {
	often := 2 + r.IntN(20)
	for _, f := range in {
		f.Data = slices.Clone(f.Data)
		if r.IntN(often) == 0 {
			switch r.IntN(8) {
			case 0:
				f.Data = f.Data[:r.IntN(len(f.Data))]
			case 1:
				f.Data = f.Data[:r.IntN(len(f.Data))]
				f.Wire = len(f.Data)
			case 2:
				f.Time += r.Int64N(int64(4*time.Hour)) - int64(2*time.Hour)
			case 3:
				all = append(all, f)
			case 4:
				if n := len(all); n > 0 {
					i := r.IntN(n)
					f, all[i] = all[i], f
				}
			case 5:
				copy(f.Data[r.IntN(len(f.Data)):], "\xff\xff\xff\xff"[:1+r.IntN(4)])
			default:
				for range 1 + r.IntN(6) {
					f.Data[r.IntN(min(len(f.Data), 1+r.IntN(len(f.Data))))] = byte(r.Uint32())
				}
			}
		}
		all = append(all, f)
	}
	return all
}
