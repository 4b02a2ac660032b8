package track

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/sipcmbeat/sipcmbeat/internal/codec"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// unsaved lists the fields that a snapshot does not hold, and why. A field that is
// neither here nor in a snapshot fails the test.
var unsaved = map[string]string{
	"Event.Direction":     "set when the record leaves",
	"Event.Rate":          "set when the record leaves",
	"Event.Caller":        "set when the record leaves",
	"Event.Callee":        "set when the record leaves",
	"Event.parts":         "of the record of a message, which leaves at once",
	"Event.masked":        "of a masked record, which leaves at once",
	"Event.DumpBy":        "set when the record leaves",
	"attempt.spot":        "listed anew",
	"dialog.spot":         "listed anew",
	"binding.spot":        "listed anew",
	"Tracker.lists":       "made anew",
	"attempt.set":         "the entry stands behind its Call-ID",
	"attempt.extra":       "weighed anew",
	"attempt.hold":        "told by the hold",
	"attempt.doubts":      "told by the dialogs",
	"dialog.set":          "the entry stands behind its Call-ID",
	"dialog.asker":        "told by the From tag, while the dialog is doubted",
	"kept.rec":            "packed between two messages",
	"kept.legs":           "noted anew from the record",
	"kept.numLegs":        "noted anew from the record",
	"kept.changed":        "false between two messages",
	"request.set":         "the entry stands behind its Call-ID",
	"request.extra":       "weighed anew",
	"request.near":        "is hops",
	"hold.link":           "ranked anew",
	"hold.extra":          "weighed anew",
	"hold.attempt":        "told by Call-ID and From tag",
	"hold.retried":        "told by who holds it",
	"badReply.link":       "ranked anew",
	"badReply.extra":      "weighed anew",
	"hold.next":           "told by the order",
	"client.link":         "ranked anew",
	"bad.link":            "ranked anew",
	"idle.link":           "ranked anew",
	"idle.aor":            "stands before it",
	"aor.few":             "is bindings",
	"agent.uses":          "counted anew",
	"dialog.up":           "follows from what was heard",
	"registrar.refreshed": "counted anew",
	"registrar.agents":    "made anew",
	"calls.up":            "counted anew",
	"calls.attempts":      "counted anew",
	"calls.requests":      "counted anew",
	"aor.bindings":        "they stand behind it",
	"binding.link":        "ranked anew",
	"binding.aor":         "the binding stands behind it",
	"quality.ends":        "a reception each",
	"timer.prev":          "the place in the wheel",
	"timer.next":          "the place in the wheel",
	"timer.owner":         "the entry",
	"timer.where":         "the place in the wheel",
	"timer.slot":          "the place in the wheel",
	"link.prev":           "the place among others follows from their deadlines",
	"link.next":           "the place among others follows from their deadlines",
	"link.owner":          "the entry",
	"Tracker.cfg":         "the next run's own; three of it are in the head",
	"Tracker.stats":       "counters start anew",
	"dialog.by":           "noted anew from the record",
	"subscription.set":    "the entry stands behind its Call-ID",
	"Tracker.headers":     "the next run's own",
	"Tracker.correlators": "the next run's own",
	"Tracker.turn":        "the next run's own",
	"Tracker.injecting":   "false between two sources",
	"Tracker.pools":       "nothing is in them",
	"Tracker.capture":     "the next run's own", "Tracker.iface": "the next run's own",
	"Tracker.origins": "made anew", "Tracker.nextOrigin": "made anew",
	"Tracker.ending": "false between two messages", "Tracker.evicting": "false between two messages",
	"Tracker.out": "empty between two messages", "Tracker.view": "of one message",
	"Tracker.over": "empty between two messages", "Tracker.warm": "empty between two messages",
	"Tracker.scratch": scratch, "Tracker.idBuf": scratch, "Tracker.addr": scratch, "Tracker.uri": scratch,
	"Tracker.credentials": scratch, "Tracker.authHeader": scratch, "Tracker.sdp": scratch, "Tracker.report": scratch,
	"Tracker.early": scratch, "Tracker.temp": scratch, "Tracker.packed": scratch, "Tracker.asked": scratch, "Tracker.granted": scratch,
	"registrar.bindings": "counted anew", "registrar.bytes": "counted anew",
	"calls.entries": "counted anew", "calls.bytes": "counted anew",
	"wheel.slots": "the timers of the entries", "wheel.occupied": "the timers of the entries", "wheel.due": scratch,
	"wheel.count": "counted anew", "wheel.soonest": "follows from the timers", "wheel.tick": "follows from the clock",
	"wheel.far": "follows from the timers", "wheel.era": "looked through at the first tick",
	"bag.index": "made anew", "bag.few": "is items",
}

const scratch = "scratch space of one call"

