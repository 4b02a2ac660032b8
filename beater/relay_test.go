package beater

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/hep"
	"github.com/sipcmbeat/sipcmbeat/internal/relay"
)

// A run sends each message that it follows, and does not end before they have left.
func TestHEPOutput(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan int, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		var all []byte
		b, n := make([]byte, 1<<16), 0
		for {
			m, err := c.Read(b)
			all = append(all, b[:m]...)
			for {
				size, ok := hep.Length(all)
				if !ok || size == 0 || size > len(all) {
					break
				}
				var p hep.Packet
				if hep.Decode(all[:size], &p, 0) == hep.OK {
					n++
				}
				all = all[size:]
			}
			if err != nil {
				got <- n
				return
			}
		}
	}()
	p := newPipe(true)
	r, _, done := start(t, p, calls+fmt.Sprintf("hep_output: {targets: %q, transport: tcp}", l.Addr()))
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	s := r.engine.Stats()
	messages := s.Track.Requests + s.Track.Responses
	select {
	case n := <-got:
		if uint64(n) != messages || messages == 0 {
			t.Errorf("%d of %d messages arrived", n, messages)
		}
	case <-time.After(patience):
		t.Fatal("the connection stays open")
	}
}

// A receiver that is not there holds the end of a run no longer than
// shutdown_timeout.
func TestHEPOutputNowhere(t *testing.T) {
	p := newPipe(true)
	r, _, done := start(t, p, calls+"shutdown_timeout: 50ms\nhep_output: {targets: \"127.0.0.1:1\", transport: tcp}")
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	if st := r.out.relay.Stats().Targets[0]; st.Waiting == 0 || st.Sent != 0 || p.count() != 80 {
		t.Errorf("%+v, %d events", st, p.count())
	}
}

func TestRelayLine(t *testing.T) {
	s := relay.Stats{Seen: 9, Filtered: 1, Targets: []relay.TargetStats{{Addr: "a:1", Sent: 5, Full: 3}, {Addr: "b:1", Sent: 8}}}
	const want = "HEP output: 9 messages seen, of them 1 not wanted; to a:1 5 sent, 3 lost by the full buffer (hep_output.buffer); to b:1 8 sent"
	if got := relayLine(&s, false); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	s = relay.Stats{Seen: 2, Targets: []relay.TargetStats{{Addr: "a:1", Waiting: 2}}}
	for ended, want := range map[bool]string{false: "; to a:1 0 sent, 2 waiting", true: "; to a:1 0 sent, 2 lost at the end"} {
		if got := relayLine(&s, ended); !strings.HasSuffix(got, want) {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}

func TestNotices(t *testing.T) {
	var n notices
	at := time.Unix(1e9, 0)
	for i, want := range []string{"said", "said", "", "", "said (2 times more since the last line)"} {
		got := ""
		if i == 4 {
			at = at.Add(time.Minute)
		}
		if held, ok := n.say("a:1", at); ok {
			got = "said" + held
		}
		if got != want {
			t.Errorf("line %d: %q, want %q", i, got, want)
		}
	}
}
