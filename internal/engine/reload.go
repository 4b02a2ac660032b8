package engine

import "runtime"

// Reload takes up what of cfg can change while lanes run: Internal, and of Track what
// track.SetConfig takes. It cannot fail. No packet is lost by it: it gives core's lock
// back after every few hundred entries. Any goroutine may call it.
func (e *Engine) Reload(cfg Config) {
	e.steer.Lock()
	defer e.steer.Unlock()
	c := e.core
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cfg.Internal = cfg.Internal
	c.track.SetConfig(cfg.Track, func() {
		c.mu.Unlock()
		runtime.Gosched() // or the lanes would wait for the mutex to take notice of them
		c.mu.Lock()
	})
}
