package capture

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// A datagram or segment as the decoder gives it, owned.
type datagram struct {
	time      int64
	transport packet.Transport
	src, dst  netip.AddrPort
	payload   string
	cut       bool
	frame     int // counted from 1, of the last fragment
}

// decode reads files through a Decoder.
func decode(t *testing.T, path string) (got []datagram, drops [packet.NumDrops]int, errs []error) {
	t.Helper()
	s := open(t, FilesConfig{Paths: []string{path}})
	d := packet.New(packet.DefaultConfig())
	frames, errs := drain(s)
	for i := range frames {
		why := d.Decode(&frames[i])
		drops[why]++
		if why == packet.OK {
			got = append(got, datagram{d.Time, d.Transport, d.Src, d.Dst, string(d.Payload), d.Cut, i + 1})
		}
	}
	return got, drops, errs
}

// sip reports whether a payload starts like SIP; the lab's keep-alives don't.
func sip(payload string) bool {
	line, _, _ := strings.Cut(payload, "\r\n")
	return strings.HasPrefix(line, "SIP/2.0 ") || strings.HasSuffix(line, " SIP/2.0")
}

// The same packets under every link type and in every encapsulation that is read
// give the same messages at the same time.
func TestLabEncapsulations(t *testing.T) {
	dir := siptest.Shared(t, "lab/16-encap-a")
	want, _, errs := decode(t, filepath.Join(dir, "capture.pcap"))
	if errs != nil || len(want) != 164 { // of truth.json
		t.Fatalf("capture.pcap: %d datagrams, %v", len(want), errs)
	}
	for _, name := range []string{
		"plain-ether", "vlan", "qinq", "qinq-9100", "sll", "sll2", "rawip", "null", "loop", "nanosec", "bigendian", "ipopts",
		"vxlan", "vxlan-v6outer", "vxlan-fragmented", "vlan-vxlan-vlan", "geneve", "geneve-opt", "gtpu", "gtpu-ext",
		"gre", "gre-key-seq", "gre-teb", "gre-mpls", "gre-innerfrag", "erspan1", "erspan2", "erspan3", "ipip", "ip6ip",
		"mpls", "mpls-pw", "pppoe", "vlan-pppoe", "radiotap",
		"espnull-icv12", "espnull-icv16", "espnull-noicv", "espnull-tunnel-icv12", "espnull-natt4500",
	} {
		t.Run(name, func(t *testing.T) {
			got, drops, errs := decode(t, filepath.Join(dir, name+".pcap"))
			if errs != nil || len(got) != len(want) {
				t.Fatalf("%d datagrams, want %d: %v %v", len(got), len(want), drops, errs)
			}
			for i, g := range got {
				w := want[i]
				if g.payload != w.payload || g.src != w.src || g.dst != w.dst || g.cut {
					t.Fatalf("datagram %d: %v to %v %.40q, want %v to %v %.40q", i, g.src, g.dst, g.payload, w.src, w.dst, w.payload)
				}
				if d := g.time - w.time; d < -1000 || d > 3000 { // written from floats; a microsecond between fragments
					t.Fatalf("datagram %d: %d ns off", i, d)
				}
			}
		})
	}
	if got, drops, errs := decode(t, filepath.Join(dir, "sctp.pcap")); errs != nil || drops[packet.OK] != 236 || got[0].transport != packet.SCTP {
		t.Errorf("sctp: %d packets, %v %v", len(got), drops, errs)
	}
}

// truth reads how many packets and SIP messages tshark counts in each file of a
// scenario.
func truth(t *testing.T, dir string) map[string]struct {
	Packets     int
	SIPMessages int `json:"sip_messages"`
} {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "truth.json"))
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Tshark map[string]struct {
			Packets     int
			SIPMessages int `json:"sip_messages"`
		}
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v.Tshark
}

// Every lab capture that holds SIP over UDP gives as many frames and messages as
// tshark counts.
func TestLabCounts(t *testing.T) {
	lab := siptest.Shared(t, "lab")
	for _, name := range []string{
		"01-reg-a", "02-regedge-a", "04-calls-a", "05-failed-a", "07-fork-a", "09-ipv6-a", "10-frag-a", "14-scanners-a",
		"15-damage-a", "17-mixed-a", "20-retrans-a",
	} {
		t.Run(name, func(t *testing.T) {
			for file, want := range truth(t, filepath.Join(lab, name)) {
				if strings.Contains(file, "hep") {
					continue
				}
				path := filepath.Join(lab, name, file)
				if _, err := os.Stat(path); err != nil {
					path += ".gz" // the big ones
				}
				got, drops, errs := decode(t, path)
				frames, messages, tcp := 0, 0, false
				for _, n := range drops {
					frames += n
				}
				for _, g := range got {
					if tcp = tcp || g.transport == packet.TCP; g.transport == packet.UDP && sip(g.payload) {
						messages++
					}
				}
				truncated := strings.Contains(file, "truncated")
				if frames != want.Packets || truncated != (len(errs) == 1) {
					t.Errorf("%s: %d frames, want %d: %v", file, frames, want.Packets, errs)
				}
				// tshark also counts what ICMP errors quote.
				if messages+drops[packet.ICMPError] != want.SIPMessages && !tcp {
					t.Errorf("%s: %d messages, want %d: %v", file, messages, want.SIPMessages, drops)
				}
			}
		})
	}
}

