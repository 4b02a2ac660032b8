package capture

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// FilesConfig says which files to read, and how fast.
type FilesConfig struct {
	// Paths are files, patterns ("*.pcap"), or "-" for standard input, read in this
	// order; the matches of one pattern by name.
	Paths []string `config:"pcap,replace"`

	// Loop is how often to read them all: 0 and 1 are once, -1 is for ever. Times are
	// those of the file in each turn.
	Loop int `config:"pcap_loop"`

	// RealTime waits between frames as long as the capture says, times Scale (0 is 1),
	// at least MinDelay and, unless it is 0, at most MaxDelay. The first frame of a
	// file comes at once: the time between two files is no part of either.
	RealTime bool          `config:"replay"`
	Scale    float64       `config:"replay_scale"`
	MinDelay time.Duration `config:"replay_min_delay"`
	MaxDelay time.Duration `config:"replay_max_delay"`

	// Source is the Frame.Source of the first interface of each file; pcapng counts on
	// from there.
	Source uint32 `config:",ignore"`

	// Stdin is what "-" reads; nil is os.Stdin.
	Stdin io.Reader `config:",ignore"`

	// Idle, when set, is called by the goroutine that calls Next before Next waits,
	// and, while a source that is no regular file gives more, at least every 200 ms:
	// who holds something back for a while lets it go then.
	Idle func() `config:",ignore"`
}

// DefaultFilesConfig reads once, at full speed.
func DefaultFilesConfig() FilesConfig { return FilesConfig{Loop: 1, Scale: 1} }

// Validate names the first key that is wrong, and what is allowed.
func (c FilesConfig) Validate() error {
	if err := c.ValidatePace(); err != nil {
		return err
	}
	stdin := 0
	for _, p := range c.Paths {
		if p == "" {
			return errors.New(`pcap: "" is not allowed; allowed: a file, a pattern, or - for standard input`)
		}
		if p == stdinPath {
			stdin++
		}
	}
	switch {
	case len(c.Paths) == 0:
		return errors.New("pcap: no file is given")
	case stdin > 1:
		return errors.New("pcap: - (standard input) can be read only once")
	case stdin > 0 && c.Loop != 0 && c.Loop != 1:
		return fmt.Errorf("pcap_loop: %d is not allowed with - (standard input), which can be read only once", c.Loop)
	}
	return nil
}

// ValidatePace looks at what does not depend on the paths: how often and how fast.
func (c FilesConfig) ValidatePace() error {
	switch {
	case c.Loop < -1:
		return fmt.Errorf("pcap_loop: %d is not allowed; allowed: how often, 0 (once), -1 for ever", c.Loop)
	case !(c.Scale >= 0 && c.Scale <= 1e6): // also no NaN
		return fmt.Errorf("replay_scale: %v is not allowed; allowed: above 0 to 1e6, 0 (as 1)", c.Scale)
	case c.MinDelay < 0:
		return fmt.Errorf("replay_min_delay: %v is not allowed; allowed: 0 and above", c.MinDelay)
	case c.MaxDelay < 0:
		return fmt.Errorf("replay_max_delay: %v is not allowed; allowed: 0 (no limit) and above", c.MaxDelay)
	case c.MaxDelay > 0 && c.MinDelay > c.MaxDelay:
		return fmt.Errorf("replay_min_delay: %v is more than replay_max_delay, %v", c.MinDelay, c.MaxDelay)
	}
	return nil
}

const stdinPath = "-"

// Files reads capture files, one after the other. After damage the frames before
// it have been delivered; Next gives the error once and goes on with the next
// file.
type Files struct {
	cfg   FilesConfig
	paths []string // without patterns
	turn  int
	index int // of the next file
	name  string
	read  bool // whether this turn gave a frame

	plain  *bufio.Reader // of the file
	zipped *bufio.Reader // of what is unpacked from it
	unzip  gzip.Reader
	pcap   pcap
	ng     pcapng
	now    format // nil between files

	paced bool // whether last and due are those of this file
	last  int64
	due   time.Time
	timer *time.Timer

	frames, bytes atomic.Uint64

	mu     sync.Mutex
	file   *os.File // being read, if it is a regular one
	pump   *pump    // being read otherwise
	closed bool
	quit   chan struct{}
}

