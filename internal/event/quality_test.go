package event

import (
	"strings"
	"testing"
)

// TestQuality: what goes in comes out, in a copy too, and what is not known is not
// rendered.
func TestQuality(t *testing.T) {
	var e, copied Event
	e.Reset()
	if _, ok := e.Quality(); ok {
		t.Error("a record without reports has quality")
	}
	q := Quality{Ends: [2]Heard{{1000, 1, -1, 0, 1<<31 - 1, 20, 93200, 1 << 40, 0}, Unheard}, MOS: -1, Reports: 7}
	e.SetQuality(&q)
	e.Type = CallEnd
	copied.CopyFrom(&e)
	if got, ok := copied.Quality(); !ok || got != q {
		t.Errorf("%+v, want %+v", got, q)
	}
	text := string(AppendJSON(nil, &copied, nil))
	if want := `"qos":{"caller":{"delay_ms":0.02,"jitter_ms":2147483.647,"loss_max_pct":0,"lost":0,"mos":1,"mos_min":0.001,"packets":1099511627776,"r_factor":93.2},"reports":7}`; !strings.Contains(text, want) {
		t.Errorf("no %s in %s", want, text)
	}
	if n := testing.AllocsPerRun(100, func() {
		e.Reset()
		e.SetQuality(&q)
		e.Quality()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
