package capture

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// frames are n Ethernet frames of a millisecond and a nanosecond each.
func frames(n int) []packet.Frame {
	src, dst := netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("192.0.2.2:5060")
	out := make([]packet.Frame, n)
	for i := range out {
		data := siptest.UDPFrame(src, dst, fmt.Appendf(nil, "OPTIONS sip:%d@example.com SIP/2.0\r\n", i))
		out[i] = packet.Frame{Time: 1732266000*1e9 + int64(i)*1_000_001, Link: packet.LinkEthernet, Data: data, Wire: len(data)}
	}
	return out
}

func pcapOf(t *testing.T, link packet.Link, frames []packet.Frame) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := siptest.WritePcap(&b, link, frames); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pcapngOf(t *testing.T, frames []packet.Frame) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := siptest.WritePcapng(&b, frames); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zip(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

func write(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, cfg FilesConfig) *Files {
	t.Helper()
	s, err := NewFiles(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// drain reads all there is: copies of the frames, and the errors.
func drain(s *Files) (got []packet.Frame, errs []error) {
	var f packet.Frame
	for {
		switch err := s.Next(&f); {
		case err == io.EOF:
			return got, errs
		case err != nil:
			errs = append(errs, err)
		default:
			c := f
			c.Data = bytes.Clone(f.Data)
			got = append(got, c)
		}
	}
}

func same(t *testing.T, got, want []packet.Frame) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d frames, want %d", len(got), len(want))
	}
	for i, g := range got {
		w := want[i]
		if g.Time != w.Time || g.Link != w.Link || g.Wire != w.Wire || g.Source != w.Source || !bytes.Equal(g.Data, w.Data) {
			t.Fatalf("frame %d: %d %v %d bytes of %d from %d, want %d %v %d of %d from %d", i,
				g.Time, g.Link, len(g.Data), g.Wire, g.Source, w.Time, w.Link, len(w.Data), w.Wire, w.Source)
		}
	}
}

// swapped turns a little-endian pcap file into a big-endian one.
func swapped(b []byte) []byte {
	b = bytes.Clone(b)
	swap := func(at, n int) { slices.Reverse(b[at : at+n]) }
	for _, field := range [][2]int{{0, 4}, {4, 2}, {6, 2}, {8, 4}, {12, 4}, {16, 4}, {20, 4}} {
		swap(field[0], field[1])
	}
	for at := 24; at < len(b); {
		n := int(binary.LittleEndian.Uint32(b[at+8:]))
		for i := range 4 {
			swap(at+4*i, 4)
		}
		at += 16 + n
	}
	return b
}

// patched turns a little-endian pcap file in microseconds into one of the patched
// libpcap, in either byte order.
func patched(b []byte, big bool) []byte {
	order := binary.AppendByteOrder(binary.LittleEndian)
	if big {
		order = binary.BigEndian
	}
	out := order.AppendUint32(nil, magicPatched)
	out = order.AppendUint16(out, 2)
	out = order.AppendUint16(out, 4)
	for at := 8; at < 24; at += 4 {
		out = order.AppendUint32(out, binary.LittleEndian.Uint32(b[at:]))
	}
	for at := 24; at < len(b); {
		for i := range 4 {
			out = order.AppendUint32(out, binary.LittleEndian.Uint32(b[at+4*i:]))
		}
		out = order.AppendUint32(out, 7)      // interface index
		out = order.AppendUint16(out, 0x0800) // protocol
		out = append(out, 4, 0)               // outgoing, padding
		n := int(binary.LittleEndian.Uint32(b[at+8:]))
		out = append(out, b[at+16:at+16+n]...)
		at += 16 + n
	}
	return out
}

func TestFormats(t *testing.T) {
	want := frames(20)
	want[3].Data, want[3].Wire = want[3].Data[:40], len(want[3].Data) // a snap length
	want[4].Data, want[4].Wire = []byte{}, 60
	nano := pcapOf(t, packet.LinkEthernet, want)
	micro := bytes.Clone(nano)
	binary.LittleEndian.PutUint32(micro, 0xa1b2c3d4)
	inMicro := slices.Clone(want)
	for i, at := 0, 24; at < len(micro); i++ {
		fraction := binary.LittleEndian.Uint32(micro[at+4:])
		binary.LittleEndian.PutUint32(micro[at+4:], fraction/1000)
		inMicro[i].Time = want[i].Time / 1000 * 1000
		at += 16 + len(want[i].Data)
	}
	ng := pcapngOf(t, want)
	fcs := bytes.Clone(nano)
	fcs[23] = 0x24 // the frame check sequence is 4 bytes long
	snap := bytes.Clone(nano)
	snap[16], snap[17], snap[18], snap[19] = 10, 0, 0, 0 // shorter than every packet
	noWire := bytes.Clone(nano)
	for at := 24; at < len(noWire); {
		n := int(binary.LittleEndian.Uint32(noWire[at+8:]))
		clear(noWire[at+12 : at+16])
		at += 16 + n
	}
	wireIsCaptured := slices.Clone(want)
	for i := range want {
		wireIsCaptured[i].Wire = len(want[i].Data)
	}
	for _, c := range []struct {
		name string
		file []byte
		want []packet.Frame
	}{
		{"nanoseconds", nano, want},
		{"microseconds", micro, inMicro},
		{"nanoseconds big-endian", swapped(nano), want},
		{"microseconds big-endian", swapped(micro), inMicro},
		{"modified", patched(micro, false), inMicro},
		{"modified big-endian", patched(micro, true), inMicro},
		{"modified gzip", zip(patched(micro, false)), inMicro},
		{"pcapng", ng, want},
		{"gzip", zip(nano), want},
		{"gzip in two members", append(zip(nano[:500]), zip(nano[500:])...), want},
		{"pcapng gzip", zip(ng), want},
		{"frame check sequence", fcs, want},
		{"packets longer than the snap length", snap, want},
		{"no wire length", noWire, wireIsCaptured},
		{"no packets", nano[:24], nil},
		{"pcapng without packets", ng[:28], nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, FilesConfig{Paths: []string{write(t, "name says nothing.txt", c.file)}})
			got, errs := drain(s)
			if errs != nil {
				t.Fatal(errs)
			}
			same(t, got, c.want)
			var bytes uint64
			for _, f := range c.want {
				bytes += uint64(len(f.Data))
			}
			if st := s.Stats(); st != (Stats{Frames: uint64(len(c.want)), Bytes: bytes}) {
				t.Errorf("%+v", st)
			}
		})
		t.Run(c.name+", standard input", func(t *testing.T) {
			// A pipe gives what it likes at a time.
			in := io.MultiReader(bytes.NewReader(c.file[:min(3, len(c.file))]), &dribble{c.file[min(3, len(c.file)):]})
			s := open(t, FilesConfig{Paths: []string{"-"}, Stdin: in})
			got, errs := drain(s)
			if errs != nil {
				t.Fatal(errs)
			}
			same(t, got, c.want)
			if s.Name() != "-" {
				t.Errorf("name %q", s.Name())
			}
		})
	}
}

