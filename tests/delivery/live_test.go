package delivery

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/hep"
	"github.com/sipcmbeat/sipcmbeat/tests/stores"
)

var fullQueue = regexp.MustCompile(`lost: (\d+) events by the full queue \(event_buffer_size\)`)

// A live run does not wait for its output: what the queue could not hold is counted
// and said, and all the rest arrives.
func TestLive(t *testing.T) {
	s := stores.Elasticsearch(t, stores.Options{})
	const name = "delivery-live"
	listen, err := stores.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	s.Kill(t)
	b := begin(t, t.TempDir(), fmt.Sprintf("sipcmbeat: {inputs: [{type: hep, listen: ['tcp:%s']}], event_buffer_size: 1000, evr_limits: none, stats_interval: 0, shutdown_timeout: 60s}\n", listen)+
		elasticsearchConfig(s.URL, name)+"queue.mem: {events: 256, flush.min_events: 128}\n")
	var conn net.Conn
	b.until("listener", func() bool {
		conn, err = net.Dial("tcp", listen)
		return err == nil
	})
	defer conn.Close()
	var stream []byte
	at := time.Now().UnixNano()
	for n := range calls {
		for i, text := range messages(n, "") {
			src, dst := way(text)
			m := hep.Message{Version: 3, Protocol: 17, Type: hep.TypeSIP, Src: src, Dst: dst, Time: at + int64(n*5+i)*int64(time.Microsecond), Payload: []byte(text)}
			var ok bool
			if stream, ok = m.Append(stream); !ok {
				t.Fatal("no HEP packet")
			}
		}
	}
	if _, err := conn.Write(stream); err != nil {
		t.Fatal(err)
	}
	b.says(unreachable...)
	conn.Close()
	s.Start(t)
	b.until("delivery", func() bool { return b.counter("libbeat.pipeline.events.active") == 0 && len(s.All(t, name)) >= 1000 })
	b.stop()
	b.exits(0)
	m := fullQueue.FindStringSubmatch(b.log())
	if m == nil {
		t.Fatalf("nothing is said of the full queue: %s", b.log())
	}
	lost, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	all := documents(t, s, name)
	for _, id := range all {
		ids[id] = true
	}
	t.Logf("%d events, %d found, %d lost by the full queue", sent, len(ids), lost)
	if len(ids)+lost != sent || len(all) != len(ids) || lost == 0 {
		t.Errorf("%d found in %d documents, %d lost of %d", len(ids), len(all), lost, sent)
	}
	if !strings.Contains(b.log(), fmt.Sprintf("delivered: %d events", len(ids))) {
		t.Errorf("the last line: %s", b.log())
	}
	special.note("a live run, the server down for longer than the queue lasts", "found", "what the queue held; the rest is counted in the status line, and both make the sum")
}
