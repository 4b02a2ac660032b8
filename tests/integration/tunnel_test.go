package integration

import (
	"strings"
	"testing"
)

// tunnels are the kernel's: how each end is made on top of the cable, with LOCAL
// and REMOTE for its outer addresses. The inner ones are inner4, or inner6 for what
// carries IPv6 alone.
var tunnels = []struct {
	name   string
	link   []string // commands of `ip link add`, the last one makes t0
	six    bool     // the inner packets are IPv6
	layers string   // of the events
}{
	{"vlan", []string{"link v0 name t0 type vlan id 838"}, false, "vlan"},
	{"qinq", []string{"link v0 name s0 type vlan proto 802.1ad id 100", "link s0 name t0 type vlan id 838"}, false, "qinq, vlan"},
	{"vxlan", []string{"t0 type vxlan id 68022 local LOCAL remote REMOTE dstport 4789"}, false, "vxlan"},
	{"vxlan6", []string{"t0 type vxlan id 7 local LOCAL6 remote REMOTE6 dstport 4789"}, false, "vxlan"},
	{"vxlan-old-port", []string{"t0 type vxlan id 7 local LOCAL remote REMOTE dstport 8472"}, false, "vxlan"},
	{"vxlan-vlan", []string{"x0 type vxlan id 7 local LOCAL remote REMOTE dstport 4789", "link x0 name t0 type vlan id 5"}, false, "vxlan, vlan"},
	{"vxlan-vxlan", []string{"x0 type vxlan id 7 local LOCAL remote REMOTE dstport 4789", "t0 type vxlan id 8 local 10.7.0.LAST remote 10.7.0.PEER dstport 4789"}, false, "vxlan, vxlan"},
	{"geneve", []string{"t0 type geneve id 42 remote REMOTE"}, false, "geneve"},
	{"gre", []string{"t0 type gre local LOCAL remote REMOTE"}, false, "gre"},
	{"gre-key", []string{"t0 type gre local LOCAL remote REMOTE key 7 csum seq"}, false, "gre"},
	{"gretap", []string{"t0 type gretap local LOCAL remote REMOTE"}, false, "gre"},
	{"erspan1", []string{"t0 type erspan local LOCAL remote REMOTE seq key 3 erspan_ver 1 erspan 5"}, false, "gre, erspan2"},
	{"erspan2", []string{"t0 type erspan local LOCAL remote REMOTE seq key 3 erspan_ver 2 erspan_dir ingress erspan_hwid 5"}, false, "gre, erspan3"},
	{"ipip", []string{"t0 type ipip local LOCAL remote REMOTE"}, false, "ipip"},
	{"sit", []string{"t0 type sit local LOCAL remote REMOTE"}, true, "6in4"},
	{"ipip6", []string{"t0 type ip6tnl mode ipip6 local LOCAL6 remote REMOTE6"}, false, "4in6"},
	{"ip6ip6", []string{"t0 type ip6tnl mode ip6ip6 local LOCAL6 remote REMOTE6"}, true, "6in6"},
}

// The addresses inside a tunnel.
var (
	inner4 = [2]string{"198.51.100.1", "198.51.100.2"}
	inner6 = [2]string{"2001:db8:1::1", "2001:db8:1::2"}
)

// TestTunnels: calls through a tunnel, watched on the device below it. The large
// INVITEs go in fragments, inside or outside the tunnel as the kernel likes.
func TestTunnels(t *testing.T) {
	for _, c := range tunnels {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			here, there := cable(t, false)
			for i, r := range []*room{here, there} {
				dig(r, i, c.link)
				r.ip("addr", "add", inner4[i]+"/24", "dev", "t0")
				r.ip("addr", "add", inner6[i]+"/64", "dev", "t0", "nodad")
			}
			ends, probe := inner4, inner4[1]+":5060"
			if c.six {
				ends, probe = inner6, "["+inner6[1]+"]:5060"
			}
			calls := traffic{caller: here, callee: there, from: ends[0], to: ends[1], transport: "u1", n: 40, big: true}
			calls.serve()
			b := here.watch("iface: v0\n"+sipPorts, probe)
			b.compare("SIPp through "+c.name, calls.run(t))
			if have := b.around(); have != c.layers {
				t.Errorf("the events name %q around the messages, want %q", have, c.layers)
			}
		})
	}
}

// dig makes one end of a tunnel in the room, or skips the test where the kernel has
// none of this kind.
func dig(r *room, end int, links []string) {
	r.t.Helper()
	last, peer := "12"[end:end+1], "21"[end:end+1]
	fill := strings.NewReplacer("LOCAL6", ends6[end], "REMOTE6", ends6[1-end], "LOCAL", ends4[end], "REMOTE", ends4[1-end], "LAST", last, "PEER", peer)
	for _, link := range links {
		args := strings.Fields(fill.Replace(link))
		if out, err := r.tryIP(append([]string{"link", "add"}, args...)...); err != nil {
			if strings.Contains(out, "Unknown device type") || strings.Contains(out, "not supported") {
				lacks(r.t, "ip link add "+strings.Join(args, " ")+": "+out)
			}
			r.t.Fatalf("ip link add %s: %s", strings.Join(args, " "), out)
		}
		name := args[0]
		if name == "link" {
			name = args[3]
		}
		if name == "x0" {
			r.ip("addr", "add", "10.7.0."+last+"/24", "dev", name)
		}
		r.ip("link", "set", name, "up")
	}
}
