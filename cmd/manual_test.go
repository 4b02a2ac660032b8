package cmd

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write the manual page anew")

// TestManual holds the manual page against the commands, and completion with them.
func TestManual(t *testing.T) {
	const path = "../packaging/sipcmbeat.1"
	root := &newRoot().Command
	made := manual(root)
	if *update {
		if err := os.WriteFile(path, []byte(made), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := os.ReadFile(path); err != nil || string(kept) != made {
		t.Errorf("%s is not what the commands are; run make update: %v", path, err)
	}
	for shell, write := range completions {
		var b strings.Builder
		if err := write(root, &b); err != nil || !strings.Contains(b.String(), "sipcmbeat") {
			t.Errorf("%s: %d bytes, %v", shell, b.Len(), err)
		}
	}
}

// manual is the page sipcmbeat(1).
func manual(root *cobra.Command) string {
	var p page
	p.macro("TH", "SIPCMBEAT", "1", "", "sipcmbeat "+Version, "User Commands")
	p.macro("SH", "NAME")
	p.text("sipcmbeat - " + strings.ToLower(root.Short[:1]) + root.Short[1:])
	p.macro("SH", "SYNOPSIS")
	p.line(`.B sipcmbeat`)
	p.line(`[\fIFLAGS\fR] [\fICOMMAND\fR]`)
	p.macro("SH", "DESCRIPTION")
	p.text(root.Long)
	p.macro("SH", "COMMANDS")
	for _, c := range commands(root) {
		p.macro("SS", c.UseLine())
		p.text(c.Short + ".")
		if c.Long != "" {
			p.verbatim(c.Long)
		}
		p.flags(c.LocalNonPersistentFlags())
		if c.Example != "" {
			p.verbatim(c.Example)
		}
	}
	p.macro("SH", "FLAGS")
	p.text("Those of every command:")
	p.flags(root.PersistentFlags())
	p.line(".PP")
	p.text("Those of a run, with the command or without one:")
	p.flags(root.LocalNonPersistentFlags())
	p.raw(manualEnd)
	return p.String()
}

// manualEnd is what the commands do not say. The paths are the packages'.
const manualEnd = `.SH SIGNALS
.TP
SIGTERM, SIGINT
Stop: the state is saved, and what is left is delivered, for at most
\fIshutdown_timeout\fR. A second signal ends at once.
.TP
SIGHUP
Reload: the configuration and the keystore are read again, and what can change while
the program runs is in effect at once, all of it or, when anything is wrong, nothing. The
log says what has changed and what needs a restart.
.SH ENVIRONMENT
.TP
NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID
The service manager, see
.BR sd_notify (3).
It hears when the inputs are open, and signs of life as long as no live input hangs.
.PP
A configuration may name any variable: ${NAME}.
.SH FILES
As a package lays them; from a folder everything is below it.
.TP
.I /etc/sipcmbeat/sipcmbeat.yml
The configuration. Every key stands in
.IR /usr/share/doc/sipcmbeat/sipcmbeat.reference.yml .
.TP
.I /var/lib/sipcmbeat
Data: the saved state
.RI ( sipcmbeat.state ),
the keystore, a queue on disk.
.TP
.I /var/log/sipcmbeat
Records that an index has refused; the log too, with
.IR logging.to_files .
.TP
.I /usr/share/doc/sipcmbeat
The documents.
.SH EXIT STATUS
.TP
0
Everything was done.
.TP
1
Something was not done; a line on standard error says what.
.TP
2
The command line is not understood.
.SH SEE ALSO
.BR tcpdump (8),
.BR pcap\-filter (7),
.BR systemd.service (5)
`

// commands are those that a user sees, with those below them.
func commands(root *cobra.Command) (all []*cobra.Command) {
	for _, c := range root.Commands() {
		switch {
		case !c.IsAvailableCommand():
		case c.Runnable():
			all = append(all, c)
		default:
			all = append(all, commands(c)...)
		}
	}
	return all
}

// page is a manual page in roff.
type page struct{ strings.Builder }

var roff = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`)

// escaped keeps a line of text from being read as a request.
func escaped(s string) string {
	if s = roff.Replace(s); strings.HasPrefix(s, ".") {
		s = `\&` + s
	}
	return s
}

func (p *page) raw(s string) { p.WriteString(s) }

func (p *page) line(s string) { p.raw(s + "\n") }

func (p *page) macro(name string, args ...string) {
	p.raw("." + name)
	for _, a := range args {
		p.raw(` "` + strings.ReplaceAll(escaped(a), `"`, `\(dq`) + `"`)
	}
	p.raw("\n")
}

// text writes paragraphs, which are filled.
func (p *page) text(s string) {
	for _, line := range strings.Split(strings.TrimSpace(s), "\n") {
		if line == "" {
			p.line(".PP")
			continue
		}
		p.line(escaped(line))
	}
}

// verbatim writes lines as they are.
func (p *page) verbatim(s string) {
	p.line(".PP\n.nf")
	for _, line := range strings.Split(strings.Trim(s, "\n"), "\n") {
		p.line(escaped(line))
	}
	p.line(".fi")
}

func (p *page) flags(set *pflag.FlagSet) {
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		names := []string{"--" + f.Name}
		if f.Shorthand != "" {
			names = slices.Insert(names, 0, "-"+f.Shorthand)
		}
		p.line(".TP")
		p.raw(`\fB` + escaped(strings.Join(names, ", ")) + `\fR`)
		if value != "" {
			p.raw(` \fI` + escaped(value) + `\fR`)
		}
		p.raw("\n")
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" {
			usage += fmt.Sprintf(" (default %s)", f.DefValue)
		}
		p.line(escaped(strings.ToUpper(usage[:1]) + usage[1:]))
	})
}
