package stream_test

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/gopacket/pcapgo"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
	"github.com/sipcmbeat/sipcmbeat/internal/stream"
)

// A tally is what was found in a capture.
type tally struct {
	udp      int // messages over UDP
	tcp      int // messages over TCP
	unusable int // of them
	units    [stream.NumKinds]int
	stats    stream.Stats
}

// count reads a capture as a lane does.
func count(t testing.TB, path string, listed func(p *packet.Packet) stream.Ports) (n tally) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	src, err := pcapgo.NewReader(bufio.NewReaderSize(file, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	d := packet.New(packet.DefaultConfig())
	a := stream.New(stream.DefaultConfig())
	var u stream.Unit
	var m sip.Message
	take := func() {
		for a.Next(&u) {
			n.units[u.Kind]++
			if u.Kind == stream.Message {
				n.tcp++
				if m.Parse(u.Payload, u.Cut) != sip.OK {
					n.unusable++
				}
			}
		}
	}
	for {
		data, info, err := src.ZeroCopyReadPacketData()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		f := packet.Frame{Time: info.Timestamp.UnixNano(), Link: packet.Link(src.LinkType()), Data: data, Wire: info.Length}
		a.Advance(f.Time)
		take()
		if d.Decode(&f) != packet.OK {
			continue
		}
		if d.Transport == packet.UDP {
			if kind, _ := sip.Classify(d.Payload); kind == sip.KindSIP && m.Parse(d.Payload, d.Cut) == sip.OK {
				n.udp++
			}
			continue
		}
		a.Push(&d.Packet, listed(&d.Packet))
		take()
	}
	a.Flush()
	take()
	n.stats = a.Stats()
	if err := n.stats.Check(); err != nil {
		t.Error(err)
	}
	if n.stats.Held != 0 || n.stats.Streams != 0 {
		t.Errorf("left: %+v", n.stats)
	}
	return n
}

func all(*packet.Packet) stream.Ports { return stream.PortSIP }

func none(*packet.Packet) stream.Ports { return stream.PortAny }

// Lab captures against what tshark counts over UDP and TCP together, and over TCP
// against testdata/count.py, which knows nothing of this package.
func TestLab(t *testing.T) {
	lab := siptest.Shared(t, "lab")
	for _, c := range []struct {
		name       string
		tcp        int
		keepAlives int
		tsharkLess int // it stops at CRLFCRLF in a segment
	}{
		{"08-tcp-a", 410, 0, 0},
		{"08-tcpmtu-a", 174, 0, 0},
		{"08-tcpmtu-b", 254, 0, 0},
		{"08-tcpsplit-a", 232, 28, 35}, // of 60 requests in trains it sees 25
		{"09-ipv6-a", 56, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(lab, c.name, "truth.json"))
			if err != nil {
				t.Fatal(err)
			}
			var truth struct {
				Tshark map[string]struct {
					SIPMessages int `json:"sip_messages"`
				}
			}
			if err := json.Unmarshal(b, &truth); err != nil {
				t.Fatal(err)
			}
			n := count(t, filepath.Join(lab, c.name, "capture.pcap"), all)
			want := [stream.NumKinds]int{stream.Message: c.tcp, stream.KeepAlive: c.keepAlives}
			if n.units != want || n.unusable != 0 {
				t.Errorf("%v units, want %v; %d unusable", n.units, want, n.unusable)
			}
			if tshark := truth.Tshark["capture.pcap"].SIPMessages; n.udp+n.tcp != tshark+c.tsharkLess {
				t.Errorf("%d messages over UDP and %d over TCP, want %d and %d more", n.udp, n.tcp, tshark, c.tsharkLess)
			}
			// On ports that are not listed a direction is taken up by a whole start line, which
			// a client that writes byte by byte sends in no segment. Nothing else may differ.
			n = count(t, filepath.Join(lab, c.name, "capture.pcap"), none)
			if c.name == "08-tcpsplit-a" {
				want[stream.Message] -= 30
			}
			if n.units != want || n.unusable != 0 {
				t.Errorf("not listed: %v units, want %v; %d unusable", n.units, want, n.unusable)
			}
		})
	}
}

// Generated traffic, of which a fifth of the messages are cut at random places,
// against what its generator wrote down.
func TestGenerated(t *testing.T) {
	script := filepath.Join(siptest.Shared(t, "perf"), "genload.py")
	if _, err := exec.LookPath("python3"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("needs python3: %v", err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "load.pcap")
	messages := 20000
	if testing.Short() {
		messages = 2000
	}
	out, err := exec.Command("python3", script, path, "--tcp", "--msgs", strconv.Itoa(messages)).Output()
	if err != nil {
		t.Fatal(err)
	}
	var truth struct {
		Messages   int            `json:"sip_messages"`
		Malformed  map[string]int `json:"malformed"`
		KeepAlives int            `json:"keepalives"`
		Events     map[string]int `json:"events"`
	}
	if err := json.Unmarshal(out, &truth); err != nil {
		t.Fatal(err)
	}
	broken := 0
	for kind, n := range truth.Malformed {
		if kind != "truncated" {
			broken += n
		}
	}
	want := [stream.NumKinds]int{
		stream.Message:    truth.Messages + broken,
		stream.Unfinished: truth.Malformed["truncated"],
		stream.Probe:      truth.Events["msg-probe"],
		stream.KeepAlive:  truth.KeepAlives,
	}
	n := count(t, path, all)
	if n.units != want || n.unusable != broken {
		t.Errorf("%v units, want %v; %d unusable, want %d\n%+v", n.units, want, n.unusable, broken, n.stats)
	}
}
