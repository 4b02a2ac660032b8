package integration

import (
	"encoding/json"
	"os"
	"testing"
)

// lab holds captures with their truth, beside the checkout.
const lab = "../../../shared/lab/"

// TestReplay: recorded calls in what neither this kernel nor the switch makes, sent
// by tcpreplay over a cable: the filter that the program gives to the kernel has to
// let them through.
func TestReplay(t *testing.T) {
	for _, name := range []string{
		"ipip", "ip6ip", "gtpu", "gtpu-ext", "mpls-pw", "pppoe", "vlan-pppoe", "qinq-9100", "vlan-vxlan-vlan", "gre-mpls", "erspan3",
		"gre-innerfrag", "vxlan-fragmented", "espnull-icv12", "espnull-tunnel-icv12", "espnull-natt4500", "sctp",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			here, there := cable(t, false)
			if _, err := os.Stat(lab); err != nil {
				stop(t, "the captures beside the checkout (../shared) are missing")
			}
			var truth struct{ Expected counts }
			text, err := os.ReadFile(lab + "16-encap-a/truth.json")
			if err == nil {
				err = json.Unmarshal(text, &truth)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range []*room{here, there} {
				r.ip("link", "set", "v0", "mtu", "9000")
			}
			b := there.watch("iface: v0\nports: [5060]\n", ends4[0]+":5060")
			here.copy(lab + "16-encap-a/" + name + ".pcap")
			here.run("tcpreplay", "-q", "-i", "v0", "--pps", "500", name+".pcap")
			b.compare("recorded "+name, truth.Expected)
		})
	}
}
