package beater

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/elastic-agent-libs/paths"

	"github.com/sipcmbeat/sipcmbeat/config"
	"github.com/sipcmbeat/sipcmbeat/internal/engine"
)

// dataOf resolves names of files within path.data.
func dataOf(b *beat.Beat) func(name string) string {
	within := b.Paths
	if within == nil {
		within = paths.Paths
	}
	return func(name string) string { return within.Resolve(paths.Data, name) }
}

// openState locks the file for the saved state; nil where there is none.
func openState(cfg *config.Config, b *beat.Beat) (*engine.Keeper, error) {
	if !cfg.Saving {
		return nil, nil
	}
	k, err := engine.NewKeeper(dataOf(b)(cfg.StateFile()), config.Section+" "+b.Info.Version, time.Now)
	if err != nil {
		return nil, cfg.RefuseState(err)
	}
	return k, nil
}

// restore goes on from the saved state, if there is one.
func (r *run) restore() error {
	if r.keeper == nil {
		return nil
	}
	taken, err := r.keeper.Restore(r.engine, r.live)
	switch {
	case err != nil:
		return r.cfg.RefuseState(err)
	case taken.Bad:
		r.log.Warn(taken.Line)
		if r.told != nil {
			r.told.Warned(taken.Line)
		}
	default:
		r.log.Info(taken.Line)
	}
	return nil
}

// capture runs the engine and saves its state: every so often with a live input, and
// at the end, before the output has taken everything.
func (r *run) capture(ctx context.Context) error {
	if r.keeper == nil {
		return r.engine.Run(ctx)
	}
	ended := make(chan struct{})
	var saving sync.WaitGroup
	if r.live {
		saving.Go(func() { r.saveEvery(r.cfg.State.Interval, ended) })
	}
	err := r.engine.Run(ctx)
	close(ended)
	saving.Wait()
	if !r.live && (err != nil || ctx.Err() != nil || r.engine.Unread()) {
		r.log.Warn("the files were not read to their ends: the saved state is left as it was")
		return err
	}
	r.whole = true
	if r.save() {
		s := r.keeper.Stats()
		r.log.Infof("saved the state: %s, %d KiB in %v", plural(uint64(s.Entries), "entry"), s.Bytes>>10, s.Took.Round(time.Millisecond))
	}
	return err
}

func (r *run) saveEvery(interval time.Duration, ended <-chan struct{}) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.save()
		case <-ended:
			return
		}
	}
}

// saveChanges saves what was changed by hand while a run over files waited for a signal.
func (r *run) saveChanges() {
	if r.cfg.RunForever && !r.live && !r.reading && r.whole {
		r.save()
	}
}

// save writes the state. A failure is told when it begins; all are counted.
func (r *run) save() bool {
	err := r.keeper.Save(r.engine)
	if err != nil && !r.unsaved.Load() {
		r.log.Errorf("%v; it is tried again every %v, and the status lines count", r.cfg.RefuseState(err), r.cfg.State.Interval)
	}
	r.unsaved.Store(err != nil)
	return err == nil
}

// stateLine is a part of the status line.
func (r *run) stateLine(s engine.KeeperStats) string {
	if s.Written == 0 {
		return ""
	}
	return fmt.Sprintf("; state written %s, last %s, %d KiB in %v", plural(s.Written, "time"), plural(uint64(s.Entries), "entry"),
		s.Bytes>>10, s.Took.Round(time.Millisecond))
}

// kept is what became of the saved state.
func (r *run) kept() engine.KeeperStats {
	if r.keeper == nil {
		return engine.KeeperStats{}
	}
	return r.keeper.Stats()
}
