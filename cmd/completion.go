package cmd

import (
	"io"

	"github.com/spf13/cobra"
)

// completions write what a shell needs to complete the command line.
var completions = map[string]func(root *cobra.Command, w io.Writer) error{
	"bash": func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) },
	"zsh":  func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) },
	"fish": func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) },
}

// setCompletion makes libbeat's command ours: it is hidden there, and knows no fish.
func setCompletion(c *cobra.Command) {
	c.Use, c.Hidden = "completion bash|zsh|fish", false
	c.Short = "Print what a shell needs to complete the command line"
	c.Example = "  source <(sipcmbeat completion bash)"
	c.ValidArgs = []string{"bash", "zsh", "fish"}
	c.Args = cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs)
	c.Run = nil
	c.RunE = func(c *cobra.Command, args []string) error {
		return completions[args[0]](c.Root(), c.OutOrStdout())
	}
}
