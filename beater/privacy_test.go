package beater

import (
	stdjson "encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/elastic/beats/v7/libbeat/outputs/codec/json"

	"github.com/sipcmbeat/sipcmbeat/internal/enrich"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
)

// sealing is a Sealer of a new key that encrypts everything.
func sealing(t testing.TB) (*privacy.Sealer, privacy.Key) {
	t.Helper()
	key := privacy.NewKey()
	cfg := privacy.Config{Key: key}
	for g := event.Public + 1; g < event.NumGroups; g++ {
		cfg.Modes[g] = privacy.Encrypt
	}
	s, err := privacy.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s, key
}

// TestPublisherMasks: what leaves is masked with the key of the moment, whole records at a
// time, and opens to what it was; the id of the document is that of the record.
func TestPublisherMasks(t *testing.T) {
	all := events(t, "../tests/captures/04-calls.pcap")
	var sealer atomic.Pointer[privacy.Sealer]
	one, first := sealing(t)
	two, second := sealing(t)
	sealer.Store(one)
	out := newPipe(true)
	var l ledger
	out.cfg.EventListener = &l
	p := &publisher{ring: newRing(64, true), client: out, tree: native, sealer: &sealer, numbers: enrich.New(""), done: make(chan struct{})}
	go p.run()
	for i, e := range all {
		if i == len(all)/2 {
			sealer.Store(two)
		}
		p.ring.put(e)
	}
	p.ring.close()
	<-p.done
	if len(out.events) != len(all) {
		t.Fatalf("%d of %d records", len(out.events), len(all))
	}
	reader, err := privacy.NewReader(second, first)
	if err != nil {
		t.Fatal(err)
	}
	enc, r := json.New("1", json.Config{}), renderer{}
	used := map[string]int{}
	for i, e := range all {
		clear := r.render(e)
		wanted, _ := enc.Encode("sipcmbeat", &clear)
		want := hashless(t, wanted) // the encoder's memory is used again
		masked := &out.events[i]
		sealed, err := enc.Encode("sipcmbeat", masked)
		if err != nil {
			t.Fatal(err)
		}
		got, did, err := reader.Record(nil, sealed)
		if err != nil || did.Records != 1 {
			t.Fatalf("%v, %+v: %s", err, did, sealed)
		}
		if id, _ := masked.Meta["_id"].(string); !strings.Contains(string(sealed), `"id":"`+id+`"`) || id == clear.Meta["_id"] {
			t.Errorf("the document has the id %q", id)
		}
		if g := hashless(t, got); g != want {
			t.Errorf("%s\nwas\n%s", g, want)
		}
		for _, s := range []*privacy.Sealer{one, two} {
			if strings.Contains(string(sealed), s.KeyID()) {
				used[s.KeyID()]++
			}
		}
	}
	if used[two.KeyID()] < len(all)/2 || used[one.KeyID()]+used[two.KeyID()] != len(all) {
		t.Errorf("records by key: %v of %d", used, len(all))
	}
}

// hashless is a record without what never opens, its members in order.
func hashless(t *testing.T, text []byte) string {
	t.Helper()
	var tree map[string]any
	if err := stdjson.Unmarshal(text, &tree); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	delete(tree, "@metadata")
	for of, name := range map[string]string{"event": "id", "network": "community_id"} {
		delete(tree[of].(map[string]any), name)
	}
	delete(tree["sip"].(map[string]any)["call"].(map[string]any), "id")
	out, _ := stdjson.Marshal(tree)
	return string(out)
}

// TestReloadPrivacy: another key is taken up while the program runs, also one in the same
// file, and what is wrong with one leaves the one before.
func TestReloadPrivacy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	write := func(key privacy.Key, mode os.FileMode) {
		t.Helper()
		os.Remove(path)
		if err := os.WriteFile(path, []byte(key.Text()), mode); err != nil {
			t.Fatal(err)
		}
	}
	r, f, signals, done := reloading(t, calls+"run_forever: true", "")
	const base = "sipcmbeat.pcap: ../tests/captures/04-calls.pcap\nsipcmbeat.run_forever: true\n"
	if r.sealer.Load() != nil {
		t.Error("something is masked")
	}
	text := base + "sipcmbeat.privacy: {uris: encrypt, key_file: " + path + "}\n"
	f.set(text, nil)
	for range 2 {
		key := privacy.NewKey()
		write(key, 0o600)
		if got, err := r.Reload("a test"); err != nil || len(got.Restart) > 0 || r.sealer.Load().KeyID() != key.ID() {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	before := r.sealer.Load()
	write(privacy.NewKey(), 0o644)
	if _, err := r.Reload("a test"); err == nil || !strings.Contains(err.Error(), "privacy.key_file") || r.sealer.Load() != before {
		t.Errorf("a key that others can read is taken: %v", err)
	}
	f.set(base+"sipcmbeat.privacy: {uris: encrypt}\n", nil)
	if _, err := r.Reload("a test"); err == nil || r.sealer.Load() != before {
		t.Errorf("no key is taken: %v", err)
	}
	f.set(base, nil)
	if _, err := r.Reload("a test"); err != nil || r.sealer.Load() != nil {
		t.Errorf("everything is clear again: %v", err)
	}
	signals <- os.Interrupt
	if err := result(t, done); err != nil {
		t.Error(err)
	}
}

// What privacy adds to a record of a call's end before it is rendered: where its values
// were masked lately, as in the second of its events, and where users, ids and tags are new.
func BenchmarkMask(b *testing.B) {
	var ends []*event.Event
	for _, e := range events(b, "../tests/captures/04-calls.pcap") {
		if e.Type == event.CallEnd {
			ends = append(ends, e)
		}
	}
	s, _ := sealing(b)
	var e, masked event.Event
	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			ends[i%len(ends)].Mask(s, &masked)
		}
	})
	var user, all []byte
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			e.CopyFrom(ends[i%len(ends)])
			user = fmt.Appendf(user[:0], "user-%09d", i)
			all = append(append(append(all[:0], "sip:"...), user...), "@lab.test"...)
			for _, u := range []*event.URI{&e.From.URI, &e.To.URI, &e.RequestURI} {
				user[0], all[4] = user[0]+1, user[0]+1
				e.SetURI(u, all, all[:3], user, all[len(all)-8:], 0)
			}
			for _, t := range []*event.Text{&e.CallID, &e.From.Tag, &e.To.Tag, &e.Branch} {
				user[0]++
				e.Set(t, user)
			}
			e.Correlation = e.CallID
			e.Mask(s, &masked)
		}
	})
}
