// Package state is the file in which what a run knows is kept for the next one. It
// knows nothing of what is in it: parts of bytes, each with a kind, its length and its
// checksum, and behind the last one the checksum of the whole.
//
// A file is written beside the old one and takes its place when it is whole and on
// disk, so that a crash leaves one of the two. One that cannot be used is put aside
// under another name, never written over. A lock beside the file keeps two programs
// from sharing it. It reads no clock: who calls says what time it is.
package state

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The format. Numbers are little-endian.
//
//	magic    8 bytes
//	version  4 bytes, that of what the parts hold
//	parts    kind 1 byte, length 4, checksum 4, then the bytes
//
// The checksum of a part is the CRC-32C (RFC 9260, appendix A) of its kind, its length
// and its bytes. The first part is about the file, the last one holds the number of
// parts before it and the CRC-32C of everything before it.
const (
	magic     = "SIPCMBT\n"
	headSize  = len(magic) + 4
	partHead  = 9
	endSize   = 12
	kindEnd   = 0 // below 16 kinds are of the file, the others of what is kept
	kindAbout = 1

	// MaxPart is the greatest part, in bytes. A length that is damaged takes no memory:
	// room is made as bytes are read.
	MaxPart = 1<<31 - 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// About is what a file says of itself.
type About struct {
	Version uint32
	Program string // name and version
	Written int64  // Unix time in nanoseconds
	Size    int64  // bytes
}

// Damage is why a file cannot be used. Its word becomes a part of the name under which
// the file is put aside.
type Damage struct {
	Word string // damaged, newer, older
	Text string
}

// Error says what is wrong.
func (d *Damage) Error() string { return d.Text }

// Damaged makes the Damage of a file whose parts are whole and hold what cannot be.
func Damaged(format string, args ...any) error {
	return &Damage{"damaged", fmt.Sprintf(format, args...)}
}

// File is a state file that this process has locked.
type File struct {
	path string
	lock *os.File
}

// Open locks path and makes sure that it can be written; its directory is made when it
// is missing. The error says what was tried and why it failed.
func Open(path string) (*File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("make its directory: %w", err)
	}
	lock, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open its lock: %w", err)
	}
	if err := flock(lock); err != nil {
		lock.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	f := &File{path: path, lock: lock}
	if err := f.writable(); err != nil {
		lock.Close()
		return nil, err
	}
	return f, nil
}

// errHeld is why a lock is refused.
var errHeld = errors.New("another sipcmbeat uses it; each needs a file of its own")

// writable looks whether Write will do, and whether what is there can be read.
func (f *File) writable() error {
	w, err := f.create()
	if err != nil {
		return err
	}
	w.Close()
	os.Remove(f.temporary())
	info, err := os.Stat(f.path) // before it is opened: a pipe would wait for its writer
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err // it names the file
	case !info.Mode().IsRegular():
		return fmt.Errorf("open %s: not a regular file", f.path)
	}
	r, err := os.Open(f.path)
	if err != nil {
		return err
	}
	return r.Close()
}

// Close gives the lock back.
func (f *File) Close() error { return f.lock.Close() }

// Path is the name of the file.
func (f *File) Path() string { return f.path }

func (f *File) temporary() string { return f.path + ".new" }

func (f *File) create() (*os.File, error) {
	os.Remove(f.temporary()) // of a crash
	return os.OpenFile(f.temporary(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// Write makes a new file of what fill gives to part, and puts it in the place of the
// old one when it is whole. part borrows b. It returns the size in bytes.
func (f *File) Write(about About, fill func(part func(kind byte, b []byte) error) error) (size int64, err error) {
	file, err := f.create()
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			file.Close()
			os.Remove(f.temporary())
		}
	}()
	w := &writer{to: bufio.NewWriterSize(file, 1<<18)}
	w.write(binary.LittleEndian.AppendUint32([]byte(magic), about.Version))
	w.part(kindAbout, append(binary.LittleEndian.AppendUint64(nil, uint64(about.Written)), about.Program...))
	if err := fill(w.part); err != nil {
		return 0, err
	}
	end := binary.LittleEndian.AppendUint64(nil, w.parts)
	w.part(kindEnd, binary.LittleEndian.AppendUint32(end, w.sum))
	if w.err == nil {
		w.err = w.to.Flush()
	}
	if w.err == nil {
		w.err = file.Sync()
	}
	if w.err != nil {
		return 0, w.err
	}
	if err := file.Close(); err != nil {
		return 0, err
	}
	if err := os.Rename(f.temporary(), f.path); err != nil {
		return 0, err
	}
	return w.size, syncDir(filepath.Dir(f.path))
}

// syncDir makes a rename last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// writer sticks to its first error.
type writer struct {
	to    *bufio.Writer
	parts uint64
	size  int64
	sum   uint32 // of all so far
	err   error
}

func (w *writer) write(b []byte) {
	if w.err != nil {
		return
	}
	w.sum = crc32.Update(w.sum, castagnoli, b)
	w.size += int64(len(b))
	_, w.err = w.to.Write(b)
}

func (w *writer) part(kind byte, b []byte) error {
	if len(b) > MaxPart {
		return fmt.Errorf("a part of %d bytes is too long", len(b))
	}
	var head [partHead]byte
	putHead(&head, kind, b)
	w.write(head[:])
	w.write(b)
	w.parts++
	return w.err
}

func putHead(head *[partHead]byte, kind byte, b []byte) {
	head[0] = kind
	binary.LittleEndian.PutUint32(head[1:], uint32(len(b)))
	binary.LittleEndian.PutUint32(head[5:], checksum(head[:5], b))
}

func checksum(head, b []byte) uint32 {
	return crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, b)
}

