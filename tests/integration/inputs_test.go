package integration

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestInputs: the same calls are seen on an interface and come by HEP. Each call is
// one call: what is a copy is dropped, and counted, within dedup_window.
func TestInputs(t *testing.T) {
	for _, version := range []int{1, 2, 3} {
		t.Run([]string{"", "hep1", "hep2", "hep3"}[version], func(t *testing.T) {
			t.Parallel()
			r := newRoom(t)
			b := r.watch("ports: [5060]\ninputs:\n- {type: live, iface: lo}\n- {type: hep, listen: ['udp:127.0.0.1:9060']}\n", "127.0.0.1:5060")
			k := r.kamailio("kamailio", tracing(version, "sip:127.0.0.1:9060"), "udp:127.0.0.1:5060")
			b.judge("SIPp, seen twice", k, r.proxied(40))
		})
	}
}

// TestFileBeside: a file is read while an interface is watched; the events of both
// come, and the last line says what came from where.
func TestFileBeside(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	file, err := filepath.Abs("../captures/04-calls.pcap") // 40 calls, by its truth
	if err != nil {
		t.Fatal(err)
	}
	calls := traffic{caller: r, callee: r, from: "127.0.0.1", to: "127.0.0.1", transport: "u1", n: 40}
	calls.serve()
	b := r.watch(sipPorts+"inputs:\n- {type: live, iface: lo}\n- {type: file, pcap: '"+file+"'}\n", "127.0.0.1:5060")
	want := calls.run(t)
	want.add(counts{"call-start": 40, "call-end": 40})
	b.compare("SIPp, and 40 calls of the file", want)
	for _, from := range []string{"; from lo: ", "; from " + file + ": "} {
		if !strings.Contains(b.said(), from) {
			t.Errorf("the last line does not say %q\n%s", from, tail(b.said()))
		}
	}
}

// TestTwoInterfaces: the same calls on two interfaces: as they leave one host and as
// they arrive at the router's other side.
func TestTwoInterfaces(t *testing.T) {
	t.Parallel()
	here, there := newRoom(t), newRoom(t)
	router := newRoom(t)
	// here (10.1.0.2) - v1 router v2 - there (10.2.0.2)
	for i, r := range []*room{here, there} {
		net := []string{"10.1.0.", "10.2.0."}[i]
		device := []string{"v1", "v2"}[i]
		router.ip("link", "add", device, "type", "veth", "peer", "name", "v0", "netns", r.name)
		router.ip("addr", "add", net+"1/24", "dev", device)
		router.ip("link", "set", device, "up")
		r.ip("addr", "add", net+"2/24", "dev", "v0")
		r.ip("link", "set", "v0", "up")
		r.ip("route", "add", "default", "via", net+"1")
	}
	router.forward()
	calls := traffic{caller: here, callee: there, from: "10.1.0.2", to: "10.2.0.2", transport: "u1", n: 60}
	calls.serve()
	b := router.watch("iface: [v1, v2]\n"+sipPorts, "10.2.0.2:5060")
	b.compare("SIPp, seen twice", calls.run(t))
}
