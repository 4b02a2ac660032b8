package beater

import (
	"context"
	stdjson "encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/elastic/beats/v7/libbeat/outputs/codec/json"
	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// collect is a sink that keeps copies.
type collect struct{ all []*event.Event }

func (c *collect) Put(e *event.Event) {
	own := new(event.Event)
	own.CopyFrom(e)
	c.all = append(c.all, own)
}

// events reads captures.
func events(tb testing.TB, paths ...string) []*event.Event {
	tb.Helper()
	return eventsWith(tb, engine.DefaultConfig(), paths...)
}

func eventsWith(tb testing.TB, config engine.Config, paths ...string) []*event.Event {
	tb.Helper()
	cfg := capture.DefaultFilesConfig()
	cfg.Paths = paths
	src, err := capture.NewFiles(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	var c collect
	if err := engine.New(config, []engine.Input{{Source: src}}, &c).Run(context.Background()); err != nil {
		tb.Fatal(err)
	}
	if len(c.all) == 0 {
		tb.Fatal("no events")
	}
	return c.all
}

// hostile is an event with texts that an attacker would choose.
func hostile() *event.Event {
	e := new(event.Event)
	e.Reset()
	e.Type, e.Time, e.ID = event.CallAttempt, 1700000000123456789, event.Hash{1}
	e.Set(&e.CallID, []byte("\x00\x1b[31m\xff\xfe\"\\</script>\u2028"))
	e.Set(&e.Status, []byte("h\xc3\xa9\xc3"))
	e.Add(&e.Via, []byte("\xf0\x28\x8c\x28"))
	e.Add(&e.Via, []byte(""))
	e.AddCode(&e.Codes, 503)
	e.Code, e.PDD, e.Emergency = 486, 1234567, true
	return e
}

// What leaves through libbeat's encoder is what event.AppendJSON writes, by maps
// and by branches, whatever the texts hold.
func TestRenderedAsAppendJSON(t *testing.T) {
	all := append(events(t, "../tests/captures/*.pcap", "../tests/golden/*/in.pcap*"), hostile())
	for _, maps := range []bool{true, false} {
		r, enc := renderer{maps: maps}, json.New("1", json.Config{})
		for _, e := range all {
			rendered := r.render(e)
			text, err := enc.Encode("sipcmbeat", &rendered)
			if err != nil {
				t.Fatal(err)
			}
			got, want := decode(t, text), decode(t, event.AppendJSON(nil, e, nil))
			id := got["@metadata"].(map[string]any)["_id"]
			delete(got, "@metadata")
			delete(got, "@timestamp")
			delete(want, "@timestamp")
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("maps %v:\n%s\nwant\n%s", maps, text, event.AppendJSON(nil, e, nil))
			}
			if id != got["event"].(map[string]any)["id"] {
				t.Errorf("_id is %v", id)
			}
			if rendered.Timestamp.UnixNano() != e.Time {
				t.Errorf("timestamp is %v", rendered.Timestamp)
			}
		}
	}
}

// The same with other schemas: the older names, headers that are configured, messages.
func TestRenderedBySchema(t *testing.T) {
	cfg := engine.DefaultConfig()
	cfg.Track.Headers = []string{"Max-Forwards", "X-None"}
	for name, schema := range map[string]*event.Schema{
		"legacy":  event.NewSchema(event.OlderFields(), cfg.Track.Headers),
		"headers": event.NewSchema(event.Fields, cfg.Track.Headers),
	} {
		cfg.Messages = name == "headers"
		all := eventsWith(t, cfg, "../tests/captures/04-calls.pcap")
		for _, maps := range []bool{true, false} {
			r, enc := renderer{maps: maps, tree: newTree(schema)}, json.New("1", json.Config{})
			for _, e := range all {
				rendered := r.render(e)
				text, err := enc.Encode("sipcmbeat", &rendered)
				if err != nil {
					t.Fatal(err)
				}
				native := event.Renderer{Schema: schema}
				want := native.Append(nil, e, nil)
				got, wanted := decode(t, text), decode(t, want)
				if id := got["@metadata"].(map[string]any)["_id"]; id != got["event"].(map[string]any)["id"] {
					t.Errorf("%s: _id is %v", name, id)
				}
				delete(got, "@metadata")
				delete(got, "@timestamp")
				delete(wanted, "@timestamp")
				if !reflect.DeepEqual(got, wanted) {
					t.Fatalf("%s, maps %v:\n%s\nwant\n%s", name, maps, text, want)
				}
				if e.Count(e.Headers) != 0 && !strings.Contains(string(text), `"header":{"max-forwards":"`) {
					t.Fatalf("%s: no header in %s", name, text)
				}
			}
		}
	}
}

func decode(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := stdjson.Unmarshal(text, &m); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return m
}

// A rendered event is its own: what comes after does not change it.
func TestRenderedOwnsItsTexts(t *testing.T) {
	all := events(t, "../tests/captures/04-calls.pcap")
	for _, maps := range []bool{true, false} {
		r, enc := renderer{maps: maps}, json.New("1", json.Config{})
		first := r.render(all[0])
		before, err := enc.Encode("", &first)
		if err != nil {
			t.Fatal(err)
		}
		want := decode(t, before)
		for _, e := range all[1:] {
			r.render(e)
		}
		after, err := enc.Encode("", &first)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(decode(t, after), want) {
			t.Errorf("maps %v: the first record changed", maps)
		}
	}
}

// A processor sees every field in maps.
func TestMapsCanBeRead(t *testing.T) {
	r := renderer{maps: true}
	e := r.render(events(t, "../tests/captures/04-calls.pcap")[0])
	for _, key := range []string{"event.action", "sip.from.uri.username", "network.transport", "source.ip"} {
		if v, err := e.GetValue(key); err != nil || v == "" {
			t.Errorf("%s: %v, %v", key, v, err)
		}
	}
	if err := mapstr.AddTags(e.Fields, []string{"x"}); err != nil {
		t.Error(err)
	}
}

// The objects that libbeat adds to have to be maps in both ways.
func TestLibbeatCanAdd(t *testing.T) {
	e := events(t, "../tests/captures/04-calls.pcap")[0]
	e.Iface = "eth0"
	for _, maps := range []bool{true, false} {
		r := renderer{maps: maps}
		out := r.render(e)
		out.DeepUpdateNoOverwrite(mapstr.M{"ecs": mapstr.M{"version": "0"}, "observer": mapstr.M{"type": "sip-probe"}})
		for key, want := range map[string]any{"ecs.version": event.ECSVersion, "observer.type": "sip-probe", "observer.ingress.interface.name": "eth0"} {
			if got, err := out.GetValue(key); err != nil || got != want {
				t.Errorf("maps %v: %s is %v, %v", maps, key, got, err)
			}
		}
	}
}