// Read checks the file and gives what it says of itself; then each of its parts, in
// order, to take, which borrows b. Nothing is given of a file that is not whole. The
// error is an *os.PathError that is os.ErrNotExist where there is none, a *Damage where
// it cannot be used, or what take returned.
func (f *File) Read(version uint32, take func(kind byte, b []byte) error) (about About, err error) {
	file, err := os.Open(f.path)
	if err != nil {
		return about, err
	}
	defer file.Close()
	about, err = scan(bufio.NewReaderSize(file, 1<<18), version, func(byte, []byte) error { return nil })
	if err != nil {
		return about, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return about, err
	}
	return scan(bufio.NewReaderSize(file, 1<<18), version, take)
}

// scan reads a file once.
func scan(from io.Reader, version uint32, take func(kind byte, b []byte) error) (about About, err error) {
	r := &reader{from: from}
	head := r.read(nil, headSize)
	switch {
	case r.err != nil || string(head[:len(magic)]) != magic:
		return about, r.failed("it does not begin as a state file")
	}
	about.Version = binary.LittleEndian.Uint32(head[len(magic):])
	switch {
	case about.Version > version:
		return about, &Damage{"newer", fmt.Sprintf("it was written by a newer sipcmbeat: its format is %d, and this one reads %d", about.Version, version)}
	case about.Version < version:
		return about, &Damage{"older", fmt.Sprintf("it was written by an older sipcmbeat: its format is %d, and this one reads %d", about.Version, version)}
	}
	var b []byte
	for parts := uint64(0); ; parts++ {
		sum := r.sum
		var kind byte
		if kind, b, err = r.part(b); err != nil {
			return about, err
		}
		switch {
		case parts == 0:
			if kind != kindAbout || len(b) < 8 {
				return about, r.failed("its first part is not about the file")
			}
			about.Written, about.Program = int64(binary.LittleEndian.Uint64(b)), string(b[8:])
		case kind == kindEnd:
			if len(b) != endSize || binary.LittleEndian.Uint64(b) != parts || binary.LittleEndian.Uint32(b[8:]) != sum {
				return about, r.failed("its parts are not those that were written")
			}
			if n, _ := io.ReadFull(from, make([]byte, 1)); n > 0 {
				return about, r.failed("more stands behind its end")
			}
			about.Size = r.size
			return about, nil
		default:
			if err := take(kind, b); err != nil {
				return about, err
			}
		}
	}
}

// reader counts what it reads.
type reader struct {
	from io.Reader
	size int64
	sum  uint32
	err  error
}

// part reads one part into b, which is used again.
func (r *reader) part(b []byte) (kind byte, _ []byte, err error) {
	var room [partHead]byte
	head := r.read(room[:0], partHead)
	if r.err != nil {
		return 0, b, r.failed("it ends in the middle")
	}
	n := binary.LittleEndian.Uint32(head[1:])
	if n > MaxPart {
		return 0, b, r.failed("a part is too long")
	}
	if b = r.read(b[:0], int(n)); r.err != nil {
		return 0, b, r.failed("it ends in the middle")
	}
	if checksum(head[:5], b) != binary.LittleEndian.Uint32(head[5:]) {
		return 0, b, r.failed("a checksum does not agree")
	}
	return head[0], b, nil
}

// read appends n bytes to b, a piece at a time.
func (r *reader) read(b []byte, n int) []byte {
	const piece = 1 << 16
	start := len(b)
	for n > 0 && r.err == nil {
		at := len(b)
		b = append(b, make([]byte, min(n, piece))...)
		_, r.err = io.ReadFull(r.from, b[at:])
		n -= len(b) - at
	}
	if r.err == nil {
		r.sum = crc32.Update(r.sum, castagnoli, b[start:])
		r.size += int64(len(b) - start)
	}
	return b
}

// failed is the damage at the place where the reader is, or the error of the disk.
func (r *reader) failed(text string) error {
	if r.err != nil && !errors.Is(r.err, io.EOF) && !errors.Is(r.err, io.ErrUnexpectedEOF) {
		return r.err
	}
	return Damaged("%s (near byte %d)", text, r.size)
}

// kept is how many files that were put aside are kept; the oldest are deleted.
const kept = 3

// PutAside renames a file that cannot be used, and gives its new name.
func (f *File) PutAside(word string, now time.Time) (string, error) {
	name := f.path + "." + word + "-" + now.UTC().Format("20060102T150405.000Z")
	if err := os.Rename(f.path, name); err != nil {
		return "", err
	}
	var old []string
	for _, word := range []string{"damaged", "newer", "older"} {
		found, _ := filepath.Glob(escape(f.path) + "." + word + "-*")
		old = append(old, found...)
	}
	slices.SortFunc(old, func(a, b string) int { return strings.Compare(stamp(a), stamp(b)) })
	for len(old) > kept {
		os.Remove(old[0])
		old = old[1:]
	}
	return name, nil
}

func stamp(name string) string { return name[strings.LastIndexByte(name, '-')+1:] }

// escape keeps what a path has of patterns from being one.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
