package relay

import (
	"strings"
	"testing"
)

// TestValidate: each refusal names its key and what is allowed.
func TestValidate(t *testing.T) {
	for want, set := range map[string]func(*Config){
		`targets: "x" is not allowed`:                   func(c *Config) { c.Targets = []string{"x"} },
		`targets: ":9060" is not allowed`:               func(c *Config) { c.Targets = []string{":9060"} },
		`targets: "x:0" is not allowed`:                 func(c *Config) { c.Targets = []string{"x:0"} },
		`targets: "x:1" stands there twice`:             func(c *Config) { c.Targets = []string{"x:1", "x:1"} },
		`transport: "sctp" is not allowed`:              func(c *Config) { c.Transport = "sctp" },
		`version: 1 is not allowed`:                     func(c *Config) { c.Version = 1 },
		`version: 2 is not allowed with transport tcp`:  func(c *Config) { c.Version, c.Transport = 2, "tcp" },
		`capture_id: 70000 is not allowed`:              func(c *Config) { c.Version, c.CaptureID = 2, 70000 },
		`auth_key: version 2 has no place`:              func(c *Config) { c.Version, c.AuthKey = 2, "x" },
		`auth_key and node: allowed: up to 256 bytes`:   func(c *Config) { c.Node = strings.Repeat("x", 257) },
		`buffer: 1000 is not allowed; allowed: 262144 `: func(c *Config) { c.Buffer = 1000 },
	} {
		c := DefaultConfig()
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		set(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestLoops: a target at which this program itself listens is refused.
func TestLoops(t *testing.T) {
	for _, c := range []struct {
		target, listen string
		loops          bool
	}{
		{"127.0.0.1:9060", "udp:0.0.0.0:9060", true},
		{"127.0.0.1:9060", "udp:[::]:9060", false},
		{"[::1]:9060", "udp:[::]:9060", true},
		{"[::1]:9060", "udp:0.0.0.0:9060", false},
		{"[::1]:9060", "udp::9060", true},
		{"127.0.0.1:9060", "udp::9060", true},
		{"localhost:9060", "udp:127.0.0.1:9060", true},
		{"probe.example.com:9060", "udp:probe.example.com:9060", true},
		{"192.0.2.1:9060", "udp:192.0.2.1:9060", true},
		{"127.0.0.1:9060", "tcp:0.0.0.0:9060", false},
		{"127.0.0.1:9061", "udp:0.0.0.0:9060", false},
		{"192.0.2.1:9060", "udp:0.0.0.0:9060", false},
		{"homer.example.com:9060", "udp:0.0.0.0:9060", false},
	} {
		cfg := config("udp", c.target)
		if err := cfg.Loops([]string{c.listen}); err != nil != c.loops {
			t.Errorf("%s, listening at %s: %v", c.target, c.listen, err)
		}
	}
}
