package beater

import (
	"testing"
	"time"
)

// TestDropsCheck: what is told of losses is all of them, not those of the last look.
func TestDropsCheck(t *testing.T) {
	r := &run{}
	begin := time.Now()
	const lost = " lost by the kernel or the interface, the last within the last minute, "
	for _, step := range []struct {
		after   time.Duration
		dropped uint64
		want    string // "" is well
	}{
		{0, 7, ""}, // of the start
		{2 * time.Second, 7, ""},
		{4 * time.Second, 107, "100 packets" + lost + "107 since the start (pcap_buf_kb, workers)"},
		{30 * time.Second, 110, "103 packets" + lost + "110 since the start (pcap_buf_kb, workers)"},
		{80 * time.Second, 110, "103 packets" + lost + "110 since the start (pcap_buf_kb, workers)"},
		{90 * time.Second, 110, ""},
		{92 * time.Second, 111, "1 packet" + lost + "111 since the start (pcap_buf_kb, workers)"},
	} {
		now := begin.Add(step.after)
		r.health.drops(step.dropped, now)
		if c := r.dropsCheck(now); c.OK != (step.want == "") || !c.OK && c.Detail != step.want {
			t.Errorf("after %v: %v, %q, want %q", step.after, c.OK, c.Detail, step.want)
		}
	}
}
