package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sipcmbeat/sipcmbeat/internal/capture/live"
)

// newDevices is the command that lists what can be captured from.
func newDevices() *cobra.Command {
	return &cobra.Command{
		Use:   "devices",
		Short: "List the interfaces that can be captured",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			devices, err := live.Devices()
			if err != nil {
				return err
			}
			wide := 0
			for _, d := range devices {
				wide = max(wide, len(d.Name))
			}
			for _, d := range devices {
				var about []string
				for _, a := range d.Addrs {
					about = append(about, a.String())
				}
				if d.Description != "" {
					about = append(about, "("+d.Description+")")
				}
				if !d.Up {
					about = append(about, "down")
				}
				line := fmt.Sprintf("%-*s  %s", wide, d.Name, strings.Join(about, " "))
				fmt.Fprintln(c.OutOrStdout(), strings.TrimRight(line, " "))
			}
			return nil
		},
	}
}
