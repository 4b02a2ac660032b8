// Package cmd is the command line: libbeat's commands with defaults of our own,
// and the commands that need no libbeat at run time.
//
// It decides nothing about SIP. What it prints for a person says in its first
// line what is wrong and what to do.
package cmd

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/elastic/beats/v7/libbeat/cfgfile"
	"github.com/elastic/beats/v7/libbeat/cmd"
	"github.com/elastic/beats/v7/libbeat/cmd/instance"
	conf "github.com/elastic/elastic-agent-libs/config"

	"github.com/sipcmbeat/sipcmbeat/beater"
	"github.com/sipcmbeat/sipcmbeat/config"
)

// Exit statuses.
const (
	exitOK    = 0
	exitError = 1 // something was not done; a line says what
	exitUsage = 2 // the command line is not understood
)

// Execute runs the command line of this process and gives its exit status.
func Execute() int {
	args, err := ownSettings(os.Args)
	if err == nil {
		os.Args = args
		err = newRoot().Execute()
	}
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "sipcmbeat: %s\n", withoutTrace(err))
		return exitUsage
	case !errors.Is(err, errSaid):
		fmt.Fprintf(os.Stderr, "sipcmbeat: %s\n", withoutTrace(err))
	}
	return exitError
}

// withoutTrace cuts off the stack that go-ucfg writes behind some of its errors: they
// are mistakes in the configuration, not in the program.
func withoutTrace(err error) string {
	text, _, _ := strings.Cut(err.Error(), trace)
	return text
}

const trace = "\nTrace:"

// usageError is a mistake on the command line.
type usageError struct{ error }

// errSaid is the error of a command that has already written its lines.
var errSaid = errors.New("said")

func newRoot() *cmd.BeatsRootCmd {
	var told voice
	create, support := beater.Parts(&told, readAgain)
	index := indexes{say: told.Warned}
	root := cmd.GenRootCmdWithSettings(create, instance.Settings{
		Name:            config.Section,
		Version:         Version,
		ConfigOverrides: defaults(),
		Processing:      support,
		IndexManagement: index.support,
		HasDashboards:   true,
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
	setCompletion(root.CompletionCmd)
	for _, c := range []*cobra.Command{&root.Command, root.RunCmd, root.SetupCmd} {
		c.PreRunE = checkFile
	}
	for _, group := range []*cobra.Command{root.TestCmd, root.ExportCmd} {
		for _, c := range group.Commands() {
			c.PreRunE = checkFile
		}
	}
	for _, c := range root.ExportCmd.Commands() {
		index.exports(c)
	}
	for _, c := range root.KeystoreCmd.Commands() {
		c.PreRun = func(*cobra.Command, []string) { index.unread = true }
	}
	aloud := func(c *cobra.Command, args []string) error {
		told.aloud = true
		return checkFile(c, args)
	}
	root.SetupCmd.PreRunE = aloud
	for _, c := range root.TestCmd.Commands() {
		if c.Name() == "config" {
			c.PreRunE = aloud
		}
	}
	withoutKibana(root.SetupCmd)
	setSetup(root.SetupCmd)
	root.AddCommand(newReplay(), newDevices(), newDoctor(), newTop(), newEncrypt(), newDecrypt(), newKeys())
	usageErrors(&root.Command)
	return root
}

// usageErrors makes what a command says of its arguments a mistake on the command
// line.
func usageErrors(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			var usage usageError
			err := check(c, args)
			if err == nil || errors.As(err, &usage) {
				return err
			}
			return usageError{err}
		}
	}
	for _, below := range c.Commands() {
		usageErrors(below)
	}
}

// voice is what a run tells on standard error when the log goes elsewhere.
type voice struct{ aloud bool }

// Warned implements beater.Voice. Only setup and a test of the configuration say it:
// the log of a run has it, where nobody looks after them.
func (v *voice) Warned(line string) {
	if v.aloud {
		v.Stuck(line)
	}
}

// Stuck implements beater.Voice.
func (v *voice) Stuck(line string) {
	if e := flag.Lookup("e"); e == nil || e.Value.String() != "true" {
		fmt.Fprintf(os.Stderr, "sipcmbeat: %s\n", line)
	}
}

