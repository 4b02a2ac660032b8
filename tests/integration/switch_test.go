package integration

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// switchTunnels are Open vSwitch's, made in user space: what is found of them does
// not depend on the machine's kernel. Each is a bridge over with the device t0 and
// the tunnel, above the bridge phy with the cable, or flows of phy itself.
var switchTunnels = []struct {
	name    string
	options string   // of the tunnel's interface; "" is none
	flows   []string // of the bridge that has t0, ENDMAC being t0's own address
	outer   int      // a VLAN tag around the tunnel
	layers  string   // of the events
}{
	{name: "gre", layers: "gre", options: "type=gre"},
	{name: "gre-key-sequence", layers: "gre", options: "type=gre options:key=838 options:seq=true"},
	{name: "gre-ip", layers: "gre", options: "type=gre options:packet_type=legacy_l3", flows: routed},
	{name: "erspan1", layers: "gre, erspan2", options: "type=erspan options:key=7 options:erspan_ver=1 options:erspan_idx=5"},
	{name: "erspan2", layers: "gre, erspan3", options: "type=erspan options:key=7 options:erspan_ver=2 options:erspan_dir=1 options:erspan_hwid=4"},
	{name: "vxlan", layers: "vxlan", options: "type=vxlan options:key=68022"},
	{name: "vxlan-in-vlan", layers: "vlan, vxlan", options: "type=vxlan options:key=68022", outer: 838},
	{name: "geneve", layers: "geneve", options: "type=geneve options:key=42"},
	{name: "vlan", layers: "vlan", flows: []string{
		"in_port=t0 actions=push_vlan:0x8100,set_field:4934->vlan_vid,output:v0",
		"in_port=v0,dl_vlan=838 actions=pop_vlan,output:t0",
	}},
	{name: "qinq", layers: "qinq, vlan", flows: []string{
		"in_port=t0 actions=push_vlan:0x8100,set_field:4934->vlan_vid,push_vlan:0x88a8,set_field:4196->vlan_vid,output:v0",
		"in_port=v0,dl_vlan=100 actions=pop_vlan,goto_table:1",
		"table=1,in_port=v0,dl_vlan=838 actions=pop_vlan,output:t0",
	}},
	{name: "mpls", layers: "mpls", flows: []string{
		"in_port=t0,ip actions=push_mpls:0x8847,set_field:16->mpls_label,output:v0",
		"in_port=v0,mpls actions=pop_mpls:0x0800,output:t0",
	}},
	{name: "mpls-labels", layers: "mpls", flows: []string{
		"in_port=t0,ip actions=push_mpls:0x8847,set_field:16->mpls_label,push_mpls:0x8847,set_field:17->mpls_label,output:v0",
		"in_port=v0,mpls actions=pop_mpls:0x8847,pop_mpls:0x0800,output:t0",
	}},
}

// routed are the flows around a tunnel that carries IP without Ethernet.
var routed = []string{
	"in_port=t0,ip actions=output:tunnel",
	"in_port=tunnel,ip actions=mod_dl_dst:ENDMAC,output:LOCAL",
}

// TestSwitchTunnels: calls through a tunnel between two Open vSwitches, watched on
// the cable.
func TestSwitchTunnels(t *testing.T) {
	for _, c := range switchTunnels {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			here, there := cable(t, false)
			for i, r := range []*room{here, there} {
				s := r.newSwitch(i, c.outer)
				s.join(i, c.options, c.flows)
			}
			calls := traffic{caller: here, callee: there, from: inner4[0], to: inner4[1], transport: "u1", n: 40, big: true}
			calls.serve()
			b := here.watch("iface: v0\n"+sipPorts, inner4[1]+":5060")
			b.compare("SIPp through "+c.name, calls.run(t))
			if have := b.around(); have != c.layers {
				t.Errorf("the events name %q around the messages, want %q", have, c.layers)
			}
		})
	}
}

