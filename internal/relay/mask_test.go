package relay

import (
	"bytes"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// upper is a Mask that can be told from what it masks.
type upper struct{}

func (upper) Addr(a netip.Addr) netip.Addr { return netip.MustParseAddr("2001:db8::99") }

func (upper) AppendCallID(dst, id []byte) []byte { return append(dst, bytes.ToUpper(id)...) }

func (upper) AppendNode(dst, name []byte) []byte { return append(dst, bytes.ToUpper(name)...) }

func (upper) AppendMessage(dst, message []byte, cut bool) []byte {
	return append(dst, bytes.ToUpper(message)...)
}

// TestMask: what leaves is masked, payload, addresses and correlation id, from the moment
// on that there is a mask; all else is as it was, in both versions and over both carriers.
func TestMask(t *testing.T) {
	for _, c := range []struct {
		transport string
		version   int
	}{{"udp", 2}, {"udp", 3}, {"tcp", 3}} {
		in := newInbox()
		var cfg Config
		if c.transport == "udp" {
			cfg = config("udp", listenUDP(t, in))
		} else {
			cfg = config("tcp", serve(t, "127.0.0.1:0", nil, in).l.Addr().String())
		}
		if cfg.Version = c.version; c.version == 2 {
			cfg.AuthKey = ""
		}
		var on atomic.Bool
		cfg.Mask = func() Mask {
			if on.Load() {
				return upper{}
			}
			return nil
		}
		r := begin(t, cfg, nil)
		first, m := message(t, 1, "OPTIONS", 10)
		r.Copy(&first, m)
		if got := in.wait(t, 1)[0]; !bytes.Equal(got.Payload(), first.Payload) || got.Src != first.Src {
			t.Errorf("%v: %v, %s", c, got.Src, got.Payload())
		}
		on.Store(true)
		p, m := message(t, 2, "OPTIONS", 10)
		r.Copy(&p, m)
		got := in.wait(t, 2)[1]
		if !bytes.Equal(got.Payload(), bytes.ToUpper(p.Payload)) || got.Src != netip.MustParseAddrPort("[2001:db8::99]:5060") || got.Dst != netip.MustParseAddrPort("[2001:db8::99]:5080") {
			t.Errorf("%v: %v to %v, %s", c, got.Src, got.Dst, got.Payload())
		}
		if c.version == 3 && (string(got.CorrelationID()) != "CALL-2" || string(got.Key()) != cfg.AuthKey || string(got.Node()) != cfg.Node) {
			t.Errorf("%v: %s %s %s", c, got.CorrelationID(), got.Key(), got.Node())
		}
		if got.Time/1000 != p.Time/1000 || got.CaptureID != cfg.CaptureID || got.Protocol != 17 {
			t.Errorf("%v: %+v", c, got)
		}
		if s := finish(t, r, patience); s.Targets[0].Sent != 2 || s.Check() != nil {
			t.Errorf("%v: %+v %v", c, s, s.Check())
		}
	}
}

// TestMaskNode: the name of another probe is masked, for it may be an address; its own is
// what it knows its packets by.
func TestMaskNode(t *testing.T) {
	in := newInbox()
	cfg := config("udp", listenUDP(t, in))
	cfg.Mask = func() Mask { return upper{} }
	r := begin(t, cfg, nil)
	for i, want := range []string{cfg.Node, "EDGE-1"} {
		p, m := message(t, i, "OPTIONS", 10)
		if i > 0 {
			p.HEP = packet.HEPInfo{Version: 3, CaptureID: 7, Node: []byte("edge-1")}
		}
		r.Copy(&p, m)
		if got := in.wait(t, i+1)[i]; string(got.Node()) != want {
			t.Errorf("the node %q, not %q", got.Node(), want)
		}
	}
	finish(t, r, patience)
}

// long is a Mask that makes of everything more than a packet can carry.
type long struct{ upper }

func (long) AppendMessage(dst, message []byte, cut bool) []byte {
	return append(dst, make([]byte, 1<<17)...)
}

// TestMaskTooLong: what no packet can carry is counted, and holds nothing up.
func TestMaskTooLong(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		in := newInbox()
		cfg := config("udp", listenUDP(t, in))
		if transport == "tcp" {
			cfg = config("tcp", serve(t, "127.0.0.1:0", nil, in).l.Addr().String())
		}
		cfg.Mask = func() Mask { return long{} }
		r := begin(t, cfg, nil)
		for n := range 3 {
			p, m := message(t, n, "OPTIONS", 10)
			r.Copy(&p, m)
		}
		if s := finish(t, r, patience); s.Targets[0].TooLong != 3 || s.Targets[0].Sent != 0 || s.Check() != nil {
			t.Errorf("%s: %+v %v", transport, s, s.Check())
		}
	}
}
