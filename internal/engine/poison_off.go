//go:build !poison

package engine

import "github.com/sipcmbeat/sipcmbeat/internal/packet"

// poison does nothing in a normal build.
func poison(*packet.Frame) {}
