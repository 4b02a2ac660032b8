package privacy

import (
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
)

// sealer masks every group in one mode. The key is the same in all tests.
func sealer(t *testing.T, m privacy.Mode) *privacy.Sealer {
	t.Helper()
	cfg := privacy.Config{Key: testKey}
	for g := event.Group(1); g < event.NumGroups; g++ {
		cfg.Modes[g] = m
	}
	s, err := privacy.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var testKey = privacy.Key{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32}

// maskAll are the modes that hide everything.
var maskAll = []privacy.Mode{privacy.Encrypt, privacy.HMAC, privacy.Redact}

// TestRecordsTellNothing: records of events and of messages, with named headers, under the
// names of this version and the older ones, have no private value in them once they are
// masked.
func TestRecordsTellNothing(t *testing.T) {
	recordsTellNothing(t, append(own(t), lab(t)...))
}

// TestSharedRecordsTellNothing is the same over the captures of other projects.
func TestSharedRecordsTellNothing(t *testing.T) { recordsTellNothing(t, corpus(t)) }

var legacy = event.NewSchema(event.OlderFields(), headers)

func recordsTellNothing(t *testing.T, files []string) {
	for _, file := range files {
		t.Run(name(file), func(t *testing.T) {
			t.Parallel()
			s := collect(t, unnamed(t, file))
			x := newSearcher(s)
			for _, mode := range maskAll {
				m := sealer(t, mode)
				for title, schema := range map[string]*event.Schema{"native": schema, "legacy": legacy} {
					for _, h := range x.search(maskedAs(s.clear, m, schema)) {
						t.Errorf("%s, %s: %v", mode, title, h)
					}
				}
			}
		})
	}
}

// maskedAs are events as they leave masked, one a line.
func maskedAs(all []*event.Event, m event.Masker, schema *event.Schema) (out []byte) {
	var masked event.Event
	r := event.Renderer{Schema: schema}
	for _, e := range all {
		e.Mask(m, &masked)
		out = append(r.Append(out, &masked, nil), '\n')
	}
	return out
}
