package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sipcmbeat/sipcmbeat/config"
	"github.com/sipcmbeat/sipcmbeat/internal/engine"
)

// checkState refuses a replay with saved state that does not say where: the daemon's
// file is never taken by chance.
func (r *replay) checkState() error {
	if r.cfg.Saving && r.cfg.State.Path == "" {
		return fmt.Errorf("%s.state.path: is not set; replay with %[1]s.state.enabled needs a file of its own", config.Section)
	}
	return nil
}

// restore goes on from the saved state, nil where there is none.
func (r *replay) restore(e *engine.Engine) (*engine.Keeper, error) {
	if !r.cfg.Saving {
		return nil, nil
	}
	k, err := engine.NewKeeper(r.cfg.State.Path, config.Section+" "+Version, time.Now)
	if err != nil {
		return nil, r.cfg.RefuseState(err)
	}
	taken, err := k.Restore(e, false)
	if err != nil {
		k.Close()
		return nil, r.cfg.RefuseState(err)
	}
	fmt.Fprintf(r.stderr, "sipcmbeat: %s\n", taken.Line)
	return k, nil
}

// save writes the state when all was read: the next replay goes on from there.
func (r *replay) save(ctx context.Context, k *engine.Keeper, e *engine.Engine, wrong error) {
	if k == nil {
		return
	}
	defer k.Close()
	if wrong != nil || ctx.Err() != nil || e.Unread() {
		r.complain(errors.New("the saved state is left as it was"))
		return
	}
	if err := k.Save(e); err != nil {
		r.complain(r.cfg.RefuseState(err))
	}
}
