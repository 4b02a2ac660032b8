package packages

import (
	"os"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/tests/stores"
)

func TestMain(m *testing.M) { os.Exit(stores.Main(m)) }

// calls is a capture of 40 calls, which all were answered and ended (../captures/README.md).
const (
	calls    = "../captures/04-calls.pcap"
	numCalls = 40
)

// TestElasticsearch installs the package on a bare Debian in which nothing runs, and
// starts the unit's command line by hand, as its user and with its one capability: what
// the capture holds has to stand in a real Elasticsearch.
func TestElasticsearch(t *testing.T) {
	dir := root(t)
	server := stores.Elasticsearch(t, stores.Options{})
	must(t, "cp", made(t, "*.deb"), dir+"/root/sipcmbeat.deb")
	inside(t, dir, "dpkg", "-i", "/root/sipcmbeat.deb")
	must(t, "cp", calls, dir+"/var/lib/sipcmbeat/calls.pcap")
	write(t, dir+"/etc/sipcmbeat/sipcmbeat.yml", "sipcmbeat.pcap: /var/lib/sipcmbeat/calls.pcap\noutput.elasticsearch.hosts: ["+server.URL+"]\n")
	inside(t, dir, "chown", "sipcmbeat", "/var/lib/sipcmbeat/calls.pcap")
	inside(t, dir, append([]string{"setpriv", "--reuid=sipcmbeat", "--regid=sipcmbeat", "--clear-groups", "--no-new-privs",
		"--bounding-set=-all,+net_raw", "--inh-caps=-all,+net_raw", "--ambient-caps=-all,+net_raw"}, commandLine(t, dir)...)...)

	found := map[string]int{}
	ids := map[string]bool{}
	for _, h := range server.All(t, "sipcmbeat-*") {
		e, _ := h.Source["event"].(map[string]any)
		action, _ := e["action"].(string)
		found[action]++
		ids[h.ID] = true
	}
	if found["call-start"] != numCalls || found["call-end"] != numCalls || len(found) != 2 || len(ids) != 2*numCalls {
		t.Errorf("found %v under %d ids, want %d calls that start and end", found, len(ids), numCalls)
	}
}

// commandLine is what the unit starts.
func commandLine(t *testing.T, dir string) []string {
	t.Helper()
	unit, err := os.ReadFile(dir + "/usr/lib/systemd/system/sipcmbeat.service")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(unit)) {
		if command, ok := strings.CutPrefix(line, "ExecStart="); ok {
			return strings.Fields(command)
		}
	}
	t.Fatal("the unit has no ExecStart")
	return nil
}

// inside runs a command in a folder as in a system of its own, but for the network.
func inside(t *testing.T, dir string, args ...string) {
	t.Helper()
	const enter = `mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" && exec chroot "$0" "$@"`
	must(t, "unshare", append([]string{"-m", "sh", "-c", enter, dir}, args...)...)
}
