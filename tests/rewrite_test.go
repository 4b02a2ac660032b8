package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/dump"
	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
	"github.com/sipcmbeat/sipcmbeat/internal/recent"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// maskedLines renders records masked, or as they are where m is nil.
type maskedLines struct {
	lines
	m      event.Masker
	masked event.Event
}

func (l *maskedLines) Put(e *event.Event) {
	if l.m != nil {
		e.Mask(l.m, &l.masked)
		e = &l.masked
	}
	l.lines.Put(e)
}

// sealer masks everything in one way.
func sealer(t *testing.T, mode privacy.Mode, groups ...event.Group) *privacy.Sealer {
	t.Helper()
	cfg := privacy.Config{Key: privacy.Key{1, 2, 3}}
	for g := event.Public + 1; g < event.NumGroups; g++ {
		if len(groups) == 0 || slices.Contains(groups, g) {
			cfg.Modes[g] = mode
		}
	}
	s, err := privacy.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// written runs a capture with a dumper, and gives the directory of its files.
func written(t *testing.T, file string, by *privacy.Sealer, clear bool, tap func(*packet.Packet, *sip.Message)) string {
	t.Helper()
	cfg := dump.DefaultConfig()
	cfg.Dir, cfg.When, cfg.MaxAge, cfg.Wait = filepath.Join(t.TempDir(), "dump"), dump.Always, 0, true
	w := privacy.NewRewriter(by)
	cfg.Mask, cfg.Clear = func() recent.Mask { return w }, clear
	d := dump.New(cfg)
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	e := engine.DefaultConfig()
	e.Dump, e.Tap = d, tap
	paths := &pathsOf{m: by, t: t}
	if err := engine.New(e, []engine.Input{{Source: files(t, file)}}, paths).Run(context.Background()); err != nil {
		t.Log(err) // a damaged file, read up to there
	}
	d.Close()
	if s := d.Stats(); s.Check() != nil || s.Lost() > 0 {
		t.Errorf("%s: %v, %+v", file, s.Check(), s)
	}
	for path := range paths.all {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s: an event names a file that is not there: %v", file, err)
		}
	}
	return cfg.Dir
}

// pathsOf takes the files that masked records name.
type pathsOf struct {
	t      *testing.T
	m      event.Masker
	masked event.Event
	all    map[string]bool
}

func (p *pathsOf) Put(e *event.Event) {
	e.Mask(p.m, &p.masked)
	if path := p.masked.Bytes(p.masked.Dump); len(path) > 0 {
		if p.all == nil {
			p.all = map[string]bool{}
		}
		p.all[string(path)] = true
	}
}