// checkFile looks at the configuration before libbeat does, for what libbeat takes
// without a word or answers with a stack. The rest is libbeat's to say.
func checkFile(*cobra.Command, []string) error {
	if err := cfgfile.HandleFlags(); err != nil {
		return nil
	}
	all, err := cfgfile.Load("", nil)
	if err == nil {
		return checkNames(all)
	}
	if strings.Contains(err.Error(), trace) {
		return fmt.Errorf("read configuration: %w", err)
	}
	return nil
}

// readAgain reads the configuration as the start did: the files of -c, -E and our
// defaults, and what checkFile refuses.
func readAgain() (*conf.C, error) {
	all, err := cfgfile.Load("", defaults())
	if err != nil {
		return nil, fmt.Errorf("read configuration: %s", withoutTrace(err))
	}
	return all, checkNames(all)
}

// checkNames refuses a section that is ours or libbeat's but for a letter or two: its
// keys would be ignored, and the program would capture from all interfaces, or send its
// events elsewhere.
func checkNames(all *conf.C) error {
	for _, name := range all.GetFields() {
		if near := nearSection(name); near != "" {
			return fmt.Errorf("%s is no section; did you mean %s?", name, near)
		}
	}
	return nil
}

// nearSection is the section that a name was meant to be, "" if it is one, or like none.
func nearSection(name string) string {
	switch {
	case slices.Contains(topLevel, name):
		return ""
	case config.IsNearSection(name):
		return config.Section
	}
	return config.NearName(name, topLevel)
}

// ownSettings rewrites -E settings: a key of ours without the name of the section
// gets it (-E pcap=FILE), and the older program's way to ask for pretty output
// becomes libbeat's.
func ownSettings(args []string) ([]string, error) {
	out := make([]string, 0, len(args))
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return append(out, args[i:]...), nil
		}
		flag := eFlag.FindString(arg)
		setting := arg[len(flag):]
		if flag == "" || flag == "--E" && setting != "" { // another that begins with it
			out = append(out, arg)
			continue
		}
		apart := setting == "" && !strings.HasSuffix(flag, "=")
		if apart {
			if i++; i == len(args) {
				return append(out, arg), nil // whoever reads flags says what is missing
			}
			setting = args[i]
		}
		setting, err := ownSetting(setting)
		if err != nil {
			return nil, err
		}
		if apart {
			out = append(out, flag, setting)
		} else {
			out = append(out, flag+setting)
		}
	}
	return out, nil
}

// eFlag is -E in front of its setting, in each form that is read: apart, behind a sign of
// equality, at once (-Ekey=value), behind flags that take nothing (-eE).
var eFlag = regexp.MustCompile(`^(-[ehvN]*E|--E)=?`)

// topLevel are the names under which libbeat has settings.
var topLevel = []string{
	"cloud", "config", "features", "fields", "fields_under_root", "gc_percent", "http", "instrumentation", "keystore",
	"lifecycle", "logging", "management", "max_procs", "migration", "monitoring", "name", "output", "path", "processors",
	"queue", "seccomp", "setup", "tags", "timeseries", "timestamp", config.Section,
}

// ownSetting rewrites one setting. A key that is neither ours nor libbeat's would be
// ignored; it is refused where one of ours is close.
func ownSetting(setting string) (string, error) {
	key, value, ok := strings.Cut(setting, "=")
	switch {
	case key == prettyOlder:
		key = prettyNow
	case config.IsKey(key):
		key = config.Section + "." + key
	default:
		top, _, _ := strings.Cut(key, ".")
		if slices.Contains(topLevel, top) {
			return setting, nil
		}
		if config.IsNearSection(top) {
			return "", usageError{fmt.Errorf("-E %s: %s is no section; did you mean %s?", setting, top, config.Section)}
		}
		if near := config.Near(key); near != "" {
			return "", usageError{fmt.Errorf("-E %s: %s is no setting; did you mean %s.%s?", setting, key, config.Section, near)}
		}
		if near := nearSection(top); near != "" {
			return "", usageError{fmt.Errorf("-E %s: %s is no section; did you mean %s?", setting, top, near)}
		}
		return setting, nil
	}
	if !ok {
		return key, nil
	}
	return key + "=" + value, nil
}

const (
	prettyOlder = "output.file.pretty"
	prettyNow   = "output.file.codec.json.pretty"
)
