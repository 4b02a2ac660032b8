package beater

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp/logptest"

	"github.com/sipcmbeat/sipcmbeat/config"
	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// waiting is a run that has read its files, keeps its state in a file and waits for a
// signal. The end of it is to be called.
func waiting(t *testing.T, path string) (r *run, end func()) {
	t.Helper()
	section, err := conf.NewConfigFrom(calls + "run_forever: true\nstate.enabled: true\nevent_types_blst: none")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.New(section)
	if err != nil {
		t.Fatal(err)
	}
	keeper, err := engine.NewKeeper(path, "test", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	r, signals, done := startWith(t, newPipe(true), cfg, logptest.NewTestingLogger(t, ""), func(r *run) { r.keeper = keeper })
	tick, late := time.NewTicker(poll), time.After(patience)
	defer tick.Stop()
	for r.packetsCheck(time.Now()).Detail != "the files are read" {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("the files are not read")
		}
	}
	return r, func() {
		signals <- syscall.SIGTERM
		if err := result(t, done); err != nil {
			t.Error(err)
		}
		keeper.Close()
	}
}

// TestChangesWhileItWaits: what is changed after the last file was read outlives the run.
func TestChangesWhileItWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.state")
	r, end := waiting(t, path)
	if err := r.SetType("call-end", true, "a test"); err != nil {
		t.Fatal(err)
	}
	if err := r.Offend("192.0.2.1", "", 0, "a test"); err != nil {
		t.Fatal(err)
	}
	end()
	r, end = waiting(t, path)
	defer end()
	for _, row := range r.Types() {
		if row.Blacklisted != (row.Type == event.CallEnd.String()) {
			t.Errorf("%+v", row)
		}
	}
	if n := r.limit.Stats().Offenders; n != 1 {
		t.Errorf("%d sources", n)
	}
}
