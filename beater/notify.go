package beater

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// notifier tells the service manager how a run is (sd_notify(3)). A nil one tells
// nobody.
type notifier struct {
	conn  net.Conn
	every time.Duration // between two signs of life; 0: none are asked for
}

// newNotifier finds the service manager in the environment; nil where there is none.
func newNotifier(env func(string) string) (*notifier, error) {
	socket := env("NOTIFY_SOCKET")
	if socket == "" {
		return nil, nil
	}
	conn, err := net.Dial("unixgram", socket) // @NAME is an abstract one in both notations
	if err != nil {
		return nil, fmt.Errorf("reach the service manager: %w", err)
	}
	n := &notifier{conn: conn}
	if pid := env("WATCHDOG_PID"); pid == "" || pid == strconv.Itoa(os.Getpid()) {
		// Without the variable 0. A third of the limit: one that comes late is not missed.
		us, _ := strconv.ParseInt(env("WATCHDOG_USEC"), 10, 64)
		n.every = time.Duration(us) * time.Microsecond / 3
	}
	return n, nil
}

// say sends assignments. A manager that does not listen is none.
func (n *notifier) say(assignments ...string) {
	if n != nil {
		_, _ = n.conn.Write([]byte(strings.Join(assignments, "\n")))
	}
}

// reloading says that the configuration is read again, and since when: systemd compares
// the time with that of its own order. READY=1 ends it.
func (n *notifier) reloading() {
	n.say("RELOADING=1", "MONOTONIC_USEC="+strconv.FormatInt(monotonic(), 10))
}

// signs is a channel for the times of the signs of life, and what ends it.
func (n *notifier) signs() (<-chan time.Time, func()) {
	if n == nil || n.every <= 0 {
		return nil, func() {}
	}
	t := time.NewTicker(n.every)
	return t.C, t.Stop
}

// alive sends a sign of life, unless a live input hangs: the manager then ends the run,
// the goroutines' stacks go into its log, and the saved state is taken up at the restart.
// A quiet link is no reason, nor is an output that takes nothing.
func (r *run) alive() {
	if r.reading {
		if name, ok := r.engine.Hanging(); ok {
			r.log.Errorf("%s has not gone on for %v, a fault of this program; the service manager gets no sign of life", name, r.notify.every)
			return
		}
	}
	r.notify.say("WATCHDOG=1")
}
