package capture

import (
	"io"
	"os"
	"sync"
	"time"
)

// A pump reads what may keep its reader waiting (a pipe, a named pipe, a terminal)
// in a goroutine of its own, so that who reads from the pump can be told to stop
// and knows when there is nothing to read. Two chunks are on the way at most.
//
// A read that waits can not be taken back everywhere: the goroutine of a pump that
// was stopped ends when the system lets it go, and holds nothing but its chunks.
type pump struct {
	idle func() // may be nil
	full chan chunk
	free chan []byte
	done chan struct{} // closed by stop

	mu      sync.Mutex
	file    *os.File // to be closed; nil for standard input
	stopped bool

	// For the goroutine that reads from the pump.
	buf, left []byte // the chunk in work, and what of it was not read yet
	err       error
	told      time.Time // when idle was last called
}

// chunk is what one read gave.
type chunk struct {
	buf []byte
	n   int
	err error
}

const (
	chunkSize = 64 << 10
	tellIdle  = 200 * time.Millisecond
)

// newPump starts to read in, or opens and reads the file where in is nil.
func newPump(idle func(), path string, in io.Reader) *pump {
	p := &pump{idle: idle, full: make(chan chunk, 1), free: make(chan []byte, 2), done: make(chan struct{}), told: time.Now()}
	p.free <- make([]byte, chunkSize)
	p.free <- make([]byte, chunkSize)
	go p.run(path, in)
	return p
}

func (p *pump) run(path string, in io.Reader) {
	if in == nil {
		f, err := os.Open(path) // a named pipe waits here for who writes
		if err != nil || !p.own(f) {
			p.give(chunk{err: err})
			return
		}
		in = f
	}
	for {
		var b []byte
		select {
		case b = <-p.free:
		case <-p.done:
			return
		}
		n, err := in.Read(b)
		if !p.give(chunk{b, n, err}) || err != nil {
			return
		}
	}
}

func (p *pump) give(c chunk) bool {
	select {
	case p.full <- c:
		return true
	case <-p.done:
		return false
	}
}

// own takes over a file that was opened, to close it with the pump, unless that is
// stopped by now.
func (p *pump) own(f *os.File) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		f.Close()
		return false
	}
	p.file = f
	return true
}

// Read implements io.Reader. It gives io.EOF once the pump is stopped.
func (p *pump) Read(b []byte) (int, error) {
	for len(p.left) == 0 {
		if p.buf != nil {
			p.free <- p.buf // there is room: two go round
			p.buf = nil
		}
		if p.err != nil {
			return 0, p.err
		}
		c, ok := p.take()
		if !ok {
			return 0, io.EOF
		}
		p.buf, p.left, p.err = c.buf, c.buf[:c.n], c.err
	}
	n := copy(b, p.left)
	p.left = p.left[n:]
	return n, nil
}

// take waits for a chunk, and says before that it will.
func (p *pump) take() (c chunk, ok bool) {
	select {
	case <-p.done:
		return c, false
	case c = <-p.full:
		if time.Since(p.told) >= tellIdle {
			p.tell()
		}
		return c, true
	default:
	}
	p.tell()
	select {
	case <-p.done:
		return c, false
	case c = <-p.full:
		return c, true
	}
}

func (p *pump) tell() {
	if p.idle != nil {
		p.idle()
	}
	p.told = time.Now()
}

// stop ends reads from the pump, also one that waits. It is called once.
func (p *pump) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	close(p.done)
	if p.file != nil {
		p.file.Close() // it was only read
	}
}
