// Package oracle holds the fields of our records against tshark's reading of the
// same packets. It needs tshark; where that is missing it says so, and fails when
// CI=true.
package oracle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// message is one SIP message as tshark sees it.
type message struct {
	at                 int64 // Unix nanoseconds
	src, dst           string
	method, status     string
	callID, from, to   string
	fromTag, toTag     string
	cseq, cseqMethod   string
	ruri, ua, contacts string
}

var columns = []string{"frame.time_epoch", "ip.src", "ipv6.src", "ip.dst", "ipv6.dst", "sip.Method", "sip.Status-Code", "sip.Call-ID",
	"sip.from.addr", "sip.to.addr", "sip.from.tag", "sip.to.tag", "sip.CSeq.seq", "sip.CSeq.method", "sip.r-uri", "sip.User-Agent", "sip.contact.uri"}

// also stands between the values of a field that is there more than once.
const also = "^"

func tshark(t *testing.T, file string) []message {
	t.Helper()
	args := []string{"-r", file, "-Y", "sip && !icmp && !icmpv6", "-T", "fields", "-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=" + also}
	for _, c := range columns {
		args = append(args, "-e", c)
	}
	out, err := exec.Command("tshark", args...).Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	var all []message
	for _, line := range strings.Split(strings.TrimRight(string(out), "\n"), "\n") {
		f := strings.Split(line, "\t")
		if len(f) < len(columns) {
			continue
		}
		for i, v := range f {
			if f[i], _, _ = strings.Cut(v, also); 1 <= i && i <= 4 { // addresses: of the innermost header
				f[i] = v[strings.LastIndex(v, also)+1:]
			}
		}
		s, ns, _ := strings.Cut(f[0], ".")
		sec, _ := strconv.ParseInt(s, 10, 64)
		frac, _ := strconv.ParseInt((ns + "000000000")[:9], 10, 64)
		all = append(all, message{at: sec*1e9 + frac, src: f[1] + f[2], dst: f[3] + f[4], method: f[5], status: f[6], callID: f[7],
			from: f[8], to: f[9], fromTag: f[10], toTag: f[11], cseq: f[12], cseqMethod: f[13], ruri: f[14], ua: f[15], contacts: f[16]})
	}
	return all
}

// record is an event as flat keys.
type record map[string]string

func (r record) time(key string) int64 {
	at, err := time.Parse(time.RFC3339Nano, r[key])
	if err != nil {
		return 0
	}
	return at.UnixNano()
}

func records(t *testing.T, file string) []record {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []record
	for _, line := range bytes.Split(bytes.TrimSpace(data), []byte("\n")) {
		var tree map[string]any
		if err := json.Unmarshal(line, &tree); err != nil {
			t.Fatal(err)
		}
		r := record{}
		flatten(r, "", tree)
		all = append(all, r)
	}
	return all
}

func flatten(r record, prefix string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			flatten(r, strings.TrimPrefix(prefix+"."+k, "."), x)
		}
	case float64:
		r[prefix] = strconv.FormatFloat(v, 'f', -1, 64)
	default:
		r[prefix] = fmt.Sprint(v)
	}
}

// TestFields: each record of each golden names messages that tshark sees, with the
// times, parties, tags, codes and agents that tshark reads.
func TestFields(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("tshark is missing")
		}
		t.Skip("needs tshark (Debian: apt-get install tshark)")
	}
	dirs, err := filepath.Glob("../golden/*")
	if err != nil || len(dirs) == 0 {
		t.Fatal("no goldens", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			calls := map[string][]message{}
			for _, m := range tshark(t, dir+"/in.pcap") {
				calls[m.callID] = append(calls[m.callID], m)
			}
			checked := 0
			for _, r := range records(t, dir+"/want.ndjson") {
				if check(t, r, calls[r["sip.call_id"]]) {
					checked++
				}
			}
			if checked == 0 {
				t.Error("nothing was checked")
			}
		})
	}
}

