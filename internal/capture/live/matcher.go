package live

import (
	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcap"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// Matcher gives a function that tells whether the kernel's filter would let a frame
// through, nil where there is none. It is for looking, not for speed.
func (c Config) Matcher(link packet.Link) (func(f *packet.Frame) bool, error) {
	filter := c.filterFor(link)
	if filter == "" || link > 255 {
		return nil, nil
	}
	bpf, err := pcap.NewBPF(layers.LinkType(link), maxSnaplen, filter)
	if err != nil {
		return nil, c.filterError(filter, link, err)
	}
	return func(f *packet.Frame) bool {
		return bpf.Matches(gopacket.CaptureInfo{CaptureLength: len(f.Data), Length: max(f.Wire, len(f.Data))}, f.Data)
	}, nil
}
