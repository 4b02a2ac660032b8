package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// captureColumns is what Kamailio's sipcapture writes.
const captureColumns = "id(int,auto) date(int) micro_ts(bigint) method(str) correlation_id(str) reply_reason(str) ruri(str) ruri_user(str) " +
	"ruri_domain(str) from_user(str) from_domain(str) from_tag(str) to_user(str) to_domain(str) to_tag(str) pid_user(str) " +
	"contact_user(str) auth_user(str) callid(str) callid_aleg(str) via_1(str) via_1_branch(str) cseq(str) diversion(str) " +
	"reason(str) content_type(str) auth(str) user_agent(str) source_ip(str) source_port(int) destination_ip(str) " +
	"destination_port(int) contact_ip(str) contact_port(int) originator_ip(str) originator_port(int) custom_field1(str) " +
	"custom_field2(str) custom_field3(str) proto(int) family(int) rtp_stat(str) type(int) node(str) msg(str)"

var sentByHEP = regexp.MustCompile(`to 127\.0\.0\.1:9060 (\d+) sent`)

// TestSipcapture: what the program captures it sends on by HEP, and Kamailio's
// sipcapture stores each message that was sent. On lo the program sees what it sends
// itself, and neither follows that nor sends it again.
func TestSipcapture(t *testing.T) {
	for _, c := range []struct{ name, keys string }{
		{"hep3", "hep_output: {targets: ['127.0.0.1:9060'], version: 3, capture_id: 2001}\n"},
		{"hep2", "hep_output: {targets: ['127.0.0.1:9060'], version: 2, capture_id: 77}\n"},
		{"hep3-seen", "hep_output: {targets: ['127.0.0.1:9060'], version: 3, capture_id: 2001}\n"},
		{"hep2-seen", "hep_output: {targets: ['127.0.0.1:9060'], version: 2, capture_id: 77}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			here, there := cable(t, false)
			ends, device := ends4, "v0"
			if strings.HasSuffix(c.name, "seen") {
				there, ends, device = here, [2]string{"127.0.0.1", "127.0.0.1"}, "lo"
			}
			db := t.TempDir()
			table := filepath.Join(db, "sip_capture")
			if err := os.WriteFile(table, []byte(captureColumns+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			k := here.kamailio("sipcapture", []string{fmt.Sprintf("DB_URL %q", "text://"+db)}, "udp:127.0.0.1:9060")
			calls := traffic{caller: here, callee: there, from: ends[0], to: ends[1], transport: "u1", n: 40, big: true}
			calls.serve()
			b := here.watch("iface: "+device+"\n"+sipPorts+c.keys, ends[1]+":5060")
			want := calls.run(t)
			b.compare("SIPp", want)
			var sent int
			if m := sentByHEP.FindStringSubmatch(b.said()); m != nil {
				sent, _ = strconv.Atoi(m[1])
			}
			within(t, 30*time.Second, func() bool { return strings.Count(k.said(), "CAPTURED") >= sent })
			k.stop(here) // now it writes the table
			rows := stored(t, table)
			byCall := map[string]int{}
			for _, r := range rows {
				byCall[r["callid"]]++
			}
			// 5 messages a call, 6 a phone, 3 a refused call, or more where SIPp sent one again.
			least := 5*want["call-start"] + 6*want["reg-new"] + 3*want["call-attempt"]
			t.Logf("SIPp: %d messages or more in %d calls | sipcmbeat: %d messages sent | Kamailio: %d messages stored of %d calls",
				least, want["call-start"]+want["reg-new"]+want["call-attempt"], sent, len(rows), len(byCall))
			if sent < least || len(rows) != sent || len(byCall) != want["call-start"]+want["reg-new"]+want["call-attempt"] {
				t.Errorf("the counts differ\n%s\n%s", tail(b.said()), tail(k.said()))
			}
		})
	}
}

// stored reads the rows of a text table: one a line, columns between colons, which
// are written \: in a value.
func stored(t *testing.T, table string) (rows []map[string]string) {
	t.Helper()
	text, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, line := range lines[1:] {
		row := map[string]string{}
		values := strings.Split(strings.ReplaceAll(line, `\:`, "\x00"), ":")
		for i, column := range strings.Fields(lines[0]) {
			name, _, _ := strings.Cut(column, "(")
			if i < len(values) {
				row[name] = strings.ReplaceAll(values[i], "\x00", ":")
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// TestRelay: one program sends what it captures to another one, by TCP, and both
// say the same.
func TestRelay(t *testing.T) {
	t.Parallel()
	here, there := cable(t, false)
	calls := traffic{caller: here, callee: there, from: ends4[0], to: ends4[1], transport: "u1", n: 40, big: true}
	calls.serve()
	receiver := here.watch("inputs: [{type: hep, listen: ['tcp:127.0.0.1:9060'], auth_keys: ["+hepKey+"]}]\n", "tcp/9060")
	sender := here.watch("iface: v0\n"+sipPorts+"hep_output: {targets: ['127.0.0.1:9060'], transport: tcp, auth_key: "+hepKey+"}\n", ends4[1]+":5060")
	want := calls.run(t)
	sender.compare("SIPp, at the sender", want)
	receiver.compare("SIPp, at the receiver", want)
}
