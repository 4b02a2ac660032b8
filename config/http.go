package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/go-ucfg"
	"github.com/elastic/go-ucfg/parse"

	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// HTTP is the server of the pages, but for where it listens.
type HTTP struct {
	Auth           HTTPAuth      `config:"auth"`
	TLS            HTTPTLS       `config:"tls"`
	Names          []string      `config:"names,replace"`
	MaxConnections int           `config:"max_connections"`
	MaxEvents      int           `config:"max_events"`
	Profiler       bool          `config:"profiler"`
	Inject         bool          `config:"inject"`
	ReadySilence   time.Duration `config:"ready_silence"`
	ReadyStall     time.Duration `config:"ready_stall"`
	MessagesMem    Size          `config:"messages_mem"`
}

// HTTPAuth is who may ask.
type HTTPAuth struct {
	Token string `config:"token"`
}

// HTTPTLS are files.
type HTTPTLS struct {
	Certificate string `config:"certificate"`
	Key         string `config:"key"`
}

// composeHTTP fills the Config of the server.
func (c *Config) composeHTTP() (err error) {
	k := &c.Keys.HTTP
	if k.Names, err = list("http.names", k.Names, true); err != nil {
		return err
	}
	h := &c.HTTP
	h.Addr, h.Port, h.Token = c.HTTPAddr, c.HTTPPort, k.Auth.Token
	h.Certificate, h.Key, h.Names = k.TLS.Certificate, k.TLS.Key, k.Names
	h.MaxConnections, h.MaxEvents = k.MaxConnections, k.MaxEvents
	h.Profiler, h.Inject = k.Profiler, k.Inject
	return nil
}

// PortSet tells whether the user chose http_port: it has to be free then.
func (c *Config) PortSet() bool { return c.portSet }

// fromOutside gives the ${NAME}s that a key's value is made of, as they are written; ""
// where there are none. Their values may be secrets, whatever key they stand at.
func fromOutside(section *conf.C, key string) string {
	var names []string
	listen := func(name string) (string, parse.Config, error) {
		if ref := "${" + name + "}"; !slices.Contains(names, ref) {
			names = append(names, ref)
		}
		return "", parse.NoopConfig, nil
	}
	_, _ = (*ucfg.Config)(section).String(key, -1, ucfg.PathSep("."), ucfg.VarExp, ucfg.Resolve(listen))
	return strings.Join(names, ", ")
}

// Settings are the keys with their values, without secrets.
func (c *Config) Settings() []view.Setting {
	all := make([]view.Setting, 0, len(Table))
	for _, row := range Table {
		s := view.Setting{Key: row.Name, Value: c.text(row.Name), Default: row.DefaultText(), Meaning: row.Meaning, Reload: row.Reload}
		switch ref := c.taken[row.Name]; {
		case row.Secret && strings.Trim(s.Value, `"[], `) != "" && s.Value != none:
			s.Value, s.Secret = "(set)", true
		case row.Secret:
			s.Value, s.Secret = "", true
		case ref != "":
			s.Value = ref
		}
		all = append(all, s)
	}
	return all
}

// RefusePort says of which key an error of listening is.
func (c *Config) RefusePort(err error) error {
	return fmt.Errorf("%[1]s.http_port: %[2]w; allowed: a free port, or %[1]s.http_port: 0 for a run without pages", Section, err)
}
