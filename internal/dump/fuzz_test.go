package dump

import (
	"bytes"
	"path/filepath"
	"testing"
)

// FuzzName: a name is one safe word, known again, and no two Call-IDs share one.
func FuzzName(f *testing.F) {
	for _, id := range hostile {
		if len(id) < 1000 {
			f.Add([]byte(id), []byte("x"), int64(at))
		}
	}
	f.Fuzz(func(t *testing.T, a, b []byte, when int64) {
		when = max(0, min(when, 1<<62))
		name := string(appendName(nil, when, labelAlert, appendID(nil, a, nil)))
		if filepath.Base(name) != name || len(name) > 200 {
			t.Errorf("%q", name)
		}
		if got, ok := nameTime(name); !ok || got != when {
			t.Errorf("%q is read as %d, %v", name, got, ok)
		}
		if !bytes.Equal(a, b) && name == string(appendName(nil, when, labelAlert, appendID(nil, b, nil))) {
			t.Errorf("%q and %q share %q", a, b, name)
		}
	})
}