// NewFiles resolves the patterns and looks whether all files are there. It reads
// nothing yet.
func NewFiles(cfg FilesConfig) (*Files, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Scale == 0 {
		cfg.Scale = 1
	}
	s := &Files{cfg: cfg, quit: make(chan struct{})}
	for _, p := range cfg.Paths {
		paths, err := expand(p)
		if err != nil {
			return nil, err
		}
		s.paths = append(s.paths, paths...)
	}
	s.name = s.paths[0]
	s.plain = bufio.NewReaderSize(nil, bufferSize)
	return s, nil
}

// expand gives the files that a path or pattern stands for. A file whose name
// looks like a pattern is taken as it is.
func expand(path string) ([]string, error) {
	if path == stdinPath {
		return []string{path}, nil
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("open capture %q: is a directory; name files or a pattern such as %q", path, filepath.Join(path, "*.pcap"))
	case err == nil:
		return []string{path}, nil
	case !strings.ContainsAny(path, `*?[`):
		return nil, openError(path, err)
	}
	matches, err := filepath.Glob(path) // sorted
	if err != nil {
		return nil, fmt.Errorf("open capture %q: %w", path, err)
	}
	files := matches[:0]
	for _, m := range matches {
		if info, err := os.Stat(m); err != nil || !info.IsDir() {
			files = append(files, m)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("open capture %q: no file matches", path)
	}
	return files, nil
}

// openError leaves out what the file system repeats: operation and path.
func openError(path string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("open capture %q: %w", path, err)
}

// Next implements Source.
func (s *Files) Next(f *packet.Frame) error {
	for {
		if s.now == nil {
			if err := s.open(); err != nil {
				return err
			}
		}
		f.Source = s.cfg.Source
		err := s.now.next(f)
		if err != nil {
			s.now = nil
			if s.shut() {
				return io.EOF
			}
			if err != io.EOF {
				return fmt.Errorf("read capture %q: %w", s.name, err)
			}
			continue
		}
		if s.cfg.RealTime && !s.wait(f.Time) {
			s.now = nil
			return io.EOF
		}
		s.read = true
		s.frames.Add(1)
		s.bytes.Add(uint64(len(f.Data)))
		return nil
	}
}

// open starts the next file, or gives io.EOF after the last one of the last turn.
// A turn that gave no frame is the last: the next would give none either.
func (s *Files) open() error {
	if s.index == len(s.paths) {
		if !s.read || s.cfg.Loop != -1 && s.turn+1 >= s.cfg.Loop {
			s.shut()
			return io.EOF
		}
		s.turn, s.index, s.read = s.turn+1, 0, false
	}
	s.name, s.paced = s.paths[s.index], false
	s.index++
	in, err := s.input()
	if err != nil {
		return err
	}
	s.plain.Reset(in)
	if s.now, err = s.recognise(); err != nil {
		s.now = nil
		if s.shut() {
			return io.EOF
		}
		if p := (*fs.PathError)(nil); errors.As(err, &p) && p.Op == "open" { // by a pump
			return openError(s.name, err)
		}
		return fmt.Errorf("read capture %q: %w", s.name, err)
	}
	return nil
}

// input opens the next file: a regular one itself, anything else behind a pump,
// since opening and reading it may wait.
func (s *Files) input() (io.Reader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, io.EOF
	}
	if s.name == stdinPath {
		in := s.cfg.Stdin
		if in == nil {
			in = os.Stdin
		}
		if f, ok := in.(*os.File); ok && regular(f.Stat()) {
			return f, nil
		}
		s.pump = newPump(s.cfg.Idle, s.name, in)
		return s.pump, nil
	}
	if !regular(os.Stat(s.name)) {
		s.pump = newPump(s.cfg.Idle, s.name, nil)
		return s.pump, nil
	}
	file, err := os.Open(s.name)
	if err != nil {
		return nil, openError(s.name, err)
	}
	s.file = file
	return file, nil
}

// regular is also true of what is not there, to be said at once.
func regular(info fs.FileInfo, err error) bool { return err != nil || info.Mode().IsRegular() }

// shut closes the file being read and reports whether the source was closed.
func (s *Files) shut() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release() // it was only read
	return s.closed
}

// release closes what is being read. s.mu is held.
func (s *Files) release() error {
	if s.pump != nil {
		s.pump.stop()
		s.pump = nil
	}
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}