// TestMessages: the records of messages are the messages that tshark sees, one by one
// and in its order.
func TestMessages(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("tshark is missing")
		}
		t.Skip("needs tshark (Debian: apt-get install tshark)")
	}
	files, err := filepath.Glob("../golden/*/messages.ndjson")
	if err != nil || len(files) == 0 {
		t.Fatal("no goldens", err)
	}
	for _, file := range files {
		seen := tshark(t, filepath.Dir(file)+"/in.pcap")
		for _, r := range records(t, file) {
			if r["event.dataset"] != "sip" {
				continue
			}
			if len(seen) == 0 {
				t.Fatalf("%s: more records than messages", file)
			}
			m := seen[0]
			seen = seen[1:]
			want := map[string]string{
				"source.ip": m.src, "destination.ip": m.dst, "client.ip": m.src, "server.ip": m.dst,
				"sip.method": m.method, "sip.code": m.status, "sip.call_id": m.callID, "sip.cseq.code": m.cseq, "sip.cseq.method": m.cseqMethod,
				"sip.from.uri.original": m.from, "sip.to.uri.original": m.to, "sip.from.tag": m.fromTag, "sip.to.tag": m.toTag,
				"sip.uri.original": m.ruri, "sip.user_agent.original": m.ua, "sip.contact.uri.original": m.contacts, "sip.type": "request",
			}
			if m.status != "" {
				want["client.ip"], want["server.ip"], want["sip.type"] = m.dst, m.src, "response"
			}
			for key, value := range want {
				if r[key] != value {
					t.Errorf("%s: %s at %s is %q, tshark says %q", file, key, r["@timestamp"], r[key], value)
				}
			}
			if r.time("@timestamp") != m.at {
				t.Errorf("%s: %s, tshark says %d", file, r["@timestamp"], m.at)
			}
		}
		if len(seen) > 0 {
			t.Errorf("%s: %d messages without a record", file, len(seen))
		}
	}
}

// check finds the messages that a record speaks of. It reports whether the record
// is of a kind that tshark can judge: timeouts and broken messages are not.
func check(t *testing.T, r record, messages []message) bool {
	t.Helper()
	action := r["event.action"]
	if action == "parse-error" || action == "msg-probe" || action == "other-timeout" || action == "reg-expired" || r["sip.transaction.timer"] != "" || r["sip.call.synthetic"] == "true" {
		return false
	}
	request, ok := find(messages, func(m message) bool {
		return m.status == "" && m.at == r.time("event.start") && m.method == method(r)
	})
	if action == "call-end" || action == "reg-del" { // those start at another message
		request, ok = find(messages, func(m message) bool {
			return m.status == "" && (m.at == r.time("@timestamp") || action == "reg-del") && m.method == method(r)
		})
	}
	if !ok {
		t.Errorf("%s %s: tshark sees no %s at its start", action, r["sip.call_id"], method(r))
		return true
	}
	want := map[string]string{"sip.from.uri.original": request.from, "sip.to.uri.original": request.to, "sip.from.tag": request.fromTag}
	if action != "call-end" { // which has the INVITE's ends
		want["source.ip"], want["destination.ip"] = request.src, request.dst
	} else if request.fromTag != r["sip.from.tag"] { // the callee hung up
		want["sip.from.uri.original"], want["sip.to.uri.original"], want["sip.from.tag"] = request.to, request.from, request.toTag
	}
	for key, value := range want {
		if r[key] != value {
			t.Errorf("%s %s: %s is %q, tshark says %q", action, r["sip.call_id"], key, r[key], value)
		}
	}
	decides := r.time("@timestamp")
	answer, ok := find(messages, func(m message) bool {
		return m.status == r["sip.code"] && (m.at == decides || action == "call-end") && m.cseqMethod == method(r)
	})
	if !ok {
		t.Errorf("%s %s: tshark sees no %s to %s at %s", action, r["sip.call_id"], r["sip.code"], method(r), r["@timestamp"])
		return true
	}
	if action == "call-start" && answer.toTag != r["sip.to.tag"] {
		t.Errorf("%s %s: To tag %q, tshark says %q", action, r["sip.call_id"], r["sip.to.tag"], answer.toTag)
	}
	if action == "call-end" {
		talked(t, r, messages)
	}
	return true
}

// talked holds the duration against the 2xx and the BYE that tshark sees.
func talked(t *testing.T, r record, messages []message) {
	t.Helper()
	first, ok := find(messages, func(m message) bool {
		return strings.HasPrefix(m.status, "2") && m.cseqMethod == "INVITE" && m.toTag == r["sip.to.tag"]
	})
	if !ok {
		t.Errorf("call-end %s: tshark sees no 2xx", r["sip.call_id"])
		return
	}
	if want := strconv.FormatInt(r.time("@timestamp")-first.at, 10); r["event.duration"] != want {
		t.Errorf("call-end %s: duration %s ns, tshark's times say %s", r["sip.call_id"], r["event.duration"], want)
	}
}

// method is what the record's request was.
func method(r record) string { return r["sip.method"] }

func find(messages []message, match func(message) bool) (message, bool) {
	for _, m := range messages {
		if match(m) {
			return m, true
		}
	}
	return message{}, false
}
