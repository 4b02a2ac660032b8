package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestLoopback: SIPp over every transport, watched on lo, where a packet is seen
// as it leaves and as it arrives, in each way to capture.
func TestLoopback(t *testing.T) {
	for _, c := range []struct{ name, transport, from, to, how string }{
		{"udp", "u1", "127.0.0.1", "127.0.0.1", ""},
		{"udp-pcap", "u1", "127.0.0.1", "127.0.0.1", "capture: pcap\n"},
		{"udp-workers", "u1", "127.0.0.1", "127.0.0.1", "capture: af_packet\nworkers: 2\n"},
		{"tcp", "t1", "127.0.0.1", "127.0.0.1", ""},
		{"tcp-pcap", "t1", "127.0.0.1", "127.0.0.1", "capture: pcap\n"},
		{"tcp-workers", "tn", "127.0.0.1", "127.0.0.1", "capture: af_packet\nworkers: 2\n"},
		{"udp6", "u1", "::1", "::1", ""},
		{"tcp6", "t1", "::1", "::1", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRoom(t)
			calls := traffic{caller: r, callee: r, from: c.from, to: c.to, transport: c.transport, n: 100}
			calls.serve()
			b := r.watch("iface: lo\n"+c.how+sipPorts, "127.0.0.1:5060")
			b.compare("SIPp", calls.run(t))
		})
	}
}

// The addresses at the ends of a cable.
var (
	ends4 = [2]string{"192.0.2.1", "192.0.2.2"}
	ends6 = [2]string{"2001:db8::1", "2001:db8::2"}
)

// cable makes two rooms with a cable between them: a device v0 of MTU 1500 in each.
// Unless the devices may offload they put nothing together and take nothing apart,
// as at a mirror port.
func cable(t *testing.T, offload bool) (a, b *room) {
	t.Helper()
	a, b = newRoom(t), newRoom(t)
	a.ip("link", "add", "v0", "mtu", "1500", "type", "veth", "peer", "name", "v0", "mtu", "1500", "netns", b.name)
	for i, r := range []*room{a, b} {
		r.ip("addr", "add", ends4[i]+"/24", "dev", "v0")
		r.ip("addr", "add", ends6[i]+"/64", "dev", "v0", "nodad")
		if !offload {
			r.run("ethtool", "-K", "v0", "tx", "off", "tso", "off", "gso", "off", "gro", "off")
		}
		r.ip("link", "set", "v0", "up")
	}
	return a, b
}

// TestCable: INVITEs larger than the MTU of 1500 between two hosts: in IP fragments
// over UDP, in several segments over TCP, and, where the device offloads, in frames
// larger than the MTU.
func TestCable(t *testing.T) {
	for _, c := range []struct {
		name, transport string
		ends            [2]string
		offload         bool
	}{
		{"udp-fragments", "u1", ends4, false},
		{"udp6-fragments", "u1", ends6, false},
		{"tcp-segments", "t1", ends4, false},
		{"tcp6-segments", "tn", ends6, false},
		{"tcp-offload", "t1", ends4, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			here, there := cable(t, c.offload)
			calls := traffic{caller: here, callee: there, from: c.ends[0], to: c.ends[1], transport: c.transport, n: 40, big: true}
			calls.serve()
			b := here.watch("iface: v0\n"+sipPorts, ends4[1]+":5060")
			want := calls.run(t)
			if made := here.counters()["IpFragCreates"]; c.name == "udp-fragments" && made < 2*40 {
				t.Errorf("the kernel made %d fragments of 40 large INVITEs", made)
			}
			b.compare(fmt.Sprintf("SIPp over %s", c.name), want)
		})
	}
}

// TestDoctor: the program's own look at this traffic, of which one port is not among
// those of the default configuration.
func TestDoctor(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	calls := traffic{caller: r, callee: r, from: "127.0.0.1", to: "127.0.0.1", transport: "u1", n: 60}
	calls.serve()
	doctor := r.start(os.Getenv("SIPCMBEAT_BINARY"), "doctor", "-i", "lo", "--for", "5s", "--no-output")
	calls.run(t)
	if !within(t, 20*time.Second, doctor.ended) || doctor.ProcessState.ExitCode() != 1 {
		t.Errorf("doctor: %v, want exit status 1", doctor.err)
	}
	for _, want := range []string{"ok    capture", "ok    losses         none", "ok    SIP ", "SIP on ports that are not listed: 5082 "} {
		if !strings.Contains(doctor.said(), want) {
			t.Errorf("no %q", want)
		}
	}
	t.Logf("doctor:\n%s", doctor.said())
}
