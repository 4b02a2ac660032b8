package cmd

import (
	"fmt"
	"os"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
)

// frameHead is what a capture file holds for a frame besides its bytes, about.
const frameHead = 16

// progress says on standard error how far the reading is, when that is a terminal
// and standard output another place. It gives the function that ends it.
func (r *replay) progress(src capture.Source) (stop func()) {
	if !isatty.IsTerminal(r.stderr.Fd()) || isatty.IsTerminal(r.stdout.Fd()) {
		return func() {}
	}
	size := sizeOf(r.cfg.Files.Paths)
	began, quit, gone := time.Now(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				fmt.Fprint(r.stderr, "\r\x1b[K")
				return
			case <-tick.C:
				fmt.Fprintf(r.stderr, "\r%s\x1b[K", progressLine(src.Stats(), size, time.Since(began)))
			}
		}
	}()
	return func() { close(quit); <-gone }
}

func progressLine(s capture.Stats, size int64, took time.Duration) string {
	line := fmt.Sprintf("%s frames, %s/s", count(s.Frames), count(uint64(float64(s.Frames)/max(took.Seconds(), 0.001))))
	if size > 0 {
		line += fmt.Sprintf(", %d%%", min(99, (s.Bytes+frameHead*s.Frames)*100/uint64(size)))
	}
	return line
}

// sizeOf adds the files' sizes up, 0 when one of them tells nothing: standard
// input, a pattern, a compressed file.
func sizeOf(paths []string) (sum int64) {
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() || compressed(path) {
			return 0
		}
		sum += info.Size()
	}
	return sum
}

func compressed(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var magic [2]byte
	_, err = f.Read(magic[:])
	return err == nil && magic == [2]byte{0x1f, 0x8b}
}

// count writes a number in three digits.
func count(n uint64) string {
	switch {
	case n >= 10e6:
		return fmt.Sprintf("%dM", n/1e6)
	case n >= 1e6:
		return fmt.Sprintf("%.1fM", float64(n)/1e6)
	case n >= 10e3:
		return fmt.Sprintf("%dk", n/1e3)
	}
	return fmt.Sprint(n)
}
