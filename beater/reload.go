package beater

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/cmd/instance"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/keystore"
	"github.com/elastic/elastic-agent-libs/paths"
	"github.com/elastic/go-ucfg"
	"github.com/elastic/go-ucfg/parse"

	"github.com/sipcmbeat/sipcmbeat/config"
	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// Reader reads the whole configuration as the start did.
type Reader func() (*conf.C, error)

// secrets is the keystore as it was last read. libbeat opens it once, at the start; the
// options by which every ${NAME} is looked up point here instead, so that a reload finds
// what was put into it since.
type secrets struct {
	store atomic.Pointer[keystore.Keystore]
}

// newSecrets takes libbeat's place; nil where there is no keystore.
func newSecrets(b *beat.Beat) *secrets {
	if b.Keystore == nil {
		return nil
	}
	s := &secrets{}
	s.store.Store(&b.Keystore)
	LookInto(func() keystore.Keystore { return *s.store.Load() })
	return s
}

// LookInto makes every ${NAME} be looked up in the keystore that open gives, nil where there
// is none, and in the environment, as libbeat does.
func LookInto(open func() keystore.Keystore) {
	conf.OverwriteConfigOpts([]ucfg.Option{
		ucfg.PathSep("."),
		ucfg.Resolve(func(name string) (string, parse.Config, error) {
			store := open()
			if store == nil {
				return "", parse.NoopConfig, ucfg.ErrMissing
			}
			return keystore.ResolverWrap(store)(name)
		}),
		ucfg.ResolveEnv,
		ucfg.VarExp,
	})
}

// reloader reads the configuration again.
type reloader struct {
	read Reader
	keys *secrets // nil: there is no keystore
	name string
	dir  *paths.Path
	rest map[string]string // what is not ours, as it runs
}

func newReloader(read Reader, keys *secrets, b *beat.Beat) *reloader {
	if read == nil {
		return nil
	}
	l := &reloader{read: read, keys: keys, name: b.Info.Beat, dir: b.Paths}
	if l.dir == nil {
		l.dir = paths.Paths
	}
	if all, err := read(); err == nil {
		l.rest = notOurs(all)
	}
	return l
}

// load reads and checks everything and changes nothing but the keystore that is looked
// into, which undo puts back. rest is what is not ours.
func (l *reloader) load() (next *config.Config, rest map[string]string, undo func(), err error) {
	undo = func() {}
	all, err := l.read()
	if err != nil {
		return nil, nil, undo, err
	}
	if l.keys != nil {
		store, err := instance.LoadKeystore(all, l.name, l.dir)
		if err != nil {
			return nil, nil, undo, fmt.Errorf("read the keystore: %w", err)
		}
		before := l.keys.store.Swap(&store)
		undo = func() { l.keys.store.Store(before) }
	}
	section := conf.NewConfig()
	if all.HasField(config.Section) {
		if section, err = all.Child(config.Section, -1); err != nil {
			return nil, nil, undo, fmt.Errorf("%s: %w", config.Section, err)
		}
	}
	if next, err = config.New(section); err != nil {
		return nil, nil, undo, err
	}
	for i := range next.Inputs {
		in := &next.Inputs[i]
		if !in.Live() {
			continue // its files were there when it began, and may be gone
		}
		if err := check(in, next); err != nil {
			return nil, nil, undo, err
		}
	}
	return next, notOurs(all), undo, nil
}

// notOurs is what else the configuration says, by key. The values never leave this
// program.
func notOurs(all *conf.C) map[string]string {
	rest := map[string]string{}
	for _, key := range all.FlattenedKeys() {
		if key == config.Section || strings.HasPrefix(key, config.Section+".") {
			continue
		}
		text, err := all.String(key, -1)
		if err != nil {
			text = err.Error()
		}
		rest[key] = text
	}
	return rest
}

