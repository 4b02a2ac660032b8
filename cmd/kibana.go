package cmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/elastic/beats/v7/libbeat/cfgfile"
	"github.com/elastic/beats/v7/libbeat/cmd"
)

// withoutKibana makes a plain setup leave out the dashboards where no Kibana is named:
// libbeat would look for one on this host and fail when the index is set up already.
func withoutKibana(setup *cobra.Command) {
	before := setup.PreRunE
	setup.PreRunE = func(c *cobra.Command, args []string) error {
		if err := before(c, args); err != nil {
			return err
		}
		flags := c.Flags()
		for _, part := range []string{cmd.DashboardKey, cmd.PipelineKey, cmd.IndexManagementKey} {
			if flags.Changed(part) {
				return nil
			}
		}
		all, err := cfgfile.Load("", nil)
		if err != nil || has(all, "setup.kibana") || has(all, "cloud.id") {
			return nil // what is wrong with the configuration is libbeat's to say
		}
		fmt.Fprintln(c.OutOrStdout(), "Leaving out the dashboards: setup.kibana.host is not set")
		return flags.Set(cmd.IndexManagementKey, "true")
	}
}