// held lists the fields that Snapshot itself walks, or that restarts in the other tests
// show to be there.
var held = map[string]bool{
	"Tracker.seed": true, "Tracker.now": true, "Tracker.start": true, "Tracker.down": true, "Tracker.wheel": true, "Tracker.calls": true,
	"Tracker.auth": true, "Tracker.regs": true, "Tracker.ages": true, "Tracker.bads": true, "Tracker.replies": true,
	"registrar.aors": true, "calls.sets": true, "auth.clients": true, "auth.holds": true, "wheel.seq": true,
	"callSet.cid": true, "callSet.attempts": true, "callSet.dialogs": true, "callSet.requests": true, "callSet.subs": true, "bag.items": true,
}

// special are values for fields where the usual one would be refused.
var special = map[string]any{
	"request.grantedExpires": int64(7), "creds.n": int(maxCreds), "challenges.n": int(maxCreds),
	"attempt.state": proceeding, "dialog.state": confirmed, "request.state": pending, "binding.state": bound,
	"binding.text": []byte("0123\x01\x02\x03\x04\x05\x06\x01\x02\x03\x04\x05\x06"), "binding.ends": [4]uint16{1, 3, 4, 10},
	"subscription.lifetime": uint32(7), "subscription.state": subActive,
	"hold.nkeys": int(3*maxCreds + 1), "client.next": 2,
}

// saves is one type of entry and how it is walked.
type saves struct {
	entry any
	walk  func(p *pass, x any)
}

// TestFields: every field of every entry is in a snapshot, or in the list of those that
// are not, with the reason.
func TestFields(t *testing.T) {
	for _, s := range []saves{
		{&hop{}, func(p *pass, x any) { p.hop(x.(*hop)) }},
		{&cred{}, func(p *pass, x any) { p.cred(x.(*cred)) }},
		{&creds{}, func(p *pass, x any) { p.creds(x.(*creds)) }},
		{&challenge{}, func(p *pass, x any) { p.challenge(x.(*challenge)) }},
		{&challenges{}, func(p *pass, x any) { p.challenges(x.(*challenges)) }},
		{&attempt{}, func(p *pass, x any) { p.attempt(x.(*attempt)) }},
		{&dialog{}, func(p *pass, x any) { p.dialog(x.(*dialog)) }},
		{&request{}, func(p *pass, x any) {
			q := x.(*request)
			if !p.Reading {
				q.rec.Add(&q.granted, []byte("<sip:a@b>"))
			}
			p.request(q)
		}},
		{&reception{}, func(p *pass, x any) { p.reception(x.(*reception)) }},
		{&quality{}, func(p *pass, x any) { q := x.(*quality); p.reports(&q); *x.(*quality) = *q }},
		{&subscription{}, func(p *pass, x any) { p.subscription(x.(*subscription)) }},
		{&hold{}, func(p *pass, x any) { p.hold(x.(*hold)) }},
		{&client{}, func(p *pass, x any) { p.client(x.(*client)) }},
		{&nonce{}, func(p *pass, x any) { p.nonce(x.(*nonce)) }},
		{&bad{}, func(p *pass, x any) { p.unusable(x.(*bad)) }},
		{&badReply{}, func(p *pass, x any) { p.reply(x.(*badReply)) }},
		{&aor{}, func(p *pass, x any) { p.aor(x.(*aor)) }},
		{&binding{}, func(p *pass, x any) { p.binding(x.(*binding)) }},
	} {
		typ := reflect.TypeOf(s.entry).Elem()
		t.Run(typ.Name(), func(t *testing.T) {
			f := &filler{now: siptest.Start}
			f.fill(typ.Name(), reflect.ValueOf(s.entry).Elem())
			w := &pass{t: New(DefaultConfig()), now: siptest.Start}
			s.walk(w, s.entry)
			r := &pass{t: New(DefaultConfig()), now: siptest.Start, Codec: codec.Codec{Reading: true, B: w.B}}
			got := reflect.New(typ)
			s.walk(r, got.Interface())
			if r.Bad || len(r.B) > 0 {
				t.Fatalf("what was written is refused; %d bytes are left", len(r.B))
			}
			compare(t, typ.Name(), reflect.ValueOf(s.entry).Elem(), got.Elem())
		})
	}
	for _, x := range []any{Tracker{}, registrar{}, calls{}, auth{}, wheel{}, callSet{}, bag[*dialog]{}} {
		typ := reflect.TypeOf(x)
		name, _, _ := strings.Cut(typ.Name(), "[")
		for i := range typ.NumField() {
			if field := name + "." + typ.Field(i).Name; unsaved[field] == "" && !held[field] {
				t.Errorf("%s is neither saved nor listed", field)
			}
		}
	}
}

// filler gives every field a value of its own.
type filler struct {
	now int64
	n   uint64
}

