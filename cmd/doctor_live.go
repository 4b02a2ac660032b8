package cmd

import (
	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/capture/live"
)

// openUnfiltered captures everything, by one worker.
func openUnfiltered(l live.Config) ([]capture.Source, error) {
	l.Filter, l.Auto, l.Workers = "", capture.FilterConfig{}, 1
	return live.Open(l)
}
