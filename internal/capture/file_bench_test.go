package capture

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/gopacket/pcapgo"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// big writes a capture of n packets of some 610 bytes, and returns its path and
// the bytes of a packet.
func big(b *testing.B, n int, ng bool) (string, int64) {
	b.Helper()
	all := frames(1)
	all[0].Data = append(all[0].Data, bytes.Repeat([]byte("x"), 540)...)
	all[0].Wire = len(all[0].Data)
	for len(all) < n {
		all = append(all, all[0])
	}
	var out bytes.Buffer
	if ng {
		siptest.WritePcapng(&out, all)
	} else {
		siptest.WritePcap(&out, packet.LinkEthernet, all)
	}
	path := filepath.Join(b.TempDir(), "big")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	return path, int64(len(all[0].Data))
}

// BenchmarkNext is a packet of a file in the page cache.
func BenchmarkNext(b *testing.B) {
	for name, ng := range map[string]bool{"pcap": false, "pcapng": true} {
		path, size := big(b, 100_000, ng)
		b.Run(name, func(b *testing.B) {
			s, err := NewFiles(FilesConfig{Paths: []string{path}, Loop: -1})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			b.SetBytes(size)
			b.ReportAllocs()
			var f packet.Frame
			for b.Loop() {
				if err := s.Next(&f); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/pcapgo", func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			file, err := os.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			defer file.Close()
			var next func() error
			start := func() {
				file.Seek(0, 0)
				if ng {
					r, err := pcapgo.NewNgReader(file, pcapgo.NgReaderOptions{WantMixedLinkType: true})
					if err != nil {
						b.Fatal(err)
					}
					next = func() error { _, _, err := r.ZeroCopyReadPacketData(); return err }
				} else {
					r, err := pcapgo.NewReader(file)
					if err != nil {
						b.Fatal(err)
					}
					next = func() error { _, _, err := r.ZeroCopyReadPacketData(); return err }
				}
			}
			start()
			for b.Loop() {
				if next() != nil {
					start()
				}
			}
		})
		b.Run(name+"/decoded", func(b *testing.B) {
			s, err := NewFiles(FilesConfig{Paths: []string{path}, Loop: -1})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			d := packet.New(packet.DefaultConfig())
			b.SetBytes(size)
			b.ReportAllocs()
			var f packet.Frame
			for b.Loop() {
				if s.Next(&f) != nil || d.Decode(&f) != packet.OK {
					b.Fatal("no datagram")
				}
			}
		})
	}
}