// recognise tells the format by its first bytes, whatever the file is called.
func (s *Files) recognise() (format, error) {
	in := s.plain
	start, err := in.Peek(4)
	if len(start) == 0 {
		return nil, ends(err, errors.New("empty file"))
	}
	if bytes.HasPrefix(start, []byte{0x1f, 0x8b}) {
		if s.zipped == nil {
			s.zipped = bufio.NewReaderSize(nil, bufferSize)
		}
		if err := s.unzip.Reset(in); err != nil {
			return nil, ends(err, errHeaderEnds)
		}
		s.zipped.Reset(&s.unzip)
		in = s.zipped
		if start, err = in.Peek(4); len(start) == 0 {
			return nil, ends(err, errors.New("empty file, once unpacked"))
		}
	}
	if err != nil && err != io.EOF {
		return nil, ends(err, errHeaderEnds)
	}
	if len(start) == 4 {
		switch binary.BigEndian.Uint32(start) {
		case magicMicro, magicMicroLittle, magicNano, magicNanoLittle, magicPatched, magicPatchLittle:
			return &s.pcap, s.pcap.open(in)
		case magicNG:
			return &s.ng, s.ng.open(in, s.cfg.Source)
		}
	}
	return nil, stranger(in)
}

// stranger is the error for a file of another kind. Some are known by name.
func stranger(in *bufio.Reader) error {
	start, _ := in.Peek(16) // what there is
	for _, known := range []struct{ magic, what string }{
		{"\x28\xb5\x2f\xfd", "compressed by zstd; unpack it: zstd -d"},
		{"\xfd7zXZ", "compressed by xz; unpack it: xz -d"},
		{"BZh", "compressed by bzip2; unpack it: bzip2 -d"},
		{"PK\x03\x04", "a zip archive; unpack it"},
		{"\x1f\x8b", "compressed by gzip twice; unpack it once: gzip -d"},
		{"snoop\x00", "a snoop capture; convert it: editcap -F pcap OLD NEW"},
		{"GMBU", "a Network Monitor capture; convert it: editcap -F pcap OLD NEW"},
	} {
		if bytes.HasPrefix(start, []byte(known.magic)) {
			return errors.New("is " + known.what)
		}
	}
	return fmt.Errorf("is no capture file (pcap or pcapng, gzip allowed): starts with %q", start)
}

func errLink(l packet.Link) error {
	if name := l.String(); !strings.HasPrefix(name, "link type") {
		return fmt.Errorf("link type %d (%s) is not supported; supported: %s", uint16(l), name, supported())
	}
	return fmt.Errorf("link type %d is not supported; supported: %s", uint16(l), supported())
}

func supported() string {
	var names []string
	for _, l := range packet.Links() {
		names = append(names, fmt.Sprintf("%d (%s)", uint16(l), l))
	}
	return strings.Join(names, ", ")
}

// wait sleeps until the frame of this time is due. It reports false when the
// source was closed. Delays add up from the first frame of the file, so that a
// late wake-up makes no later one late.
func (s *Files) wait(at int64) bool {
	if !s.paced {
		s.paced, s.last, s.due = true, at, time.Now()
	}
	delay := s.cfg.delay(at - s.last)
	s.last = at
	s.due = s.due.Add(delay)
	left := time.Until(s.due)
	if left <= 0 {
		select {
		case <-s.quit:
			return false
		default:
			return true
		}
	}
	if s.cfg.Idle != nil {
		s.cfg.Idle()
	}
	if s.timer == nil {
		s.timer = time.NewTimer(left)
	} else {
		s.timer.Reset(left)
	}
	select {
	case <-s.quit:
		s.timer.Stop()
		return false
	case <-s.timer.C:
		return true
	}
}

// delay is how long to wait between two frames that are so many nanoseconds apart.
func (c FilesConfig) delay(apart int64) time.Duration {
	d := float64(max(apart, 0)) * c.Scale
	if c.MaxDelay > 0 {
		d = min(d, float64(c.MaxDelay))
	}
	d = min(d, 1e17) // three years, which any clock can add
	return max(time.Duration(d), c.MinDelay)
}

// Name implements Source: the file of the last frame or error, "-" for standard
// input.
func (s *Files) Name() string { return s.name }

// Turn is how often all files have been read before: 0 in the first turn.
func (s *Files) Turn() int { return s.turn }

// Stats implements Source.
func (s *Files) Stats() Stats {
	return Stats{Frames: s.frames.Load(), Bytes: s.bytes.Load()}
}

// Close implements Source.
func (s *Files) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	close(s.quit)
	return s.release()
}