// differ names the keys of which two configurations say different things.
func differ(a, b map[string]string) (keys []string) {
	for key, text := range a {
		if other, ok := b[key]; !ok || other != text {
			keys = append(keys, key)
		}
	}
	for key := range b {
		if _, ok := a[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// now is the configuration as it runs.
func (r *run) now() *config.Config {
	if c := r.running.Load(); c != nil {
		return c
	}
	return r.cfg
}

// Reload reads the configuration again and takes up what can change while the program
// runs, all of it or, by an error, nothing. who asks is for the log. Any goroutine may
// call it.
func (r *run) Reload(who string) (view.Reloaded, error) {
	r.steer.Lock()
	defer r.steer.Unlock()
	got, err := r.reload()
	if err != nil {
		err = errors.New(strings.Join(strings.FieldsFunc(err.Error(), func(c rune) bool { return c == '\n' || c == '\r' }), "; "))
		r.log.Errorf("reload (%s): %v; everything runs on as it was", who, err)
		return got, err
	}
	line := fmt.Sprintf("reload (%s): ", who)
	switch {
	case len(got.Changed) > 0:
		line += "in effect now: " + strings.Join(got.Changed, ", ")
	default:
		line += "nothing to take up"
	}
	if len(got.Restart) > 0 {
		r.log.Warnf("%s; different in the configuration, and in effect after a restart only: %s", line, strings.Join(got.Restart, ", "))
	} else {
		r.log.Info(line)
	}
	return got, nil
}

func (r *run) reload() (got view.Reloaded, err error) {
	got = view.Reloaded{Changed: []string{}, Restart: []string{}}
	if r.reader == nil {
		return got, errors.New("there is no configuration to read again")
	}
	next, rest, undo, err := r.reader.load()
	if err != nil {
		undo()
		return got, err
	}
	merged, changed, restart, err := r.now().Take(next)
	if err != nil {
		undo()
		return got, err
	}
	pair, err := r.pairOf(merged) // of which the files may be new ones
	if err != nil {
		undo()
		return got, err
	}
	sealer, err := merged.Sealer(r.within) // of which the files may be new ones too
	if err != nil {
		undo()
		return got, err
	}
	for _, w := range next.Warnings {
		r.log.Warn(w)
	}
	for _, key := range changed {
		got.Changed = append(got.Changed, config.Section+"."+key)
	}
	for _, key := range restart {
		got.Restart = append(got.Restart, config.Section+"."+key)
	}
	if r.reader.rest != nil {
		got.Restart = append(got.Restart, differ(r.reader.rest, rest)...)
	}
	if len(changed) > 0 {
		r.take(merged)
		r.sealer.Store(sealer)
	}
	if r.server != nil && r.server.Renew(merged.HTTP.Token, pair) {
		got.Changed = append(got.Changed, config.Section+".http.tls.certificate") // another in the same file
	}
	return got, nil
}

// pairOf reads the certificate of the pages; nil where there is none.
func (r *run) pairOf(c *config.Config) (*tls.Certificate, error) {
	if r.server == nil {
		return nil, nil
	}
	pair, err := c.HTTP.Pair()
	if err != nil {
		return nil, fmt.Errorf("%s.%w", config.Section, err)
	}
	return pair, nil
}

// take puts a configuration into effect. Nothing of it can fail.
func (r *run) take(merged *config.Config) {
	r.reportAs(r.now().Stats, merged.Stats)
	r.running.Store(merged)
	r.engine.Reload(merged.Engine)
	r.limit.Configure(merged.Limit)
	r.count.Configure(merged.Count)
	r.numbers.SetCountry(merged.Keys.Numbers.Country)
	if r.out != nil {
		r.out.relay.Choose(&merged.Relay)
	}
	if r.dump != nil {
		r.dump.SetList(merged.Dump.List)
	}
	for _, in := range r.inputs {
		if h, ok := in.Source.(*capture.HEP); ok {
			of := merged.Inputs[in.Place].HEP
			h.SetSenders(of.AuthKeys, of.Allow)
		}
	}
}

// hangUps reloads at each SIGHUP, until the run is over. The service manager is told: a
// reload that lasts is no hang.
func (r *run) hangUps(over <-chan struct{}) {
	for {
		select {
		case <-over:
			return
		case <-r.hangups:
		}
		r.notify.reloading()
		status := "STATUS=running"
		if _, err := r.Reload("SIGHUP"); err != nil {
			status = "STATUS=running as before; the reload was refused: " + err.Error()
		}
		r.notify.say("READY=1", status)
	}
}
