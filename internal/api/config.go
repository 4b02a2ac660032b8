package api

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// Config is where the server listens, and who may ask it. Validate names what is wrong
// by the keys of the configuration.
type Config struct {
	Addr           string // an address, or localhost
	Port           int    // 0 is off
	Token          string // "" asks for none
	Certificate    string // files in PEM form; "" is no TLS
	Key            string
	Names          []string // host names by which it is reached, besides localhost
	MaxConnections int
	MaxEvents      int // how many of the last events are kept
	Profiler       bool
	Inject         bool

	Version string
	Schema  *event.Schema      // of the events that are shown; nil is Native
	Enrich  func(*event.Event) // adds what is looked up when a record leaves; nil adds nothing
	Fault   func(line string)  // what is wrong with this program; nil says it to nobody

	// Private gives what masks the events that are shown; it may give nil, and be nil,
	// where nothing is masked. A Program masks by itself what it gives. Shown is told of
	// each event that is shown masked, and may be nil.
	Private func() event.Masker
	Shown   func(clear, masked *event.Event)
}

// DefaultConfig is on loopback, for who is on the machine.
func DefaultConfig() Config {
	return Config{Addr: "127.0.0.1", Port: 8080, MaxConnections: 256, MaxEvents: 1000}
}

// The shortest token that guards anything.
const minToken = 16

// Validate says by its key what is not allowed. It reads the files of the certificate.
func (c *Config) Validate() error {
	if c.Port < 0 || c.Port > 65535 {
		return fmt.Errorf("http_port: %d is not allowed; allowed: 1 to 65535, 0 (off)", c.Port)
	}
	if _, err := netip.ParseAddr(c.Addr); err != nil && c.Addr != "localhost" {
		return fmt.Errorf("http_addr: %q is not allowed; allowed: an address of this machine, such as 127.0.0.1, or localhost", c.Addr)
	}
	if c.MaxConnections < 4 || c.MaxConnections > 65536 {
		return fmt.Errorf("http.max_connections: %d is not allowed; allowed: 4 to 65536", c.MaxConnections)
	}
	if c.MaxEvents < 1 || c.MaxEvents > 100000 {
		return fmt.Errorf("http.max_events: %d is not allowed; allowed: 1 to 100000", c.MaxEvents)
	}
	if c.Token != "" && (len(c.Token) < minToken || strings.Trim(c.Token, tokenBytes) != "") {
		return fmt.Errorf("http.auth.token: what is given is not allowed; allowed: at least %d letters, digits and signs of ASCII, without blanks", minToken)
	}
	for _, n := range c.Names {
		if strings.ContainsAny(n, "/: \t*") || n == "" {
			return fmt.Errorf("http.names: %q is not allowed; allowed: host names without a port, such as probe.example.com", n)
		}
	}
	if (c.Certificate == "") != (c.Key == "") {
		return fmt.Errorf("http.tls: certificate and key are set together, or neither")
	}
	if c.Port == 0 {
		return nil
	}
	if !c.loopback() && (c.Token == "" || c.Certificate == "") {
		return fmt.Errorf("http_addr: %s is not allowed without http.auth.token, http.tls.certificate and http.tls.key, "+
			"since others reach it; allowed: those three, or 127.0.0.1 and a way there, such as ssh -L", c.Addr)
	}
	_, err := c.Pair()
	return err
}

// Pair reads the files of the certificate; nil where there is none.
func (c *Config) Pair() (*tls.Certificate, error) {
	if c.Certificate == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
	if err != nil {
		return nil, fmt.Errorf("http.tls.certificate: %w", err)
	}
	return &pair, nil
}

// tokenBytes are what a header carries without quotes.
const tokenBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'()*+,-./:;<=>?@[]^_`{|}~"

// loopback tells whether only this machine reaches the server.
func (c *Config) loopback() bool {
	a, err := netip.ParseAddr(c.Addr)
	return c.Addr == "localhost" || err == nil && a.Unmap().IsLoopback()
}

func (c *Config) address() string { return net.JoinHostPort(c.Addr, fmt.Sprint(c.Port)) }

// masker is what masks now, nil where nothing is masked.
func (c *Config) masker() event.Masker {
	if c.Private == nil {
		return nil
	}
	return c.Private()
}