// vswitch is an Open vSwitch in a room, with the bridge phy on the room's cable.
type vswitch struct {
	room *room
	dir  string
}

// newSwitch starts one. phy takes the cable's addresses, in a VLAN if outer is one.
func (r *room) newSwitch(end, outer int) *vswitch {
	r.t.Helper()
	s := &vswitch{r, r.t.TempDir()}
	s.do("ovsdb-tool", "create", s.dir+"/conf.db", "/usr/share/openvswitch/vswitch.ovsschema")
	s.start("ovsdb-server", s.dir+"/conf.db", "--remote=punix:"+s.dir+"/db.sock")
	s.set("--no-wait", "init")
	s.set("--no-wait", "set", "Open_vSwitch", ".", "other_config:vlan-limit=2")
	s.start("ovs-vswitchd", "unix:"+s.dir+"/db.sock")
	args := "add-br phy -- set bridge phy datapath_type=netdev -- add-port phy v0"
	if outer != 0 {
		args += fmt.Sprintf(" -- set port phy tag=%d", outer)
	}
	s.set(strings.Fields(args)...)
	r.ip("addr", "flush", "dev", "v0")
	s.up("phy", ends4[end], 1500)
	return s
}

// join makes t0, with its tunnel or its flows.
func (s *vswitch) join(end int, options string, flows []string) {
	s.room.t.Helper()
	mac := [2]string{"02:00:00:00:00:01", "02:00:00:00:00:02"}
	bridge := "phy"
	if options != "" {
		bridge = "t0"
		s.set(strings.Fields("add-br t0 -- set bridge t0 datapath_type=netdev other-config:hwaddr=" + mac[end] +
			" -- add-port t0 tunnel -- set interface tunnel options:remote_ip=" + ends4[1-end] + " options:local_ip=" + ends4[end] + " " + options)...)
	} else {
		s.set(strings.Fields("add-port phy t0 -- set interface t0 type=internal mac=\"" + mac[end] + "\"")...)
	}
	s.up("t0", inner4[end], 1400)
	s.room.ip("neigh", "add", inner4[1-end], "lladdr", mac[1-end], "dev", "t0")
	for _, flow := range flows {
		s.do("ovs-ofctl", "-O", "OpenFlow13", "add-flow", bridge, "priority=9,"+strings.ReplaceAll(flow, "ENDMAC", mac[end]))
	}
}

// up gives a device of the switch its address. What it sends has its checksum: the
// switch hands packets on as they are.
func (s *vswitch) up(device, address string, mtu int) {
	s.room.t.Helper()
	s.room.run("ethtool", "-K", device, "tx", "off")
	s.room.ip("addr", "add", address+"/24", "dev", device)
	s.room.ip("link", "set", device, "mtu", fmt.Sprint(mtu), "up")
}

// env tells the programs where their files are.
func (s *vswitch) env(args ...string) []string {
	return append([]string{"env", "OVS_RUNDIR=" + s.dir, "OVS_LOGDIR=" + s.dir, "OVS_DBDIR=" + s.dir}, args...)
}

func (s *vswitch) do(args ...string) { s.room.t.Helper(); s.room.run(s.env(args...)...) }

func (s *vswitch) set(args ...string) {
	s.room.t.Helper()
	s.do(append([]string{"ovs-vsctl", "--timeout=20"}, args...)...)
}

// start starts a daemon and waits until it can be controlled.
func (s *vswitch) start(args ...string) {
	s.room.t.Helper()
	control := filepath.Join(s.dir, args[0]+".ctl")
	p := s.room.start(s.env(append(args, "--unixctl="+control)...)...)
	p.name = args[0]
	if !within(s.room.t, 15*time.Second, func() bool { return p.ended() || found(control) }) || p.ended() {
		s.room.t.Fatalf("%s does not start:\n%s", p.name, tail(p.said()))
	}
}

func found(pattern string) bool {
	files, _ := filepath.Glob(pattern)
	return len(files) > 0
}
