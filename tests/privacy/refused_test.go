package privacy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// TestRefused: what would leave in clear without a word, or could never be read again, is
// refused at the start, by run and by replay, with what is allowed. Nothing is written.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	open := filepath.Join(dir, "open.key")
	if err := os.WriteFile(open, []byte(testKey.Text()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o644); err != nil { // whatever the umask
		t.Fatal(err)
	}
	shipped, err := os.ReadFile("../../sipcmbeat.yml")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "sipcmbeat.yml")
	if err := os.WriteFile(config, shipped, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := filepath.Abs("../captures/01-reg.pcap")
	if err != nil {
		t.Fatal(err)
	}
	key := "privacy.key=" + testKey.Text()
	for _, c := range []struct {
		settings []string
		want     string
	}{
		{[]string{"privacy.uris=encrypt"}, "privacy.uris: encrypt needs a key, and none is set"},
		{[]string{"privacy.addresses=hmac"}, "privacy.addresses: hmac needs a key, and none is set"},
		{[]string{"privacy.uris=encrypt", "privacy.key=c2hvcnQ="}, "privacy.key: the key has 5 bytes instead of 32"},
		{[]string{"privacy.uris=encrypt", "privacy.key_file=" + open}, "its mode 0644 lets others at it"},
		{[]string{"privacy.uris=encrypt", "privacy.key_file=" + dir + "/none"}, "privacy.key_file"},
		{[]string{"privacy.uris=encrypt", key, "pcap_dump.dir=" + dir + "/dumps"}, "pcap_dump.dir: messages would be written in clear while privacy.uris is private"},
		{[]string{"privacy.uris=encrypt", key, "hep_output.targets=127.0.0.1:9"}, "hep_output.targets: messages would be sent in clear while privacy.uris is private"},
		{[]string{"privacy.uris=truncate", key}, "privacy.uris: \"truncate\" is not allowed"},
		{[]string{"privacy.uris=encrypt", "privacy.passphrase=short"}, "privacy.passphrase: it has 5 bytes"},
	} {
		for _, command := range [][]string{{"replay", file}, {"-c", config, "--path.home", dir, "-E", "sipcmbeat.pcap=" + file, "-E", "output.elasticsearch.enabled=false", "-E", "output.console.enabled=true"}} {
			args := command
			for _, s := range c.settings {
				args = append(args, "-E", "sipcmbeat."+s)
			}
			cmd := exec.Command(siptest.Program(t), args...)
			var errs strings.Builder
			cmd.Stderr = &errs
			out, err := cmd.Output()
			if err == nil || len(out) > 0 || !strings.Contains(errs.String(), c.want) {
				t.Errorf("%v: %v\n%s%s\nwant %s", args, err, out, errs.String(), c.want)
			}
			if strings.Contains(errs.String(), testKey.Text()) || strings.Contains(errs.String(), "c2hvcnQ") {
				t.Errorf("%v: the key is shown: %s", args, errs.String())
			}
		}
	}
	if _, err := os.Stat(dir + "/dumps"); err == nil {
		t.Error("the folder for dumps was made")
	}
}
