package capture

import (
	"bytes"
	"slices"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// Whatever a file holds: reading ends, gives no more than there is, at most one
// error, and the same again.
func FuzzFile(f *testing.F) {
	var pcap, ng bytes.Buffer
	siptest.WritePcap(&pcap, packet.LinkEthernet, frames(2))
	siptest.WritePcapng(&ng, frames(2))
	o := orders["big-endian"]
	f.Add(pcap.Bytes())
	f.Add(ng.Bytes())
	f.Add(swapped(pcap.Bytes()))
	f.Add(patched(pcap.Bytes(), false))
	f.Add(patched(pcap.Bytes(), true))
	f.Add(zip(pcap.Bytes()))
	f.Add(slices.Concat(o.section(), o.iface(113, 60), o.enhanced(0, 1, "abc"), o.block(3, uint32(4), []byte("none")),
		o.block(2, uint16(0), uint16(3), uint32(1), uint32(2), uint32(3), uint32(90), []byte("old")), o.section()))
	var first, second *Files // their buffers are used again
	f.Fuzz(func(t *testing.T, file []byte) {
		read := func(s **Files) (got []packet.Frame, errs []error) {
			if *s == nil {
				var err error
				if *s, err = NewFiles(FilesConfig{Paths: []string{"-"}}); err != nil {
					t.Fatal(err)
				}
			}
			(*s).index, (*s).now, (*s).cfg.Stdin = 0, nil, bytes.NewReader(file)
			return drain(*s)
		}
		got, errs := read(&first)
		again, errs2 := read(&second)
		if len(errs) > 1 || len(errs) != len(errs2) {
			t.Fatal(errs, errs2)
		}
		same(t, again, got)
		unpacked := len(file)
		if len(file) > 2 && file[0] == 0x1f && file[1] == 0x8b {
			unpacked = len(file) * 1100 // the most that deflate can
		}
		total := 0
		for _, fr := range got {
			total += 16 + len(fr.Data)
			if fr.Wire < len(fr.Data) {
				t.Fatalf("%d bytes on the wire, %d captured", fr.Wire, len(fr.Data))
			}
		}
		if total > unpacked {
			t.Fatalf("%d bytes of frames in a file of %d", total, len(file))
		}
		if len(errs) == 1 && bytes.ContainsAny([]byte(errs[0].Error()), "\r\n") {
			t.Fatalf("%q", errs[0])
		}
	})
}
