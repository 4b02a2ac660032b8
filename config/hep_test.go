package config

import (
	"fmt"
	"slices"
	"testing"
)

// An input of HEP is composed of its keys; what it leaves out is the default of the
// source. A key may be any word; none alone is no key.
func TestHEPInputs(t *testing.T) {
	c, err := load(t, `
sipcmbeat.inputs:
  - {type: hep, auth_keys: [none, s3cret], allow: [192.0.2.77/24, "2001:db8::7"], max_connections: 3}
  - {type: hep, listen: ["udp:127.0.0.1:9061", "tcp:[::1]:9060"], auth_keys: s3cret, idle_timeout: 5m, buffer_kb: 100}
  - {type: siptrace, listen: "udp:0.0.0.0:5888", allow: none}
  - {type: hep, listen: "udp:127.0.0.1:9062", auth_keys: none}
`)
	if err != nil {
		t.Fatal(err)
	}
	a, b, s := c.Inputs[0].HEP, c.Inputs[1].HEP, c.Inputs[2].HEP
	if !slices.Equal(a.Listen, []string{"udp:0.0.0.0:9060"}) || !slices.Equal(a.AuthKeys, []string{"none", "s3cret"}) || a.MaxConns != 3 ||
		fmt.Sprint(a.Allow) != "[192.0.2.0/24 2001:db8::7/128]" || a.IdleTimeout.String() != "1h0m0s" || a.BufferKB != 8192 || a.Siptrace {
		t.Errorf("%+v", a)
	}
	if c.Inputs[1].Name != "udp:127.0.0.1:9061, tcp:[::1]:9060" || !slices.Equal(b.AuthKeys, []string{"s3cret"}) || b.IdleTimeout.String() != "5m0s" || b.BufferKB != 100 || len(b.Allow) != 0 {
		t.Errorf("%q %+v", c.Inputs[1].Name, b)
	}
	if keys := c.Inputs[3].HEP.AuthKeys; len(keys) != 0 {
		t.Errorf("auth_keys: none gave %d keys", len(keys))
	}
	if !s.Siptrace || len(s.Allow) != 0 || !c.Inputs[2].Live() || !c.Inputs[2].AnyPort {
		t.Errorf("%+v", s)
	}
}
