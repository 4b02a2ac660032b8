package dump

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
)

// folder is the directory and what of ours is in it. Nothing outside of it is ever
// opened, no link is followed, and only what has a name of ours is deleted.
type folder struct {
	dir   string
	cfg   Config
	root  *os.Root
	kept  []*kept // by the time in the name, the oldest first
	total int64
	stats *workerStats
}

// kept is a file of ours.
type kept struct {
	name string
	time int64
	size int64
	gone bool // deleted, by us or by somebody
	seen bool // by the last scan
}

// open makes the directory, for its owner alone, and looks what is in it.
func (f *folder) open() error {
	f.close()
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return fmt.Errorf("make pcap_dump.dir: %w", err)
	}
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return fmt.Errorf("open pcap_dump.dir: %w", err)
	}
	f.root = root
	return f.scan()
}

func (f *folder) close() {
	if f.root != nil {
		f.root.Close()
		f.root = nil
	}
}

// scan reads the directory: what somebody else deleted or wrote counts too.
func (f *folder) scan() error {
	if f.root == nil {
		return nil
	}
	dir, err := f.root.Open(".")
	if err != nil {
		return fmt.Errorf("read pcap_dump.dir: %w", err)
	}
	defer dir.Close()
	known := make(map[string]*kept, len(f.kept))
	for _, k := range f.kept {
		k.seen = false
		known[k.name] = k
	}
	for {
		entries, err := dir.ReadDir(512)
		for _, e := range entries {
			f.look(e, known)
		}
		if err != nil || len(entries) == 0 {
			break
		}
	}
	f.total = 0
	f.kept = slices.DeleteFunc(f.kept, func(k *kept) bool {
		k.gone = !k.seen
		if !k.gone {
			f.total += k.size
		}
		return k.gone
	})
	slices.SortFunc(f.kept, older)
	f.count()
	return nil
}

// look takes in one entry of the directory, if it is a file of ours.
func (f *folder) look(e fs.DirEntry, known map[string]*kept) {
	at, ok := nameTime(e.Name())
	if !ok || !e.Type().IsRegular() {
		return
	}
	info, err := e.Info()
	if err != nil {
		return // deleted meanwhile
	}
	k := known[e.Name()]
	if k == nil {
		k = &kept{name: e.Name(), time: at}
		f.kept = append(f.kept, k)
	}
	k.size, k.seen = info.Size(), true
}

func older(a, b *kept) int {
	switch {
	case a.time != b.time:
		if a.time < b.time {
			return -1
		}
		return 1
	case a.name < b.name:
		return -1
	case a.name > b.name:
		return 1
	}
	return 0
}

// create makes a new file.
func (f *folder) create(name string, at int64) (*os.File, *kept, error) {
	if f.root == nil {
		if err := f.open(); err != nil {
			return nil, nil, err
		}
	}
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) { // the directory was deleted: made again at the next file
			f.close()
		}
		return nil, nil, err
	}
	k := &kept{name: name, time: at}
	i, _ := slices.BinarySearchFunc(f.kept, k, older)
	f.kept = slices.Insert(f.kept, i, k)
	f.count()
	return file, k, nil
}

// append opens a file that create made, if it is still the same one.
func (f *folder) append(name string, was os.FileInfo, size int64) (*os.File, error) {
	if f.root == nil {
		return nil, fs.ErrNotExist
	}
	// A link to another file of the directory would be followed.
	if now, err := f.root.Lstat(name); err != nil || !now.Mode().IsRegular() || now.Size() != size {
		return nil, fs.ErrNotExist
	}
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, err
	}
	if now, err := file.Stat(); err != nil || !os.SameFile(now, was) {
		file.Close()
		return nil, fs.ErrNotExist
	}
	return file, nil
}

func (f *folder) grew(k *kept, n int64) {
	k.size += n
	f.total += n
	f.count()
}

// limit deletes the oldest until the limits hold; now is packet time.
func (f *folder) limit(now int64) error {
	var wrong error
	for len(f.kept) > 0 && f.root != nil {
		k := f.kept[0]
		tooOld := f.cfg.MaxAge > 0 && k.time < now-int64(f.cfg.MaxAge)
		if len(f.kept) <= f.cfg.MaxFiles && f.total <= f.cfg.MaxTotal && !tooOld {
			break
		}
		if err := f.root.Remove(k.name); err == nil {
			f.stats.removed.Add(1)
		} else if !errors.Is(err, fs.ErrNotExist) {
			wrong = fmt.Errorf("delete an old file: %w", plain(err))
		}
		k.gone = true // or out of our hands, until the next scan
		f.total -= k.size
		f.kept[0] = nil
		f.kept = f.kept[1:]
	}
	f.count()
	return wrong
}

// remove deletes a file into which nothing could be written.
func (f *folder) remove(k *kept) {
	if k.gone || f.root == nil || f.root.Remove(k.name) != nil {
		return
	}
	k.gone = true
	if i := slices.Index(f.kept, k); i >= 0 {
		f.kept = slices.Delete(f.kept, i, i+1)
	}
	f.count()
}

func (f *folder) count() {
	f.stats.held.Store(int64(len(f.kept)))
	f.stats.bytes.Store(f.total)
}

// look at the queue without being called, and say what is wrong, this often.
const (
	pollEvery = 100 * time.Millisecond
	sayEvery  = time.Minute
)
