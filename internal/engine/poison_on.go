//go:build poison

package engine

import "github.com/sipcmbeat/sipcmbeat/internal/packet"

// poison overwrites a frame that was only borrowed, so that bytes which somebody
// kept show up as rubbish in the goldens.
func poison(f *packet.Frame) {
	for i := range f.Data {
		f.Data[i] = 0xdb
	}
}
