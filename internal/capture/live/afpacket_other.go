//go:build !linux

package live

import (
	"fmt"
	"os"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
)

func openRing(cfg Config, _ int) (capture.Source, error) {
	return nil, fmt.Errorf("open interface %q: %w: this system is not Linux", cfg.Iface, errNoRing)
}

func ownGroup() int { return os.Getpid() & 0xffff }
