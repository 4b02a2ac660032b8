package packet

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/hep"
)

const (
	hepTime = int64(1700000000123456000)
	hepBody = "OPTIONS sip:a@b SIP/2.0\r\n"
)

func hepMessage(version uint8) hep.Message {
	return hep.Message{Version: version, Protocol: 17, Type: hep.TypeSIP, Time: hepTime, CaptureID: 234, Payload: []byte(hepBody),
		Src: netip.MustParseAddrPort("192.0.2.7:5060"), Dst: netip.MustParseAddrPort("198.51.100.9:5080"),
		Node: []byte("edge-1"), CorrelationID: []byte("corr-1"), Key: []byte("s3cret")}
}

func hepPacket(version uint8) []byte {
	m := hepMessage(version)
	b, ok := m.Append(nil)
	if !ok {
		panic("not written")
	}
	return b
}

// udpIP4 is an IPv4 packet with a UDP datagram to a port.
func udpIP4(port int, payload []byte) []byte {
	n := 8 + len(payload)
	return join(with(ip4, 2, (20+n)>>8, 3, 20+n), with(udpHeader, 2, port>>8, 3, port, 4, n>>8, 5, n), payload)
}

// Every version, from a socket and from a UDP port, gives what is inside.
func TestHEP(t *testing.T) {
	for version, layer := range map[uint8]Layer{1: LayerHEP1, 2: LayerHEP2, 3: LayerHEP3} {
		socket, wired := wire(LinkHEP, hepPacket(version)), wire(LinkEthernet, ether4, udpIP4(9060, hepPacket(version)))
		socket.Peer = netip.MustParseAddr("192.0.2.1")
		for _, f := range []Frame{socket, wired} {
			f.Time = hepTime + 5e9
			d := New(DefaultConfig())
			if why := d.Decode(&f); why != OK {
				t.Fatalf("version %d: %v", version, why)
			}
			if d.Src.String() != "192.0.2.7:5060" || d.Dst.String() != "198.51.100.9:5080" || d.Transport != UDP || string(d.Payload) != hepBody || !d.Whole || d.Cut {
				t.Errorf("version %d: %v to %v by %v, payload %q", version, d.Src, d.Dst, d.Transport, d.Payload)
			}
			if d.OuterSrc.String() != "192.0.2.1" || !slices.Equal(d.Encap, []Layer{layer}) || d.HasMAC || d.IPID != 0 {
				t.Errorf("version %d: from %v through %v", version, d.OuterSrc, d.Encap)
			}
			want := hepTime
			if version == 1 {
				want = f.Time
			}
			if d.Time != want || d.HEP.Received != (version == 1) || d.HEP.Version != version || d.HEP.Type != 1 || !d.HEP.SIP() {
				t.Errorf("version %d: time %d, %+v", version, d.Time, d.HEP)
			}
			if version == 3 && (d.HEP.CaptureID != 234 || string(d.HEP.Node) != "edge-1" || string(d.HEP.CorrelationID) != "corr-1") {
				t.Errorf("%+v", d.HEP)
			}
			if s := d.Stats().HEP; s.Packets != 1 || s.Trailing+s.Odd != 0 || s.Untimed != map[uint8]uint64{1: 1}[version] {
				t.Errorf("version %d: %+v", version, s)
			}
		}
	}
}

// The time of the packet is taken when it can be, the frame's else.
func TestHEPTime(t *testing.T) {
	for name, c := range map[string]struct {
		frame    int64
		received bool
	}{
		"now":            {hepTime, false},
		"a day old":      {hepTime + maxPast, false},
		"older":          {hepTime + maxPast + 1, true},
		"a bit ahead":    {hepTime - maxFuture, false},
		"further ahead":  {hepTime - maxFuture - 1, true},
		"no time at all": {0, true},
	} {
		f := wire(LinkHEP, hepPacket(3))
		f.Time = c.frame
		d := New(DefaultConfig())
		want := hepTime
		if c.received {
			want = c.frame
		}
		if why := d.Decode(&f); why != OK || d.Time != want || d.HEP.Received != c.received {
			t.Errorf("%s: %v, time %d, received %v", name, why, d.Time, d.HEP.Received)
		}
	}
}

