package beater

import (
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/api"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/limit"
)

// newServer makes the server of the pages, where they are wanted. The engine is made
// after it, since it is told of each event, and it starts after the engine.
func (r *run) newServer(version string) {
	if r.cfg.HTTP.Port == 0 {
		return
	}
	cfg := r.cfg.HTTP
	cfg.Version = version
	cfg.Schema = event.NewSchema(event.Fields, r.cfg.Headers)
	cfg.Enrich = r.numbers.Add
	cfg.Fault = func(line string) { r.log.Error(line) }
	s := &masked{run: r}
	cfg.Private, cfg.Shown = r.masker, s.note
	r.server = api.New(cfg, s)
}

// startServer lets the server listen. A port that nobody chose and another program has
// is no reason not to capture.
func (r *run) startServer() error {
	if r.server == nil {
		return nil
	}
	err := r.server.Start()
	switch {
	case err == nil:
		r.log.Infof("pages and counters at %s", r.server.URL())
		return nil
	case r.cfg.PortSet():
		return r.cfg.RefusePort(err)
	}
	r.log.Warnf("there are no pages: %v; sipcmbeat.http_port chooses another port, 0 none", err)
	r.server.Close(0)
	r.server = nil // no lane has begun
	return nil
}

// graceHTTP is how long answers may go on when a run ends.
const graceHTTP = time.Second

func (r *run) stopServer() {
	if r.server != nil {
		r.server.Close(graceHTTP)
	}
	r.health.close()
}

// watch shows an event and what became of it.
func (r *run) watch(e *event.Event, fate limit.Fate) {
	if r.server != nil {
		r.server.Watch(e, fate.String())
	}
}
