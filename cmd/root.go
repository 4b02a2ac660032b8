// Package cmd is the command line: libbeat's commands with defaults of our own,
// and the commands that need no libbeat at run time.
//
// It decides nothing about SIP. What it prints for a person says in its first
// line what is wrong and what to do.
package cmd

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/elastic/beats/v7/libbeat/cmd"
	"github.com/elastic/beats/v7/libbeat/cmd/instance"

	"github.com/sipcmbeat/sipcmbeat/beater"
	"github.com/sipcmbeat/sipcmbeat/config"
	_ "github.com/sipcmbeat/sipcmbeat/include"
)

// Exit statuses.
const (
	exitOK    = 0
	exitError = 1 // something was not done; a line says what
	exitUsage = 2 // the command line is not understood
)

// Execute runs the command line of this process and gives its exit status.
func Execute() int {
	os.Args = ownSettings(os.Args)
	root := newRoot()
	err := root.Execute()
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "sipcmbeat: %v\n", err)
		return exitUsage
	case !errors.Is(err, errSaid):
		fmt.Fprintf(os.Stderr, "sipcmbeat: %v\n", err)
	}
	return exitError
}

// usageError is a mistake on the command line.
type usageError struct{ error }

// errSaid is the error of a command that has already written its lines.
var errSaid = errors.New("said")

func newRoot() *cmd.BeatsRootCmd {
	create, support := beater.Parts()
	root := cmd.GenRootCmdWithSettings(create, instance.Settings{
		Name:            config.Section,
		Version:         Version,
		ConfigOverrides: defaults(),
		Processing:      support,
	})
	root.Short = "Observes SIP traffic and ships what happened as ECS events"
	root.Long = root.Short + ".\n\nWithout a command it runs: from an interface, or from the capture files in " +
		config.Section + ".pcap.\nTo look into a capture file without any configuration: sipcmbeat replay FILE"
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return usageError{fmt.Errorf("unknown command %q; to read a capture file: sipcmbeat replay %s", args[0], args[0])}
	}
	for _, export := range root.ExportCmd.Commands() {
		if f := export.Flags().Lookup("es.version"); f != nil {
			f.DefValue = esVersion
			_ = f.Value.Set(esVersion) // a text: cannot fail
		}
	}
	root.VersionCmd.Run = showVersion
	root.AddCommand(newReplay(), newDevices())
	return root
}

// ownSettings rewrites -E settings: a key of ours without the name of the section
// gets it (-E pcap=FILE), and the older program's way to ask for pretty output
// becomes libbeat's.
func ownSettings(args []string) []string {
	out := make([]string, 0, len(args))
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			return append(out, args[i:]...)
		case (arg == "-E" || arg == "--E") && i+1 < len(args):
			i++
			out = append(out, arg, ownSetting(args[i]))
		case strings.HasPrefix(arg, "-E="), strings.HasPrefix(arg, "--E="):
			flag, setting, _ := strings.Cut(arg, "=")
			out = append(out, flag+"="+ownSetting(setting))
		default:
			out = append(out, arg)
		}
	}
	return out
}

func ownSetting(setting string) string {
	key, value, ok := strings.Cut(setting, "=")
	switch {
	case key == prettyOlder:
		key = prettyNow
	case config.IsKey(key):
		key = config.Section + "." + key
	default:
		return setting
	}
	if !ok {
		return key
	}
	return key + "=" + value
}

const (
	prettyOlder = "output.file.pretty"
	prettyNow   = "output.file.codec.json.pretty"
)
