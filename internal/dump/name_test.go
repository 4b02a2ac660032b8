package dump

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

const at = 1795321133123456789 // 2026-11-22T04:18:53.123456789Z

func TestName(t *testing.T) {
	for _, c := range []struct {
		id   string
		l    label
		want string
	}{
		{"a84b4c76e66710@pc33.example.com", eventLabel(event.CallAttempt), "call-attempt_a84b4c76e66710@pc33.example.com.pcap"},
		{"a_b-c", methodLabel(sip.MethodInvite), "invite_a_b-c.pcap"},
		{"x", methodLabel(sip.MethodOther), "other_x.pcap"},
		{"x", labelAlert, "alert_x.pcap"},
		{"../../etc/passwd", labelAlert, "alert_..%2F..%2Fetc%2Fpasswd.pcap"},
		{"a\x00b", labelAlert, "alert_a%00b.pcap"},
		{"é%~ ", labelAlert, "alert_%C3%A9%25%7E%20.pcap"},
		{strings.Repeat("a", 100), labelAlert, "alert_" + strings.Repeat("a", 100) + ".pcap"},
		// printf %101s | tr ' ' a | sha256sum
		{strings.Repeat("a", 101), labelAlert, "alert_" + strings.Repeat("a", 83) + "~9d0793397991b57a.pcap"},
	} {
		want := "20261122T041853.123456789Z_" + c.want
		if got := string(appendName(nil, at, c.l, appendID(nil, []byte(c.id), nil))); got != want {
			t.Errorf("%q: %s, want %s", c.id, got, want)
		}
	}
}

// hostile are Call-IDs that somebody sends who wants to write elsewhere.
var hostile = []string{
	"../../etc/passwd", "/etc/passwd", "..", ".", "-rf", "a\x00b", "a\nb", "\r\n", "ü", "日本語", "%2e%2e%2f", "~", "a~b",
	`..\..\windows`, "con", "$(reboot)", "`id`", "a;b", "*", " ", "\u202egpj.exe", strings.Repeat("/", 60000),
	strings.Repeat("a", 60000), strings.Repeat("a", 59999) + "b", strings.Repeat("é", 30000), "\xff\xfe", "a_b_c", "_", "x.pcap",
}

// Whatever the Call-ID: one name of a safe length and alphabet, its own, that is
// known again as one of ours.
func TestHostileNames(t *testing.T) {
	seen := map[string]string{}
	for _, id := range hostile {
		name := string(appendName(nil, at, labelAlert, appendID(nil, event.Key([]byte(id)), nil)))
		if len(name) > 180 || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@-%~") != "" || filepath.Base(name) != name {
			t.Errorf("%.40q gives %q", id, name)
		}
		if other, ok := seen[name]; ok {
			t.Errorf("%.40q and %.40q are both %s", id, other, name)
		}
		seen[name] = id
		if got, ok := nameTime(name); !ok || got != at {
			t.Errorf("%s is not known again: %d, %v", name, got, ok)
		}
	}
}

// Files of others are not ours.
func TestForeignNames(t *testing.T) {
	for _, name := range []string{
		"", ".pcap", "trace.pcap", "20261122T041853.123456789Z.pcap", "20261122T041853.123456789Z_alert.pcap",
		"20261122T041853.123456789Z_backup_x.pcap", "20261122T041853.123456789Z_alert_x.pcapng", "20261322T041853.123456789Z_alert_x.pcap",
		"20261122T041853Z_alert_x.pcap", "20261122T041853.123456789Z_alert_x y.pcap", "x20261122T041853.123456789Z_alert_x.pcap",
		"20261122T041853.123456789Z_alert_" + strings.Repeat("x", 101) + ".pcap", "20261122T041853.123456789Z-alert_x.pcap",
	} {
		if _, ok := nameTime(name); ok {
			t.Errorf("%q is taken for one of ours", name)
		}
	}
}

// A file system takes the longest name.
func TestLongestName(t *testing.T) {
	name := string(appendName(nil, at, eventLabel(event.OtherTimeout), appendID(nil, event.Key([]byte(strings.Repeat("é", 9000))), nil)))
	if err := os.WriteFile(filepath.Join(t.TempDir(), name), nil, 0o600); err != nil {
		t.Error(err)
	}
}
