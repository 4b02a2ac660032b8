package cmd

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	libbeat "github.com/elastic/beats/v7/libbeat/version"

	"github.com/sipcmbeat/sipcmbeat/config"
)

// Version is the program's own version: what the index template is named by, and
// what stands in agent.version and observer.version. It is lower than that of any
// Elasticsearch on purpose: libbeat takes an Elasticsearch older than the beat for
// too old.
const Version = "0.1.0"

// Commit is set when the program is built.
var Commit = "unknown"

// esVersion is what `export template` and its like write for unless they are told
// otherwise. libbeat would take Version, which is no Elasticsearch's.
const esVersion = "8.0.0"

// showVersion is what `version` runs in place of libbeat's own, which does not know
// Commit.
func showVersion(c *cobra.Command, _ []string) {
	fmt.Fprintf(c.OutOrStdout(), "%s version %s (%s/%s), commit %s, libbeat %s, %s\n",
		config.Section, Version, runtime.GOOS, runtime.GOARCH, Commit, libbeat.GetDefaultVersion(), runtime.Version())
}