// A file as it is, in pcapng, with nanoseconds and packed are one.
func TestLabFormats(t *testing.T) {
	dir := siptest.Shared(t, "lab/15-damage-a/calls")
	want, _, errs := decode(t, filepath.Join(dir, "asis-nsec.pcap"))
	if errs != nil || len(want) != 624 {
		t.Fatalf("%d datagrams, %v", len(want), errs)
	}
	for _, name := range []string{"asis.pcapng", "asis.pcap.gz", "trailer-nochksum.pcap"} {
		got, _, errs := decode(t, filepath.Join(dir, name))
		if errs != nil || len(got) != len(want) {
			t.Fatalf("%s: %d datagrams, %v", name, len(got), errs)
		}
		for i, g := range got {
			if w := want[i]; g != w {
				t.Fatalf("%s: datagram %d: %+v, want %+v", name, i, g, w)
			}
		}
	}
	for name, snap := range map[string]int{"snap256.pcap": 256, "snap512.pcap": 512} {
		got, _, errs := decode(t, filepath.Join(dir, name))
		if errs != nil || len(got) != len(want) {
			t.Fatalf("%s: %d datagrams, %v", name, len(got), errs)
		}
		for i, g := range got {
			w := want[i].payload
			if len(w) > snap-42 { // behind Ethernet, IPv4 and UDP
				w = w[:snap-42]
			}
			if g.payload != w || g.cut != (len(w) < len(want[i].payload)) {
				t.Fatalf("%s: datagram %d: %d bytes, cut %v; want %d", name, i, len(g.payload), g.cut, len(w))
			}
		}
	}
}

// The captures of other projects, against their manifest and what tshark says of
// every SIP message in a UDP datagram without a tunnel.
func TestCorpus(t *testing.T) {
	dir := siptest.Shared(t, "corpus")
	manifest, err := os.ReadFile(filepath.Join(dir, "MANIFEST.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(strings.TrimSpace(string(manifest)), "\n")
	column := map[string]int{}
	for i, name := range strings.Split(rows[0], "\t") {
		column[name] = i
	}
	messages := 0
	for _, row := range rows[1:] {
		cells := strings.Split(row, "\t")
		name := cells[column["capture"]]
		packets, err := strconv.Atoi(cells[column["packets"]])
		if err != nil {
			t.Fatal(err)
		}
		got, drops, errs := decode(t, filepath.Join(dir, name))
		frames := 0
		for _, n := range drops {
			frames += n
		}
		if short := strings.Contains(name, ".siponly."); errs != nil || frames != packets && !short {
			t.Errorf("%s: %d frames, want %d: %v", name, frames, packets, errs)
		}
		messages += compareCorpus(t, name, got, filepath.Join(dir, "reference", name+".jsonl"))
	}
	if messages < 1000 {
		t.Errorf("only %d messages compared", messages)
	}
	t.Logf("%d messages compared", messages)
}

func readGzip(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	r, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func compareCorpus(t *testing.T, name string, got []datagram, reference string) (messages int) {
	b, err := os.ReadFile(reference)
	if err != nil {
		b, err = readGzip(reference + ".gz")
	}
	if err != nil {
		t.Fatal(err)
	}
	byFrame := map[int]datagram{}
	for _, g := range got {
		byFrame[g.frame] = g
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var m struct {
			Frame            int
			TS               float64
			Src, Dst, Layers string
			Transport        string
			ICMP             bool
		}
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		if m.Transport != "udp" || m.ICMP || strings.Count(m.Layers, "ip") != 1 && strings.Count(m.Layers, "ipv6") != 1 || strings.Contains(m.Layers, "gtp") ||
			strings.Contains(m.Layers, "esp") || strings.Contains(m.Layers, "pppoe") || strings.Contains(m.Layers, "gre") || strings.Contains(m.Layers, "hep") {
			continue
		}
		g, ok := byFrame[m.Frame]
		src, dst := g.src.String(), g.dst.String()
		if g.src.Addr().Is6() { // tshark writes no brackets
			src, dst = strings.NewReplacer("[", "", "]", "").Replace(src), strings.NewReplacer("[", "", "]", "").Replace(dst)
			m.Src, m.Dst = strings.NewReplacer("[", "", "]", "").Replace(m.Src), strings.NewReplacer("[", "", "]", "").Replace(m.Dst)
		}
		if !ok || src != m.Src || dst != m.Dst || math.Abs(float64(g.time)/1e9-m.TS) > 1e-5 {
			t.Errorf("%s: frame %d: %v to %v at %d, want %s to %s at %f (%s)", name, m.Frame, src, dst, g.time, m.Src, m.Dst, m.TS, m.Layers)
			continue
		}
		messages++
	}
	return messages
}
