package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// newTop is the command that shows a running program in a terminal. It asks that
// program's pages and needs no configuration and no privileges.
func newTop() *cobra.Command {
	t := top{clock: time.Now}
	var place, token, ca string
	c := &cobra.Command{
		Use:   "top",
		Short: "Show what a running sipcmbeat sees: calls, events, rates, losses, health",
		Long: "Shows what a running sipcmbeat sees, renewed every second: calls and registrations, events by type,\n" +
			"who makes most of them, what was lost, the queue and the output, and what its health checks say.\n" +
			"It asks the HTTP server of that program (http_port). q quits, the space bar asks at once.\n\n" +
			"Where the output is no terminal, or with --once, it prints one picture as text. The token may\n" +
			"also be in the environment, as " + tokenVariable + ", where other users do not see it.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if t.interval < minInterval || t.interval > maxInterval {
				return usageError{fmt.Errorf("--interval: %v is not allowed; allowed: %v to %v", t.interval, minInterval, maxInterval)}
			}
			if token == "" {
				token = os.Getenv(tokenVariable)
			}
			if t.client, err = newTopClient(place, token, ca); err != nil {
				return usageError{err}
			}
			ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
			defer stop()
			out, ok := c.OutOrStdout().(*os.File)
			if !ok || t.once || !isScreen(os.Stdin, out) {
				return t.print(ctx, c.OutOrStdout())
			}
			return t.show(ctx, os.Stdin, out)
		},
	}
	c.Flags().StringVar(&place, "url", "http://127.0.0.1:8080", "where the program's pages are")
	c.Flags().StringVar(&token, "token", "", "the token that it asks for (http.auth.token)")
	c.Flags().StringVar(&ca, "ca", "", "a `file` of the authorities that its certificate may come from (default: those of the system)")
	c.Flags().DurationVar(&t.interval, "interval", time.Second, "how often to ask")
	c.Flags().BoolVar(&t.once, "once", false, "print one picture and end")
	return c
}

// tokenVariable is where the token may be instead.
const tokenVariable = "SIPCMBEAT_TOKEN"

// Bounds of --interval.
const (
	minInterval = 100 * time.Millisecond
	maxInterval = time.Hour
)

// top asks and shows.
type top struct {
	client   *topClient
	interval time.Duration
	once     bool
	clock    func() time.Time
}

// isScreen tells whether both are a terminal that can be drawn on.
func isScreen(in, out *os.File) bool {
	return term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(out.Fd())) && os.Getenv("TERM") != "dumb"
}

// print writes one picture as text. It asks twice: rates are what happened in between.
func (t *top) print(ctx context.Context, out io.Writer) error {
	before, err := t.ask(ctx)
	if err != nil {
		return err
	}
	select {
	case <-time.After(t.interval):
	case <-ctx.Done():
		return nil
	}
	now, err := t.ask(ctx)
	if err != nil {
		return err
	}
	for _, line := range (picture{now: now, before: before}).lines(t.client.place, 0) {
		if _, err := fmt.Fprintln(out, line.text); err != nil {
			return err
		}
	}
	return nil
}

func (t *top) ask(ctx context.Context) (*answers, error) {
	a, err := t.client.ask(ctx)
	if a != nil {
		a.at = t.clock()
	}
	return a, err
}

// often is how often the size of the terminal is looked at.
const often = 200 * time.Millisecond

// show draws on the terminal until q is pressed or a signal comes.
func (t *top) show(ctx context.Context, in, out *os.File) (err error) {
	first, err := t.ask(ctx)
	if err != nil { // before the screen is ours: the line stays to be read
		return err
	}
	saved, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return fmt.Errorf("use the terminal: %w", err)
	}
	fmt.Fprint(out, "\x1b[?1049h\x1b[?25l\x1b[?7l") // another screen, no cursor, long lines end at its edge
	defer func() {
		fmt.Fprint(out, "\x1b[?7h\x1b[?25h\x1b[?1049l")
		err = errors.Join(err, term.Restore(int(in.Fd()), saved))
	}()
	s := screen{out: out, colour: os.Getenv("NO_COLOR") == "", size: func() (int, int) {
		width, height, err := term.GetSize(int(out.Fd()))
		if err != nil {
			return 80, 24
		}
		return width, height
	}}
	return t.run(ctx, &s, keysOf(in), picture{now: first})
}

// keysOf reads single keys until the input ends.
func keysOf(in io.Reader) <-chan byte {
	keys := make(chan byte)
	go func() {
		defer close(keys)
		b := make([]byte, 64)
		for {
			n, err := in.Read(b)
			for _, key := range b[:n] {
				keys <- key
			}
			if err != nil {
				return
			}
		}
	}()
	return keys
}

// Keys.
const (
	ctrlC = 3
	ctrlD = 4
)

// run asks every interval in the background, and draws what came, when the size of the
// terminal changes too.
func (t *top) run(ctx context.Context, s *screen, keys <-chan byte, p picture) error {
	type result struct {
		got *answers
		err error
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	results := make(chan result, 1)
	asking := false
	ask := func() {
		if asking {
			return // the last one is not answered yet
		}
		asking = true
		go func() {
			got, err := t.ask(ctx)
			results <- result{got, err}
		}()
	}
	again, look := time.NewTicker(t.interval), time.NewTicker(often)
	defer again.Stop()
	defer look.Stop()
	s.draw(p.lines(t.client.place, s.height()))
	for {
		select {
		case <-ctx.Done():
			return nil
		case key, ok := <-keys:
			switch {
			case !ok, key == 'q', key == 'Q', key == ctrlC, key == ctrlD:
				return nil
			case key == ' ':
				ask()
			}
		case <-again.C:
			ask()
		case r := <-results:
			asking = false
			if p.failed = r.err; r.err == nil {
				p.before, p.now = p.now, r.got
			}
			s.draw(p.lines(t.client.place, s.height()))
		case <-look.C:
			if s.resized() {
				s.draw(p.lines(t.client.place, s.height()))
			}
		}
	}
}
