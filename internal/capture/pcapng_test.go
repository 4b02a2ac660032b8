package capture

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// A layout writes pcapng blocks in one byte order.
type layout struct {
	binary.AppendByteOrder
}

var orders = map[string]layout{"little-endian": {binary.LittleEndian}, "big-endian": {binary.BigEndian}}

// block appends type, length, body in whole words, length. Numbers take their
// size from their type.
func (o layout) block(kind uint32, body ...any) []byte {
	var b []byte
	for _, v := range body {
		switch v := v.(type) {
		case uint16:
			b = o.AppendUint16(b, v)
		case uint32:
			b = o.AppendUint32(b, v)
		case uint64:
			b = o.AppendUint64(b, v)
		case []byte:
			b = append(b, v...)
		default:
			panic("no such part")
		}
	}
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	length := uint32(12 + len(b))
	out := o.AppendUint32(nil, kind)
	out = o.AppendUint32(out, length)
	return o.AppendUint32(append(out, b...), length)
}

func (o layout) section() []byte {
	return o.block(0x0a0d0d0a, uint32(0x1a2b3c4d), uint16(1), uint16(0), ^uint64(0))
}

func (o layout) iface(link packet.Link, snap uint32, options ...any) []byte {
	return o.block(1, append([]any{uint16(link), uint16(0), snap}, options...)...)
}

func (o layout) enhanced(id uint32, ticks uint64, data string, options ...any) []byte {
	body := []any{id, uint32(ticks >> 32), uint32(ticks), uint32(len(data)), uint32(len(data) + 1), []byte(data), make([]byte, -len(data)&3)}
	return o.block(6, append(body, options...)...)
}

func TestPcapng(t *testing.T) {
	const second = 1732266000
	frame := func(time int64, link packet.Link, source uint32, data string, wire int) packet.Frame {
		return packet.Frame{Time: time, Link: link, Source: source, Data: []byte(data), Wire: wire}
	}
	for name, o := range orders {
		end := []any{uint16(0), uint16(0)}
		resolution := func(b byte) []any { return []any{uint16(9), uint16(1), []byte{b, 0, 0, 0}} }
		for _, c := range []struct {
			name string
			file [][]byte
			want []packet.Frame
		}{
			{"microseconds when nothing is said",
				[][]byte{o.section(), o.iface(packet.LinkEthernet, 0), o.enhanced(0, second*1e6+7, "abc")},
				[]packet.Frame{frame(second*1e9+7000, packet.LinkEthernet, 0, "abc", 4)}},
			{"interfaces of several link types and resolutions",
				[][]byte{o.section(),
					o.iface(packet.LinkEthernet, 0, resolution(3)...),
					o.iface(packet.LinkSLL2, 0, resolution(9)...),
					o.iface(packet.LinkRaw, 0, append([]any{uint16(2), uint16(4), []byte("eth0")}, append(resolution(0x80|10), end...)...)...),
					o.iface(packet.LinkRaw, 0, resolution(12)...),
					o.iface(packet.LinkRaw, 0, resolution(0)...),
					o.enhanced(2, second<<10+512, "raw"),
					o.enhanced(1, second*1e9+5, "sll2"),
					o.enhanced(0, second*1e3+5, "ether"),
					o.enhanced(3, 1e12*17+1_234_567, "pico"),
					o.enhanced(4, second, "coarse")},
				[]packet.Frame{
					frame(second*1e9+5e8, packet.LinkRaw, 2, "raw", 4),
					frame(second*1e9+5, packet.LinkSLL2, 1, "sll2", 5),
					frame(second*1e9+5e6, packet.LinkEthernet, 0, "ether", 6),
					frame(17e9+1234, packet.LinkRaw, 3, "pico", 5),
					frame(second*1e9, packet.LinkRaw, 4, "coarse", 7)}},
			{"offset of the time",
				[][]byte{o.section(), o.iface(packet.LinkRaw, 0, uint16(14), uint16(8), uint64(second)), o.enhanced(0, 7, "abc")},
				[]packet.Frame{frame(second*1e9+7000, packet.LinkRaw, 0, "abc", 4)}},
			{"offset back",
				[][]byte{o.section(), o.iface(packet.LinkRaw, 0, uint16(14), uint16(8), ^uint64(0)), o.enhanced(0, second*1e6, "abc")},
				[]packet.Frame{frame((second-1)*1e9, packet.LinkRaw, 0, "abc", 4)}},
			{"a time that does not fit",
				[][]byte{o.section(), o.iface(packet.LinkRaw, 0, append([]any{uint16(14), uint16(8), uint64(math.MaxInt64)}, resolution(0)...)...), o.enhanced(0, ^uint64(0), "abc")},
				[]packet.Frame{frame((math.MaxInt64/1_000_000_000-1)*1e9, packet.LinkRaw, 0, "abc", 4)}},
			{"simple packets take the last time",
				[][]byte{o.section(), o.iface(packet.LinkRaw, 6),
					o.block(3, uint32(4), []byte("none")),
					o.enhanced(0, second*1e6, "abc"),
					o.block(3, uint32(900), []byte("simple"))},
				[]packet.Frame{frame(0, packet.LinkRaw, 0, "none", 4), frame(second*1e9, packet.LinkRaw, 0, "abc", 4), frame(second*1e9, packet.LinkRaw, 0, "simple", 900)}},
			{"the obsolete packet block",
				[][]byte{o.section(), o.iface(packet.LinkEthernet, 0), o.iface(packet.LinkRaw, 0),
					o.block(2, uint16(1), uint16(3), uint32(second*1_000_000>>32), uint32(second*1_000_000&0xffffffff), uint32(3), uint32(90), []byte("old"))},
				[]packet.Frame{frame(second*1e9, packet.LinkRaw, 1, "old", 90)}},
			{"other blocks and options are passed",
				[][]byte{o.section(),
					o.block(10, uint32(0x544c534b), uint32(5), []byte("secret key")),
					o.iface(packet.LinkRaw, 0, uint16(2), uint16(3), []byte("lo\x00\x00"), uint16(0), uint16(0)),
					o.block(4, []byte("names")),
					o.enhanced(0, second*1e6, "abc", uint16(1), uint16(5), []byte("hello\x00\x00\x00"), uint16(0), uint16(0)),
					o.block(5, uint32(0), uint32(0), uint32(0)),
					o.block(0x0bad, make([]byte, 600<<10)),
					o.enhanced(0, second*1e6, "def")},
				[]packet.Frame{frame(second*1e9, packet.LinkRaw, 0, "abc", 4), frame(second*1e9, packet.LinkRaw, 0, "def", 4)}},
			{"options that end too early",
				[][]byte{o.section(), o.iface(packet.LinkRaw, 0, uint16(2), uint16(400), []byte("lo\x00\x00")), o.enhanced(0, second*1e6, "abc")},
				[]packet.Frame{frame(second*1e9, packet.LinkRaw, 0, "abc", 4)}},
			{"an unknown link type beside a known one",
				[][]byte{o.section(), o.iface(127, 0), o.iface(packet.LinkRaw, 0), o.enhanced(0, second*1e6, "abc"), o.enhanced(1, second*1e6, "def")},
				[]packet.Frame{frame(second*1e9, 127, 0, "abc", 4), frame(second*1e9, packet.LinkRaw, 1, "def", 4)}},
		} {
			t.Run(name+" "+c.name, func(t *testing.T) {
				got, errs := drain(open(t, FilesConfig{Paths: []string{write(t, "a", slices.Concat(c.file...))}}))
				if errs != nil {
					t.Fatal(errs)
				}
				same(t, got, c.want)
			})
		}
	}
}

