package siptest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// long is what the short names stand for: the fields that want lines speak of most.
var long = map[string]string{
	"duration":       "event.duration",
	"outcome":        "event.outcome",
	"reason":         "event.reason",
	"by":             "sip.call.hangup_by",
	"code":           "sip.code",
	"codes":          "sip.call.leg_codes",
	"incomplete":     "sip.incomplete",
	"anomalies":      "sip.anomalies",
	"pdd":            "sip.call.pdd_ms",
	"pdd-by":         "sip.call.pdd_source",
	"ring":           "sip.call.ring_ms",
	"setup":          "sip.call.setup_ms",
	"disconnect":     "sip.call.disconnect_ms",
	"min":            "sip.call.duration_min",
	"forked":         "sip.call.forked",
	"in-dialog":      "sip.call.in_dialog",
	"synthetic":      "sip.call.synthetic",
	"legs":           "sip.call.legs",
	"timer":          "sip.transaction.timer",
	"contact":        "sip.contact.uri.original",
	"expires":        "sip.registration.expires",
	"refreshes":      "sip.registration.refresh_count",
	"lifetime":       "sip.registration.lifetime_s",
	"method":         "sip.method",
	"user":           "user.name",
	"call-id":        "sip.call_id",
	"error":          "error.message",
	"kind":           "sip.probe.kind",
	"uri":            "url.original",
	"event":          "sip.subscription.event",
	"event-id":       "sip.subscription.event_id",
	"state":          "sip.subscription.state",
	"sub-reason":     "sip.subscription.reason",
	"sub-expires":    "sip.subscription.expires",
	"notifies":       "sip.subscription.notifies",
	"held":           "sip.call.held",
	"early-media":    "sip.call.early_media",
	"transferred":    "sip.call.transferred",
	"target":         "sip.call.transfer.target",
	"transfer-by":    "sip.call.transfer.by",
	"transfer-code":  "sip.call.transfer.code",
	"replaces":       "sip.call.replaces",
	"refer-replaces": "sip.call.transfer.replaces",
	"corr":           "sip.correlation.id",
	"corr-by":        "sip.correlation.method",
}

// Check compares events with what a ladder wants: their number, order, times and
// types, and the fields that the want lines name. A field named without a value
// must be absent. Spans of time may be written as 58s, a blank as ~.
func Check(t *testing.T, want []Want, got []event.Event) {
	t.Helper()
	var have []string
	for i := range got {
		have = append(have, fmt.Sprintf("%v %s %s", time.Duration(got[i].Time-Start), got[i].Type, brief(&got[i])))
	}
	if len(got) != len(want) {
		t.Errorf("%d events, want %d; have:\n  %s", len(got), len(want), strings.Join(have, "\n  "))
		return
	}
	for i := range want {
		w, e := &want[i], &got[i]
		if e.Type.String() != w.Type || e.Time != w.Time {
			t.Errorf("event %d is\n  %s\nwant\n  %s", i+1, have[i], w.Line)
			continue
		}
		fields := Fields(e)
		for _, f := range w.Fields {
			key, value, _ := strings.Cut(f, "=")
			if full := long[key]; full != "" {
				key = full
			}
			value = strings.ReplaceAll(value, "~", " ")
			if have := fields[key]; !equal(have, value) {
				t.Errorf("event %d, %s: %s is %q, want %q", i+1, w.Line, key, have, value)
			}
		}
	}
}

func equal(have, want string) bool {
	if have == want {
		return true
	}
	d, err := time.ParseDuration(want)
	if err != nil {
		return false
	}
	n, err := strconv.ParseFloat(have, 64)
	return err == nil && (n == float64(d.Nanoseconds()) || n == float64(d.Nanoseconds())/1e6 || n == d.Seconds())
}

func brief(e *event.Event) string {
	f := Fields(e)
	var words []string
	for _, k := range []string{"sip.code", "sip.call.hangup_by", "sip.incomplete", "sip.anomalies", "sip.contact.uri.original", "sip.call_id", "error.message"} {
		if f[k] != "" {
			words = append(words, k[strings.LastIndexByte(k, '.')+1:]+"="+f[k])
		}
	}
	return strings.Join(words, " ")
}

// Fields renders an event as flat keys; a list's values are joined with commas.
func Fields(e *event.Event) map[string]string {
	var tree map[string]any
	if err := json.Unmarshal(event.AppendJSON(nil, e, nil), &tree); err != nil {
		panic(err)
	}
	flat := map[string]string{}
	flatten(flat, "", tree)
	l := e.Headers // which a configuration names
	for b, ok := e.Next(&l); ok; b, ok = e.Next(&l) {
		name, value, _ := strings.Cut(string(b), ":")
		flat[event.HeaderPrefix+name] = value
	}
	return flat
}

func flatten(flat map[string]string, prefix string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			flatten(flat, strings.TrimPrefix(prefix+"."+k, "."), x)
		}
	case []any:
		var all []string
		for _, x := range v {
			all = append(all, plain(x))
		}
		flat[prefix] = strings.Join(all, ",")
	default:
		flat[prefix] = plain(v)
	}
}

func plain(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