type dribble struct{ left []byte }

func (d *dribble) Read(b []byte) (int, error) {
	if len(d.left) == 0 {
		return 0, io.EOF
	}
	n := copy(b, d.left[:min(len(d.left), 17)])
	d.left = d.left[n:]
	return n, nil
}

func TestLinkTypes(t *testing.T) {
	for _, l := range packet.Links() {
		f := frames(1)
		f[0].Link = l
		s := open(t, FilesConfig{Paths: []string{write(t, "a.pcap", pcapOf(t, l, f)), write(t, "b.pcapng", pcapngOf(t, f))}})
		got, errs := drain(s)
		if errs != nil {
			t.Fatal(errs)
		}
		same(t, got, []packet.Frame{f[0], f[0]})
	}
}

func TestSeveralFiles(t *testing.T) {
	dir := t.TempDir()
	all := frames(9)
	for name, part := range map[string][]packet.Frame{"c.pcap": all[0:3], "a.pcap": all[3:6], "b.pcap": all[6:9], "[x].pcap": all[0:1]} {
		if err := os.WriteFile(filepath.Join(dir, name), pcapOf(t, packet.LinkEthernet, part), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "d.pcap"), 0o700); err != nil { // a pattern passes over it
		t.Fatal(err)
	}
	in := func(names ...string) (paths []string) {
		for _, n := range names {
			paths = append(paths, filepath.Join(dir, n))
		}
		return paths
	}
	for _, c := range []struct {
		name  string
		paths []string
		want  []packet.Frame
		names []string
	}{
		{"in the order given", in("c.pcap", "a.pcap"), all[0:6], in("c.pcap", "a.pcap")},
		{"pattern by name", in("[a-c].pcap"), slices.Concat(all[3:6], all[6:9], all[0:3]), in("a.pcap", "b.pcap", "c.pcap")},
		{"pattern and file", in("c.pcap", "[ab].pcap"), all, in("c.pcap", "a.pcap", "b.pcap")},
		{"a name that looks like a pattern", in("[x].pcap"), all[0:1], in("[x].pcap")},
		{"the same twice", in("c.pcap", "c.pcap"), slices.Concat(all[0:3], all[0:3]), in("c.pcap", "c.pcap")},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, FilesConfig{Paths: c.paths})
			var got []packet.Frame
			var names []string
			for {
				var f packet.Frame
				if err := s.Next(&f); err == io.EOF {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				f.Data = bytes.Clone(f.Data)
				got = append(got, f)
				if n := s.Name(); len(got)%3 == 1 || len(names) == 0 {
					names = append(names, n)
				}
			}
			same(t, got, c.want)
			if !slices.Equal(names, c.names) {
				t.Errorf("names %q, want %q", names, c.names)
			}
		})
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing.pcap")
	secret := filepath.Join(dir, "a\nb.pcap")
	for _, c := range []struct {
		name string
		cfg  FilesConfig
		want string
	}{
		{"none", FilesConfig{}, "pcap: no file is given"},
		{"empty name", FilesConfig{Paths: []string{""}}, `pcap: "" is not allowed; allowed: a file, a pattern, or - for standard input`},
		{"missing", FilesConfig{Paths: []string{missing}}, fmt.Sprintf("open capture %q: no such file or directory", missing)},
		{"a line break in the name", FilesConfig{Paths: []string{secret}}, fmt.Sprintf("open capture %q: no such file or directory", secret)},
		{"directory", FilesConfig{Paths: []string{dir}}, fmt.Sprintf("open capture %q: is a directory; name files or a pattern such as %q", dir, dir+"/*.pcap")},
		{"pattern", FilesConfig{Paths: []string{dir + "/*.pcap"}}, fmt.Sprintf("open capture %q: no file matches", dir+"/*.pcap")},
		{"bad pattern", FilesConfig{Paths: []string{dir + "/[.pcap"}}, fmt.Sprintf("open capture %q: syntax error in pattern", dir+"/[.pcap")},
		{"standard input twice", FilesConfig{Paths: []string{"-", "-"}}, "pcap: - (standard input) can be read only once"},
		{"standard input in a loop", FilesConfig{Paths: []string{"-"}, Loop: 2}, "pcap_loop: 2 is not allowed with - (standard input), which can be read only once"},
		{"loop", FilesConfig{Paths: []string{"x"}, Loop: -2}, "pcap_loop: -2 is not allowed; allowed: how often, 0 (once), -1 for ever"},
		{"scale", FilesConfig{Paths: []string{"x"}, Scale: -1}, "replay_scale: -1 is not allowed; allowed: above 0 to 1e6, 0 (as 1)"},
		{"min", FilesConfig{Paths: []string{"x"}, MinDelay: -1}, "replay_min_delay: -1ns is not allowed; allowed: 0 and above"},
		{"max", FilesConfig{Paths: []string{"x"}, MaxDelay: -1}, "replay_max_delay: -1ns is not allowed; allowed: 0 (no limit) and above"},
		{"min above max", FilesConfig{Paths: []string{"x"}, MinDelay: 2, MaxDelay: 1}, "replay_min_delay: 2ns is more than replay_max_delay, 1ns"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := NewFiles(c.cfg)
			if err == nil || err.Error() != c.want {
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
	if err := DefaultFilesConfig().Validate(); err == nil || err.Error() != "pcap: no file is given" {
		t.Errorf("default: %v", err)
	}
}

// Errors are one line that names the file, what is wrong and what is allowed. The
// frames before the damage come first, and the next file is read all the same.
func TestReadErrors(t *testing.T) {
	all := frames(5)
	good := pcapOf(t, packet.LinkEthernet, all)
	ng := pcapngOf(t, all)
	change := func(b []byte, at int, to ...byte) []byte {
		b = bytes.Clone(b)
		copy(b[at:], to)
		return b
	}
	record := 16 + len(all[0].Data) // each has this length
	enhanced := 28 + len(all[0].Data) + 4
	enhanced += -len(all[0].Data) & 3
	firstBlock := len(ng) - 5*enhanced
	custom := orders["little-endian"].block(0x0bad, make([]byte, 400))
	mixed := frames(2)
	mixed[0].Link, mixed[1].Link = 220, 239
	for _, c := range []struct {
		name  string
		file  []byte
		count int
		want  string
	}{
		{"empty", nil, 0, "empty file"},
		{"empty once unpacked", zip(nil), 0, "empty file, once unpacked"},
		{"one byte", []byte{0xd4}, 0, `is no capture file (pcap or pcapng, gzip allowed): starts with "\xd4"`},
		{"text", []byte("INVITE sip:bob@example.com SIP/2.0\r\n"), 0, `is no capture file (pcap or pcapng, gzip allowed): starts with "INVITE sip:bob@e"`},
		{"text unpacked", zip([]byte("hello")), 0, `is no capture file (pcap or pcapng, gzip allowed): starts with "hello"`},
		{"gzip twice", zip(zip(good)), 0, "is compressed by gzip twice; unpack it once: gzip -d"},
		{"zstd", []byte("\x28\xb5\x2f\xfd\x04\x58"), 0, "is compressed by zstd; unpack it: zstd -d"},
		{"snoop", []byte("snoop\x00\x00\x00\x00\x00\x00\x02"), 0, "is a snoop capture; convert it: editcap -F pcap OLD NEW"},
		{"modified, truncated in its longer record header", patched(good, false)[:24+2*(record+8)+20], 2, "ends in the middle of packet 3 (file truncated?); 2 packets read"},
		{"version", change(good, 4, 3), 0, "pcap version 3.4 is not supported; supported: 2.4"},
		{"old version", change(swapped(good), 7, 3), 0, "pcap version 2.3 is not supported; supported: 2.4"},
		{"half a header", good[:23], 0, "ends in the middle of the file header"},
		{"link type", change(good, 20, 220), 0, "link type 220 (usb) is not supported; supported: 1 (ethernet), 113 (linux-sll), 276 (linux-sll2), 0 (null), 108 (loop), 101 (raw), 12 (raw), 14 (raw), 228 (ipv4), 229 (ipv6), 51 (ppp-ether), 9 (ppp), 50 (ppp-hdlc), 104 (cisco-hdlc), 127 (radiotap), 105 (ieee802.11)"},
		{"wild link type", change(good, 22, 1), 0, "link type 65537 is not supported; supported: 1 (ethernet), "},
		{"truncated in a packet", good[:24+3*record+20], 3, "ends in the middle of packet 4 (file truncated?); 3 packets read"},
		{"truncated in a record header", good[:24+3*record+3], 3, "ends in the middle of packet 4 (file truncated?); 3 packets read"},
		{"truncated and zipped", zip(good)[:len(zip(good))/2], -1, "(file truncated?)"},
		{"wild length", change(good, 24+2*record+8, 1, 0, 8, 0), 2, "packet 3 says it is 524289 bytes long, at most 524288 are possible (file damaged?); 2 packets read"},
		{"damaged gzip", change(zip(good), len(zip(good))-6, 0, 0, 0), 5, "gzip: invalid checksum after packet 5 (file damaged?); 5 packets read"},
		{"rubbish behind gzip", append(zip(good), "rubbish behind it"...), 5, "something that is no gzip follows the compressed capture; 5 packets read"},
		{"damaged deflate", change(zip(good), 30, 0xff, 0xff, 0xff, 0xff), -1, "packets read"},

		{"pcapng half a header", ng[:27], 0, "ends in the middle of the file header"},
		{"pcapng byte order", change(ng, 8, 1, 2, 3, 4), 0, "section header after packet 0 has no byte order (file damaged?); 0 packets read"},
		{"pcapng version", change(ng, 12, 2), 0, "pcapng version 2.0 is not supported; supported: 1.0"},
		{"pcapng truncated", ng[:len(ng)-enhanced-30], 3, "ends in the middle of packet 4 (file truncated?); 3 packets read"},
		{"pcapng truncated behind a packet", ng[:len(ng)-1], 5, "ends in the middle of the block of packet 5 (file truncated?); 5 packets read"},
		{"pcapng truncated in a custom block", slices.Concat(ng, custom[:300]), 5, "ends in the middle of a block of type 0xbad (file truncated?); 5 packets read"},
		{"pcapng truncated in a block's first bytes", slices.Concat(ng, custom[:5]), 5, "ends in the middle of a block (file truncated?); 5 packets read"},
		{"pcapng truncated in a description", ng[:firstBlock-2], 0, "ends in the middle of an interface description (file truncated?); 0 packets read"},
		{"pcapng with zeros behind it", slices.Concat(ng, make([]byte, 8)), 5, "block after packet 5 says it is 0 bytes long (file damaged?); 5 packets read"},
		{"pcapng block of 8 bytes", change(ng, firstBlock+4, 8, 0), 0, "block after packet 0 says it is 8 bytes long (file damaged?); 0 packets read"},
		{"pcapng block of 13 bytes", change(ng, firstBlock+4, 13, 0), 0, "block after packet 0 says it is 13 bytes long (file damaged?); 0 packets read"},
		{"pcapng lengths differ", change(ng, firstBlock+2*enhanced-4, 0), 2, "block after packet 2 is 112 bytes long at its start and 0 at its end (file damaged?); 2 packets read"},
		{"pcapng interface", change(ng, firstBlock+8, 1), 0, "block after packet 0 names an interface that was not described (file damaged?); 0 packets read"},
		{"pcapng packet longer than its block", change(ng, firstBlock+20, 200), 0, "block after packet 0 is 112 bytes long and says it holds a packet of 200 (file damaged?); 0 packets read"},
		{"pcapng packet of 4 GiB", change(ng, firstBlock+20, 255, 255, 255, 255), 0, "packet 1 says it is 4294967295 bytes long, at most 524288 are possible (file damaged?); 0 packets read"},
		{"pcapng time resolution", change(ng, 28+20, 0xff), 0, "interface description after packet 0 has time resolution 0xff (file damaged?); 0 packets read"},
		{"pcapng of foreign link types", pcapngOf(t, mixed), 2, "link type 220 (usb) is not supported; supported: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad, next := write(t, "bad.pcap", c.file), write(t, "next.pcap", good)
			s := open(t, FilesConfig{Paths: []string{bad, next}})
			got, errs := drain(s)
			if len(errs) != 1 {
				t.Fatalf("%d errors, want 1: %v", len(errs), errs)
			}
			line := errs[0].Error()
			if prefix := fmt.Sprintf("read capture %q: ", bad); !strings.HasPrefix(line, prefix) || !strings.Contains(line, c.want) || strings.ContainsAny(line, "\r\n") {
				t.Errorf("%s\nwant %s%s", line, prefix, c.want)
			}
			if n := len(got) - len(all); n != c.count && c.count >= 0 {
				t.Fatalf("%d frames before the error, want %d", n, c.count)
			}
			same(t, got[len(got)-len(all):], all)
		})
	}
}

// A file cut anywhere gives the whole packets and then one error, or none where
// the cut is between two records.
func TestCutAnywhere(t *testing.T) {
	all := frames(3)
	plain := pcapOf(t, packet.LinkEthernet, all)
	for i, at := 0, 24; i < len(all); i++ { // microseconds, so that it means the same when it is patched
		all[i].Time = all[i].Time / 1000 * 1000
		binary.LittleEndian.PutUint32(plain[at+4:], uint32(all[i].Time%1e9/1000))
		at += 16 + len(all[i].Data)
	}
	binary.LittleEndian.PutUint32(plain, magicMicro)
	for name, file := range map[string][]byte{"pcap": plain, "modified": patched(plain, false), "pcapng": pcapngOf(t, all)} {
		t.Run(name, func(t *testing.T) {
			for n := 1; n < len(file); n++ {
				got, errs := drain(open(t, FilesConfig{Paths: []string{"-"}, Stdin: bytes.NewReader(file[:n])}))
				if len(errs) > 1 || len(got) > 3 {
					t.Fatalf("cut at %d: %d frames, %v", n, len(got), errs)
				}
				if len(errs) == 0 && len(got) == 3 {
					t.Fatalf("cut at %d: no error", n)
				}
				same(t, got, all[:len(got)])
			}
		})
	}
}

func TestFileGone(t *testing.T) {
	a, b := write(t, "a.pcap", pcapOf(t, packet.LinkEthernet, frames(1))), write(t, "b.pcap", pcapOf(t, packet.LinkEthernet, frames(1)))
	s := open(t, FilesConfig{Paths: []string{a, b}})
	os.Remove(a)
	got, errs := drain(s)
	if len(got) != 1 || len(errs) != 1 || errs[0].Error() != fmt.Sprintf("open capture %q: no such file or directory", a) {
		t.Errorf("%d frames, %v", len(got), errs)
	}
	if !errors.Is(errs[0], os.ErrNotExist) {
		t.Error("the cause is lost")
	}
}

func TestLoop(t *testing.T) {
	path := write(t, "a.pcap", pcapOf(t, packet.LinkEthernet, frames(2)))
	for _, c := range []struct{ loop, want int }{{0, 2}, {1, 2}, {3, 6}} {
		s := open(t, FilesConfig{Paths: []string{path}, Loop: c.loop})
		var f packet.Frame
		n := 0
		for s.Next(&f) == nil {
			if s.Turn() != n/2 {
				t.Errorf("frame %d: turn %d", n, s.Turn())
			}
			n++
		}
		if n != c.want {
			t.Errorf("loop %d: %d frames, want %d", c.loop, n, c.want)
		}
	}
	t.Run("for ever, until closed", func(t *testing.T) {
		s := open(t, FilesConfig{Paths: []string{path}, Loop: -1})
		var f packet.Frame
		for range 1000 {
			if err := s.Next(&f); err != nil {
				t.Fatal(err)
			}
		}
		if s.Turn() != 499 {
			t.Errorf("turn %d", s.Turn())
		}
		s.Close()
		for range 3 {
			if err := s.Next(&f); err != nil && err != io.EOF {
				t.Fatal(err)
			}
		}
		if err := s.Next(&f); err != io.EOF {
			t.Errorf("%v, want the end", err)
		}
	})
	t.Run("for ever, but nothing to read", func(t *testing.T) {
		s := open(t, FilesConfig{Paths: []string{write(t, "b.pcap", []byte("nothing"))}, Loop: -1})
		if got, errs := drain(s); len(got) != 0 || len(errs) != 1 {
			t.Errorf("%d frames, %v", len(got), errs)
		}
	})
}

func TestDelay(t *testing.T) {
	for _, c := range []struct {
		cfg   FilesConfig
		apart int64
		want  time.Duration
	}{
		{FilesConfig{Scale: 1}, 5e9, 5 * time.Second},
		{FilesConfig{Scale: 0.1}, 5e9, 500 * time.Millisecond},
		{FilesConfig{Scale: 1}, -5e9, 0}, // a clock that steps back
		{FilesConfig{Scale: 1, MinDelay: time.Millisecond}, 0, time.Millisecond},
		{FilesConfig{Scale: 1, MaxDelay: time.Second}, 3600e9, time.Second},
		{FilesConfig{Scale: 1e6}, 1 << 62, 1e17},
	} {
		if got := c.cfg.delay(c.apart); got != c.want {
			t.Errorf("%+v, %d apart: %v, want %v", c.cfg, c.apart, got, c.want)
		}
	}
}

func TestRealTime(t *testing.T) {
	f := frames(4)
	for i, ms := range []int64{0, 20, 10, 60} {
		f[i].Time = 1e18 + ms*1e6
	}
	path := write(t, "a.pcap", pcapOf(t, packet.LinkEthernet, f))
	f[3].Time += 86400e9
	later := write(t, "b.pcap", pcapOf(t, packet.LinkEthernet, f[3:])) // a day later: comes at once
	start := time.Now()
	s := open(t, FilesConfig{Paths: []string{path, later}, RealTime: true})
	if got, errs := drain(s); len(got) != 5 || errs != nil {
		t.Fatal(len(got), errs)
	}
	if took := time.Since(start); took < 70*time.Millisecond || took > 5*time.Second {
		t.Errorf("took %v, want 20 + 0 + 50 ms", took)
	}
}

func TestCloseWhileWaiting(t *testing.T) {
	f := frames(2)
	f[1].Time += 3600e9
	s := open(t, FilesConfig{Paths: []string{write(t, "a.pcap", pcapOf(t, packet.LinkEthernet, f))}, RealTime: true})
	var got packet.Frame
	if err := s.Next(&got); err != nil {
		t.Fatal(err)
	}
	end := make(chan error)
	go func() { end <- s.Next(&got) }()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-end:
		if err != io.EOF {
			t.Errorf("%v, want the end", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Next does not end")
	}
	if s.Next(&got) != io.EOF || s.Close() != nil {
		t.Error("not closed for good")
	}
}

func TestCloseWhileReading(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer r.Close()
	s := open(t, FilesConfig{Paths: []string{fmt.Sprintf("/proc/self/fd/%d", r.Fd())}})
	go w.Write(pcapOf(t, packet.LinkEthernet, frames(1)))
	var f packet.Frame
	if err := s.Next(&f); err != nil {
		t.Skipf("no named pipe of this kind here: %v", err)
	}
	end := make(chan error)
	go func() { end <- s.Next(&f) }()
	s.Close()
	select {
	case err := <-end:
		if err != io.EOF {
			t.Errorf("%v, want the end", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Next does not end")
	}
}

func TestNextAllocs(t *testing.T) {
	all := frames(100)
	for name, file := range map[string][]byte{"pcap": pcapOf(t, packet.LinkEthernet, all), "pcapng": pcapngOf(t, all)} {
		s := open(t, FilesConfig{Paths: []string{write(t, "a", file)}})
		var f packet.Frame
		s.Next(&f)
		if n := testing.AllocsPerRun(90, func() { s.Next(&f) }); n != 0 {
			t.Errorf("%s: %v allocations a frame", name, n)
		}
	}
}

// A source that is no regular file says when there is nothing to read, and a Close
// ends who waits for it: for bytes, and for somebody who writes.
func TestPipes(t *testing.T) {
	// A named pipe for each: who waited in vain for a writer of the first is woken by
	// one, and would be a reader that is gone before a byte is written.
	pipe := func() string {
		path := filepath.Join(t.TempDir(), "pipe")
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := pipe()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer r.Close()
	text := pcapOf(t, packet.LinkEthernet, frames(3))
	for _, c := range []struct {
		name  string
		cfg   FilesConfig
		write func()
		want  int
	}{
		{"a named pipe without a writer", FilesConfig{Paths: []string{pipe()}}, func() {}, 0},
		{"standard input", FilesConfig{Paths: []string{"-"}, Stdin: r}, func() { w.Write(text[:len(text)-5]) }, 2},
		{"a named pipe", FilesConfig{Paths: []string{path}}, func() {
			w, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := w.Write(text); err != nil {
				t.Error(err)
			}
			t.Cleanup(func() { w.Close() })
		}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			idle := make(chan struct{}, 100)
			c.cfg.Idle = func() { idle <- struct{}{} }
			s := open(t, c.cfg)
			go c.write()
			got := make(chan int)
			end := make(chan error)
			go func() {
				var f packet.Frame
				for n := 1; ; n++ {
					err := s.Next(&f)
					if err != nil {
						end <- err
						return
					}
					got <- n
				}
			}()
			for n := 0; n < c.want; {
				select {
				case n = <-got:
				case <-time.After(10 * time.Second):
					t.Fatalf("%d frames, want %d", n, c.want)
				}
			}
			select {
			case <-idle:
			case <-time.After(10 * time.Second):
				t.Fatal("nobody is told that there is nothing to read")
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			select {
			case err := <-end:
				if err != io.EOF {
					t.Errorf("%v, want the end", err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("Next does not end")
			}
		})
	}
}

// A file of the kind that waits can be gone or forbidden by the time it is opened.
func TestPumpTellsWhyItDidNotOpen(t *testing.T) {
	p := newPump(nil, filepath.Join(t.TempDir(), "gone"), nil)
	if _, err := p.Read(make([]byte, 1)); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	p.stop()
}