func files(t *testing.T, path string) *capture.Files {
	t.Helper()
	cfg := capture.DefaultFilesConfig()
	cfg.Paths = []string{path}
	src, err := capture.NewFiles(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src
}

// records are those of a capture, without what a rewritten message cannot tell.
func records(t *testing.T, file string, m event.Masker) (all []string) {
	t.Helper()
	l := maskedLines{m: m}
	if err := engine.New(engine.DefaultConfig(), []engine.Input{{Source: files(t, file)}}, &l).Run(context.Background()); err != nil {
		t.Log(err)
	}
	for _, line := range bytes.Split(bytes.TrimSpace(l.b), []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		flat := map[string]any{}
		var r map[string]any
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		flatten(flat, "", r)
		if flat["event.action"] == "parse-error" { // that it is one is all that stays
			flat = map[string]any{"event.action": "parse-error"}
		}
		if words, ok := flat["sip.anomalies"].([]any); ok {
			words = slices.DeleteFunc(words, func(w any) bool { return slices.Contains(mended, w.(string)) })
			if flat["sip.anomalies"] = words; len(words) == 0 {
				delete(flat, "sip.anomalies")
			}
		}
		for key, v := range flat {
			if s, ok := v.(string); ok && len(s) >= event.MaxText {
				flat[key] = "long" // a record cuts what a sealed text is too long for
			}
			if slices.ContainsFunc(untold, func(p string) bool { return key == p || strings.HasPrefix(key, p+".") }) {
				delete(flat, key)
			}
		}
		text, _ := json.Marshal(flat)
		all = append(all, string(text))
	}
	return all
}

func flatten(to map[string]any, prefix string, from map[string]any) {
	for k, v := range from {
		if m, ok := v.(map[string]any); ok {
			flatten(to, prefix+k+".", m)
		} else {
			to[prefix+k] = v
		}
	}
}

// untold is what differs: hashes, which are made of other values; what bodies and headers
// that are left out told; and what masks say of themselves.
var untold = []string{
	"event.id", "sip.call.id", "sip.subscription.id", "network.community_id", "related.hash", "sip.signature", "sip.pcap", "sipcmbeat",
	"sip.sdp", "sip.media", "sip.qos", "sip.quality", "sip.call.held", "sip.session_id", "sip.correlation", "sip.identity", "sip.content_type", "sip.call.early_media", "sip.call.transfer", "sip.call.transferred", "related.ip",
	"tags", "sip.emergency", // known by numbers
}

// mended are labels of what a rewritten message has in order.
var mended = []string{"field-cut", "control-char", "lf-only", "body-truncated", "no-content-type"}

// TestRewritten: a capture file of masked messages gives the events that masking those of
// the clear messages gives, and has nothing in it of what they name.
func TestRewritten(t *testing.T) {
	captures, _ := filepath.Glob("golden/*/in.pcap")
	more, _ := filepath.Glob("captures/*.pcap")
	lab, _ := filepath.Glob("../../shared/lab/*/*.pcap")
	by := sealer(t, privacy.Encrypt)
	compared := 0
	for _, file := range append(append(captures, more...), lab...) {
		said := map[string]bool{}
		clear := written(t, file, by, true, func(p *packet.Packet, m *sip.Message) { namesOf(said, p, m) })
		masked := written(t, file, by, false, nil)
		names, _ := os.ReadDir(clear)
		for _, name := range names {
			want, got := records(t, filepath.Join(clear, name.Name()), by), records(t, filepath.Join(masked, name.Name()), nil)
			compared += len(want)
			if !slices.Equal(want, got) {
				t.Errorf("%s: %s", file, name.Name())
				for i := range max(len(want), len(got)) {
					differ(t, nth(want, i), nth(got, i))
				}
			}
			b, _ := os.ReadFile(filepath.Join(masked, name.Name()))
			for s := range said {
				if bytes.Contains(b, []byte(s)) || strings.Contains(name.Name(), s) {
					t.Errorf("%s: %s has %q in it", file, name.Name(), s)
				}
			}
		}
	}
	if compared < 50 {
		t.Errorf("%d events compared", compared)
	}
}

// differ tells the fields in which two records differ.
func differ(t *testing.T, want, got string) {
	var a, b map[string]any
	if json.Unmarshal([]byte(want), &a) != nil || json.Unmarshal([]byte(got), &b) != nil {
		t.Errorf("want %s\ngot  %s", want, got)
		return
	}
	for k := range a {
		if _, ok := b[k]; !ok {
			b[k] = nil
		}
	}
	for k := range b {
		if x, y := fmt.Sprint(a[k]), fmt.Sprint(b[k]); x != y {
			t.Errorf("%s of %v: want %s, got %s", k, a["event.action"], x, y)
		}
	}
}

func nth(all []string, i int) string {
	if i < len(all) {
		return all[i]
	}
	return "nothing"
}

// namesOf notes what a message names, where it is long enough to mean something.
func namesOf(said map[string]bool, p *packet.Packet, m *sip.Message) {
	note := func(b []byte) {
		if len(b) >= 8 { // a shorter one may stand in a sealed text by chance
			said[string(b)] = true
		}
	}
	note([]byte(p.Src.Addr().Unmap().String()))
	note([]byte(p.Dst.Addr().Unmap().String()))
	note(m.CallID())
	for _, a := range []*sip.Addr{m.From(), m.To()} {
		note(a.Tag())
		note(a.Display())
		note(a.URI().User())
		note(a.URI().Host())
	}
	note(m.RequestURI().User())
	note(m.Value(sip.HeaderUserAgent))
	var auth sip.Auth
	for _, h := range []sip.Header{sip.HeaderAuthorization, sip.HeaderProxyAuthorization, sip.HeaderWWWAuthenticate, sip.HeaderProxyAuthenticate} {
		if v := m.Value(h); v != nil && auth.Parse(v) {
			note(auth.Nonce())
			note(auth.Response())
			note(auth.CNonce())
		}
	}
}