// Sections follow each other, each with its byte order and its interfaces.
func TestPcapngSections(t *testing.T) {
	var file []byte
	var want []packet.Frame
	for range 2 {
		for _, name := range []string{"big-endian", "little-endian"} {
			o, link := orders[name], packet.LinkEthernet
			if name == "big-endian" {
				link = packet.LinkSLL
			}
			file = slices.Concat(file, o.section(), o.iface(link, 0), o.enhanced(0, 5, name))
			want = append(want, packet.Frame{Time: 5000, Link: link, Source: 9, Data: []byte(name), Wire: len(name) + 1})
		}
	}
	got, errs := drain(open(t, FilesConfig{Paths: []string{write(t, "a", file)}, Source: 9}))
	if errs != nil {
		t.Fatal(errs)
	}
	same(t, got, want)

	o := orders["little-endian"]
	file = slices.Concat(o.section(), o.iface(1, 0), o.section(), o.enhanced(0, 5, "x"))
	if _, errs := drain(open(t, FilesConfig{Paths: []string{write(t, "b", file)}})); len(errs) != 1 || !strings.Contains(errs[0].Error(), "names an interface that was not described") {
		t.Errorf("an interface of the section before: %v", errs)
	}
}

func TestPcapngBounds(t *testing.T) {
	o := orders["little-endian"]
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"interfaces":   {slices.Concat(o.section(), bytes.Repeat(o.iface(1, 0), 4097)), "interface description after packet 0 is one more than 4096"},
		"description":  {slices.Concat(o.section(), o.iface(1, 0, make([]byte, 300<<10))), "description after packet 0 says it is 307220 bytes long, at most 262144 are possible"},
		"short block":  {slices.Concat(o.section(), o.iface(1, 0), o.block(6, make([]byte, 16))), "block after packet 0 is shorter than its kind allows"},
		"short iface":  {slices.Concat(o.section(), o.block(1, uint32(1))), "description after packet 0 is shorter than its kind allows"},
		"10^20":        {slices.Concat(o.section(), o.iface(1, 0, uint16(9), uint16(1), []byte{20, 0, 0, 0})), "interface description after packet 0 has time resolution 0x14"},
		"simple alone": {slices.Concat(o.section(), o.block(3, uint32(4), []byte("none"))), "block after packet 0 names an interface that was not described"},
	} {
		if _, errs := drain(open(t, FilesConfig{Paths: []string{write(t, "a", c.file)}})); len(errs) != 1 || !strings.Contains(errs[0].Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", name, errs, c.want)
		}
	}
}
