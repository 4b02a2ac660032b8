package privacy

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/hep"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
)

// feed sends OPTIONS and their answers by HEP, until stop is closed; it gives the number of
// those that it has sent, and tells of each on sent.
func feed(t *testing.T, to string, stop <-chan struct{}, sent chan<- int) {
	conn, err := net.Dial("udp", to)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	alice, server := netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("198.51.100.1:5060")
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		for i, first := range []string{"OPTIONS sip:bob@example.com SIP/2.0", "SIP/2.0 200 OK"} {
			m := hep.Message{Version: 3, Protocol: 17, Type: hep.TypeSIP, Src: alice, Dst: server, Time: time.Now().UnixNano(), CaptureID: 7,
				Payload: fmt.Appendf(nil, "%s\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%d\r\nFrom: <sip:alice@example.com>;tag=tag%d\r\nTo: <sip:bob@example.com>\r\n"+
					"Call-ID: call-%d\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n", first, n, n, n)}
			if i == 1 {
				m.Src, m.Dst = m.Dst, m.Src
			}
			b, _ := m.Append(nil)
			if _, err := conn.Write(b); err != nil {
				t.Error(err)
				return
			}
		}
		select {
		case sent <- n + 1:
		case <-stop:
			return
		}
		<-tick.C
	}
}

// TestRotation: the key changes by SIGHUP while messages come. Each record has the id of
// the key that it was made with, none is lost, and both keys open all of them; with one,
// decrypt says which is missing.
func TestRotation(t *testing.T) {
	dir, listen := t.TempDir(), here+":"+freePort(t)
	settings := filepath.Join(dir, "key.yml")
	write := func(text string) {
		if err := os.WriteFile(settings+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(settings+".new", settings); err != nil {
			t.Fatal(err)
		}
	}
	write("sipcmbeat.privacy.key: " + testKey.Text() + "\n")
	groups := everything("encrypt")
	d := begin(t, []string{"-E", "sipcmbeat.inputs=[{type: hep, listen: \"udp:" + listen + "\"}]"},
		join(groups[:len(groups)-2], []string{"-c", settings, "-E", "state.enabled=false", "-E", "evr_limits=none", "-E", "messages.enabled=false", "-E", "http.max_events=10"})...)
	stop, sent := make(chan struct{}), make(chan int)
	go feed(t, listen, stop, sent)
	made := func(key privacy.Key) int { return bytes.Count(outputs(t, d), []byte(`"key_id":"`+key.ID()+`"`)) }
	total := 0
	until := func(what string, is func() bool) {
		d.until(what, func() bool { total = max(total, drain(sent)); return is() })
	}
	until("records of the first key", func() bool { return made(testKey) >= 50 })
	write("sipcmbeat.privacy: {key: " + otherKey.Text() + ", old_keys: [" + testKey.Text() + "]}\n")
	if err := d.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	until("records of the second key", func() bool { return made(otherKey) >= 50 })
	close(stop)
	d.until("all records", func() bool { return bytes.Count(outputs(t, d), []byte(`"other-ok"`)) >= total })
	d.stop()

	var all []byte
	last, changes, count := "", 0, 0
	for line := range bytes.Lines(outputs(t, d)) {
		if !bytes.Contains(line, []byte(`"other-ok"`)) || !bytes.Contains(line, []byte(`"call_id"`)) {
			continue // of statistics and indicators
		}
		all = append(all, line...)
		count++
		if id := records(t, line)[0].Sipcmbeat.Privacy.KeyID; id != last {
			last = id
			changes++
		}
	}
	if changes != 2 || last != otherKey.ID() || count < total {
		t.Errorf("%d records of %d sent, the key changes %d times, at last to %q", count, total, changes, last)
	}
	if strings.Contains(d.output.String(), testKey.Text()) || strings.Contains(d.output.String(), otherKey.Text()) {
		t.Error("a key is in the log")
	}
	opened, errs, ok := decrypted(t, all, keyFile(t, otherKey, testKey)...)
	if r := records(t, opened); !ok || len(r) != count {
		t.Fatalf("with both keys %d records of %d open: %s", len(r), count, errs)
	}
	for i, r := range records(t, opened) {
		if r.SIP.From.URI.Original != "sip:alice@example.com" || !strings.HasPrefix(r.SIP.CallID, "call-") || r.Source.IP.String() != "192.0.2.1" {
			t.Fatalf("record %d opens to %+v", i, r)
		}
	}
	opened, errs, ok = decrypted(t, all, keyFile(t, otherKey)...)
	if n := len(records(t, opened)); ok || n == 0 || n >= count || !strings.Contains(errs, testKey.ID()) {
		t.Errorf("with the second key alone %d records of %d open: %s", n, count, errs)
	}
}

// drain takes what waits, and gives the last of it.
func drain(sent <-chan int) (last int) {
	for {
		select {
		case last = <-sent:
		case <-time.After(time.Millisecond):
			return last
		}
	}
}