// Where HEP is looked for, and what becomes of what is none.
func TestHEPPorts(t *testing.T) {
	cfg := DefaultConfig()
	any := cfg
	any.AnyHEP = true
	moved := cfg
	moved.HEPPorts = []uint16{9999}
	none := cfg
	none.HEPPorts = []uint16{}
	three, bad := hepPacket(3), hepPacket(3)
	bad[5]-- // a total length that is not the datagram's
	truncated := slices.Clone(three)[:60]
	truncated[4], truncated[5] = 0, 60
	for name, c := range map[string]struct {
		cfg     Config
		port    int
		payload []byte
		want    Drop
		version uint8
	}{
		"its port":                       {cfg, 9060, three, OK, 3},
		"version 1 on its port":          {cfg, 9060, hepPacket(1), OK, 1},
		"SIP on its port":                {cfg, 9060, []byte(hepBody), OK, 0},
		"broken HEP on its port":         {cfg, 9060, truncated, OK, 0},
		"another port":                   {cfg, 9999, three, OK, 0},
		"another port, any taken":        {any, 9999, three, OK, 3},
		"version 2 elsewhere, any taken": {any, 9999, hepPacket(2), OK, 0},
		"another length, any taken":      {any, 9999, bad, OK, 0},
		"broken HEP, any taken":          {any, 9999, truncated, BadHEP, 0},
		"a moved port":                   {moved, 9999, three, OK, 3},
		"a moved port, the old one":      {moved, 9060, three, OK, 0},
		"no port":                        {none, 9060, three, OK, 0},
	} {
		d := New(c.cfg)
		f := wire(LinkEthernet, ether4, udpIP4(c.port, c.payload))
		why := d.Decode(&f)
		if why != c.want || d.HEP.Version != c.version {
			t.Errorf("%s: %v, version %d", name, why, d.HEP.Version)
		}
		if why == OK && c.version == 0 && (!bytes.Equal(d.Payload, c.payload) || d.Whole || d.Src.Addr().String() != "192.0.2.1") {
			t.Errorf("%s: %v, payload %q", name, d.Src, d.Payload)
		}
	}
}

func TestHEPRefused(t *testing.T) {
	d := New(Config{HEPKeys: [][]byte{[]byte("other")}})
	for _, f := range []Frame{wire(LinkHEP, hepPacket(3)), wire(LinkHEP, hepPacket(1)), wire(LinkEthernet, ether4, udpIP4(9060, hepPacket(3)))} {
		if why := d.Decode(&f); why != HEPAuth || d.Payload != nil {
			t.Errorf("%v, payload %q", why, d.Payload)
		}
	}
	f := wire(LinkHEP, []byte(hepBody))
	if why := d.Decode(&f); why != BadHEP || d.Stats().HEP.Problems[hep.NotHEP] != 1 {
		t.Errorf("%v, %+v", why, d.Stats().HEP)
	}
}

func TestHEPTransport(t *testing.T) {
	for protocol, want := range map[uint8]Transport{0: UDP, 17: UDP, 6: TCP, 22: TCP, 50: TCP, 132: SCTP, 99: TransportNone} {
		m := hepMessage(3)
		m.Protocol = protocol
		b, _ := m.Append(nil)
		d := New(DefaultConfig())
		f := wire(LinkHEP, b)
		if why := d.Decode(&f); why != OK || d.Transport != want {
			t.Errorf("protocol %d: %v, %v", protocol, why, d.Transport)
		}
	}
}

// Two agents that see one packet are two mirror points.
func TestHEPPathHash(t *testing.T) {
	hash := func(peer string, id uint32) uint32 {
		m := hepMessage(3)
		m.CaptureID = id
		b, _ := m.Append(nil)
		d := New(DefaultConfig())
		f := wire(LinkHEP, b)
		f.Peer = netip.MustParseAddr(peer)
		d.Decode(&f)
		return d.PathHash()
	}
	if first := hash("192.0.2.1", 1); first != hash("192.0.2.1", 1) || hash("192.0.2.1", 1) == hash("192.0.2.2", 1) || hash("192.0.2.1", 1) == hash("192.0.2.1", 2) {
		t.Error("agents are not told apart")
	}
}

func TestHEPAllocs(t *testing.T) {
	d := New(Config{HEPKeys: [][]byte{[]byte("s3cret")}, AnyHEP: true})
	f := wire(LinkEthernet, ether4, udpIP4(9999, hepPacket(3)))
	if n := testing.AllocsPerRun(100, func() {
		if d.Decode(&f) != OK {
			t.Fatal("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A packet that a stream put together has the path of its connection.
func TestDecodeHEP(t *testing.T) {
	src, dst := netip.MustParseAddrPort("203.0.113.1:40000"), netip.MustParseAddrPort("203.0.113.2:9060")
	p := Packet{Time: hepTime + 1e9, Source: 4, Src: src, Dst: dst, Transport: TCP, Seq: 7, VLANs: []uint16{9}, Encap: []Layer{LayerVLAN}, Payload: hepPacket(3)}
	d := New(DefaultConfig())
	if why := d.DecodeHEP(&p); why != OK || d.Src.String() != "192.0.2.7:5060" || d.OuterSrc != src.Addr() || d.OuterDst != dst.Addr() || d.Source != 4 ||
		string(d.Payload) != hepBody || d.Time != hepTime || !d.Whole || d.Transport != UDP || d.Seq != 0 {
		t.Errorf("%v: %v from %v at %d, payload %q", why, d.Src, d.OuterSrc, d.Time, d.Payload)
	}
	if !slices.Equal(d.Encap, []Layer{LayerVLAN, LayerHEP3}) || !slices.Equal(d.VLANs, []uint16{9}) || len(p.Encap) != 1 {
		t.Errorf("through %v %v", d.Encap, d.VLANs)
	}
	if n := testing.AllocsPerRun(100, func() { d.DecodeHEP(&p) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	p.Payload = p.Payload[:20]
	if why := d.DecodeHEP(&p); why != BadHEP || d.Payload != nil {
		t.Errorf("%v", why)
	}
}