func (f *filler) fill(path string, v reflect.Value) {
	v = reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem()
	f.n++
	if x, ok := special[path]; ok {
		v.Set(reflect.ValueOf(x))
		return
	}
	switch x := v.Addr().Interface().(type) {
	case *timer:
		x.at, x.seq, x.where = f.now-int64(f.n), uint32(f.n), 1
		return
	case *netip.AddrPort:
		*x = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(f.n)}), uint16(f.n))
		return
	case *event.Event:
		x.Reset()
		x.SetString(&x.CallID, fmt.Sprint("call", f.n))
		x.Capture, x.Iface = "a.pcap", fmt.Sprint("eth", f.n)
		return
	case **event.Event:
		*x = &event.Event{}
		f.fill(path, reflect.ValueOf(x).Elem().Elem())
		return
	case *[]byte:
		*x = fmt.Appendf(nil, "text %d", f.n)
		if strings.HasSuffix(path, ".cold") {
			var e event.Event
			e.Reset()
			e.SetString(&e.CallID, "x")
			*x = e.AppendPacked(nil)
		}
		return
	case *event.List:
		return
	case **quality:
		*x = &quality{}
		f.fill(path, reflect.ValueOf(x).Elem().Elem())
		return
	case **hold:
		if unsaved[path] == "" {
			*x = &hold{}
			f.fill(path, reflect.ValueOf(x).Elem().Elem())
		}
		return
	case **agent:
		*x = &agent{text: "phone", uses: 1}
		return
	case **idle:
		*x = &idle{}
		f.fill(path, reflect.ValueOf(x).Elem().Elem())
		return
	case **origin:
		*x = &origin{"b.pcap", "eth1"}
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(f.now - int64(f.n))
	case reflect.Int, reflect.Int8:
		v.SetInt(1)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(1 + f.n%2)
	case reflect.Uint64:
		v.SetUint(f.n * 0x9e3779b97f4a7c15)
		if v.Type().Name() == "Anomalies" {
			v.SetUint(f.n)
		}
	case reflect.Float64:
		v.SetFloat(float64(f.n) + 0.5)
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Type().Name()+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			f.fill(path, v.Index(i))
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			v.Set(reflect.MakeSlice(v.Type(), 3, 3))
			for i := range v.Len() {
				f.fill(path, v.Index(i))
			}
		}
	}
}

// compare holds what was read against what was written.
func compare(t *testing.T, path string, want, got reflect.Value) {
	t.Helper()
	if unsaved[path] != "" {
		return
	}
	want = reflect.NewAt(want.Type(), unsafe.Pointer(want.UnsafeAddr())).Elem()
	got = reflect.NewAt(got.Type(), unsafe.Pointer(got.UnsafeAddr())).Elem()
	if e, ok := want.Addr().Interface().(*event.Event); ok {
		g := got.Addr().Interface().(*event.Event)
		if string(e.Bytes(e.CallID)) != string(g.Bytes(g.CallID)) || e.Capture != g.Capture || e.Iface != g.Iface {
			t.Errorf("%s differs", path)
		}
		return
	}
	if path == "request.granted" {
		want, got = want.FieldByName("count"), got.FieldByName("count")
		if want.Uint() != 1 || got.Uint() != 1 {
			t.Errorf("%s: %v were written and %v read", path, want, got)
		}
		return
	}
	switch {
	case want.Kind() == reflect.Struct && want.NumField() > 0 && want.Type().PkgPath() == reflect.TypeFor[hop]().PkgPath():
		for i := range want.NumField() {
			compare(t, want.Type().Name()+"."+want.Type().Field(i).Name, want.Field(i), got.Field(i))
		}
	case want.Kind() == reflect.Pointer && !want.IsNil() && !got.IsNil():
		compare(t, path, want.Elem(), got.Elem())
	case want.IsZero():
		t.Errorf("%s has no value in this test", path)
	case !reflect.DeepEqual(want.Interface(), got.Interface()):
		t.Errorf("%s: %v was written and %v read", path, want, got)
	}
}

// TestStateVersion: a change of what a snapshot holds is another format. Once a release
// has written the one before, StateVersion goes up with the digest here.
func TestStateVersion(t *testing.T) {
	const want = "91b5158b226d3a29"
	h := sha256.New()
	seen := map[reflect.Type]bool{}
	var describe func(typ reflect.Type)
	describe = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array:
			describe(typ.Elem())
		case reflect.Struct:
			if seen[typ] || !strings.HasPrefix(typ.PkgPath(), "github.com/sipcmbeat/") || typ == reflect.TypeFor[Tracker]() {
				return
			}
			seen[typ] = true
			for i := range typ.NumField() {
				f := typ.Field(i)
				if unsaved[typ.Name()+"."+f.Name] == "" {
					fmt.Fprintf(h, "%s.%s %s\n", typ.Name(), f.Name, f.Type)
					describe(f.Type)
				}
			}
		}
	}
	for _, x := range []any{attempt{}, dialog{}, request{}, subscription{}, hold{}, client{}, bad{}, badReply{}, aor{}, binding{}, event.Event{}, head{}} {
		describe(reflect.TypeOf(x))
	}
	if got := hex.EncodeToString(h.Sum(nil)[:8]); got != want {
		t.Errorf("what is kept has changed: raise StateVersion if a release has written %d, and put %q here", StateVersion, got)
	}
}
