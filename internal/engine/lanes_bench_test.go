package engine

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// shared hands out a load to several lanes, a request and its answer to the same one,
// as fan-out does.
type shared struct {
	load []packet.Frame
	turn *atomic.Int64
	last int64
	half int64
	buf  []byte
}

func (s *shared) Next(f *packet.Frame) error {
	if s.half++; s.half&1 == 0 {
		s.last = s.turn.Add(2)
	}
	n := s.last + s.half&1
	if n >= int64(len(s.load)) {
		return io.EOF
	}
	*f = s.load[n]
	s.buf = append(s.buf[:0], f.Data...)
	f.Data = s.buf
	return nil
}

func (s *shared) Name() string         { return "eth0" }
func (s *shared) Stats() capture.Stats { return capture.Stats{} }
func (s *shared) Close() error         { return nil }

// BenchmarkLanes is what workers of an interface cost and gain: the time a message,
// over all lanes.
func BenchmarkLanes(b *testing.B) {
	for _, lanes := range []int{1, 2, 4} {
		b.Run(fmt.Sprint(lanes), func(b *testing.B) {
			load := make([]packet.Frame, 0, b.N+2)
			for i := 0; len(load) < b.N; i++ {
				at := time.Duration(i) * 100 * time.Microsecond
				id := fmt.Sprintf("Call-ID: %d", i)
				load = append(load, udp(at, "192.0.2.1:5060", "192.0.2.2:5060", strings.Replace(options, "Call-ID: x", id, 1)),
					udp(at+1e3, "192.0.2.2:5060", "192.0.2.1:5060", strings.Replace(answer, "Call-ID: x", id, 1)))
			}
			var turn atomic.Int64
			turn.Store(-2)
			var inputs []Input
			for range lanes {
				inputs = append(inputs, Input{Source: &shared{load: load, turn: &turn, half: -1}, Live: true})
			}
			e := New(DefaultConfig(), inputs, discard{})
			b.ReportAllocs()
			b.ResetTimer()
			e.Run(context.Background())
			b.StopTimer()
			s := e.Stats()
			if err := s.Check(); err != nil || s.Frames != uint64(len(load)) {
				b.Fatalf("%v, %d frames of %d", err, s.Frames, len(load))
			}
		})
	}
}
