package capture

import (
	"bytes"
	"net/netip"
	"testing"
)

// Who may send is changed while packets come: the next one is judged by the new keys
// and networks, and a connection of somebody who may not any more is closed.
func TestHEPSetSenders(t *testing.T) {
	h := listen(t, func(c *HEPConfig) {
		c.Listen = []string{"udp:127.0.0.1:0", "tcp:127.0.0.1:0"}
		c.AuthKeys = []string{"older"}
	})
	udp, tcp := dial(t, h, 0), dial(t, h, 1)
	send(t, udp, hepOf(3, 1, 100))
	until(t, "a wrong key", func() bool { return h.Stats().WrongKey == 1 })
	h.SetSenders([]string{"s3cret"}, nil)
	send(t, udp, hepOf(3, 2, 100))
	if f := next(t, h); !bytes.Equal(f.Data, hepOf(3, 2, 100)) {
		t.Errorf("%q", f.Data)
	}
	send(t, tcp, hepOf(3, 3, 100))
	if f := next(t, h); !bytes.Equal(f.Data, hepOf(3, 3, 100)) {
		t.Errorf("%q", f.Data)
	}
	h.SetSenders(nil, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")})
	if n, err := tcp.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes from a connection that should be closed", n)
	}
	send(t, udp, hepOf(3, 4, 100))
	until(t, "a wrong address", func() bool { return h.Stats().Refused > 0 })
	h.SetSenders(nil, nil)
	send(t, udp, hepOf(3, 5, 100))
	if f := next(t, h); !bytes.Equal(f.Data, hepOf(3, 5, 100)) {
		t.Errorf("%q", f.Data)
	}
}
