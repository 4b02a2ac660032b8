package cmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/elastic/beats/v7/libbeat/cfgfile"
	"github.com/elastic/beats/v7/libbeat/cmd"
)

// setSetup makes the help of setup tell of what there is: libbeat's tells of pipelines,
// modules and machine learning too. Their flags stay, for scripts that name them.
func setSetup(setup *cobra.Command) {
	setup.Short = "Load the index template, the lifecycle policy and the dashboards"
	setup.Long = `Loads what records need into Elasticsearch, and the dashboards into Kibana:

 * the index template, and the policy that says how long records are kept
 * the dashboards, where setup.kibana.host is set

It replaces the template and dashboards that are there; a policy only with -E setup.ilm.overwrite=true.`
	for name, usage := range map[string]string{
		cmd.DashboardKey:       "Load the dashboards alone",
		cmd.IndexManagementKey: "Load the index template and the policy alone",
	} {
		if flag := setup.Flags().Lookup(name); flag != nil {
			flag.Usage = usage
		}
	}
	for _, name := range []string{cmd.PipelineKey, cmd.EnableAllFilesetsKey, cmd.ForceEnableModuleFilesets} {
		if flag := setup.Flags().Lookup(name); flag != nil {
			flag.Hidden = true
		}
	}
}

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
