package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// another has for each key a value that is not the default and is allowed by itself, or
// with what stands behind it.
var another = map[string]string{
	"iface": "eth9", "bpf": "udp", "snaplen": "1000", "promiscuous": "false", "pcap_buf_kb": "4096", "capture": "pcap", "workers": "2",
	"fanout_group": "7", "block_size": "64KiB", "ports": "5062", "any_port": "true", "websocket_ports": "8088", "vxlan_ports": "4790",
	"geneve_ports": "6082", "gtp_ports": "2153", "tzsp_ports": "37009", "l2tp_ports": "1702", "esp_ports": "4501", "hep_ports": "9061",
	"siptrace_ports": "9900", "dedup_window": "50ms", "fragments.max": "100", "fragments.bytes": "1MiB", "fragments.age": "5s",
	"tcp.idle_timeout": "1h", "tcp.hole_timeout": "2s", "tcp.max_message": "8KiB", "tcp.max_streams": "100", "tcp.max_bytes": "2MiB",
	"tcp.max_stream_bytes": "64KiB", "pcap": "a.pcap", "pcap_loop": "2", "replay": "true", "replay_scale": "2", "replay_min_delay": "1s",
	"replay_max_delay": "1s", "replay_flush": "all", "run_forever": "true", "calls_timeouts.invite": "10s", "calls_timeouts.proceeding": "10s",
	"calls_timeouts.request": "10s", "calls_timeouts.bye": "10s", "calls_timeouts.established": "1h", "calls_timeouts.auth_linger": "10s",
	"calls_timeouts.retry_linger": "10s", "calls_timeouts.early": "1s", "calls_timeouts.completed": "10s", "calls_timeouts.warmup": "10s",
	"calls_max_entries": "100", "calls_max_mem": "1MiB", "regs_max_entries": "100", "regs_max_mem": "1MiB", "reg_exp_delta": "10s",
	"reg_del_delay": "10s", "contact_ignore_port": "true", "state.enabled": "false", "state.path": "x.state", "state.interval": "10s",
	"hep_output.targets": "127.0.0.1:9999", "hep_output.transport": "tcp", "hep_output.version": "2", "hep_output.auth_key": "s3cret",
	"hep_output.capture_id": "7", "hep_output.node": "probe", "hep_output.methods": "INVITE", "hep_output.sources": "192.0.2.0/24",
	"hep_output.relay": "false", "hep_output.buffer": "1MiB", "hep_output.tls.ca": "a.pem", "hep_output.tls.certificate": "a.pem",
	"hep_output.tls.key": "a.pem", "hep_output.tls.verify": "none", "pcap_dump.dir": "calls", "pcap_dump.when": "always",
	"pcap_dump.list": "alice", "pcap_dump.max_file": "1MiB", "pcap_dump.max_files": "7", "pcap_dump.max_total": "2GiB",
	"pcap_dump.max_age": "1h", "pcap_dump.ring_size": "4MiB", "pcap_dump.ring_age": "10s", "pcap_dump.linger": "10s",
	"pcap_dump.queue_size": "4MiB", "auth_failed_codes": "403", "call_alive_interval": "5m", "correlation_headers": "X-Leg",
	"messages.enabled": "true", "headers": "X-Trunk", "schema": "legacy", "keepalive_probes": "true", "numbers.emergency": "999", "numbers.country": "DE",
	"internal_networks": "private", "retention_days": "7", "event_types_blst": "msg-probe", "event_buffer_size": "1000", "shutdown_timeout": "1s",
	"evr_limits": "[1, 2, 3]", "evr_intervals": "[2s, 1m, 1h]", "evr_max_entries": "100", "evr_conseq_report_min": "7", "evr_conseq_report_max": "70",
	"evr_allow": "192.0.2.0/24", "evr_offender_expiry": "2h", "kpi.records": "true", "kpi.window": "30s", "kpi.min_samples": "7",
	"kpi.ner_codes": "486", "kpi.ser_exclude": "401", "kpi.peers": "1", "trunks": "carrier=192.0.2.0/24",
	"http_addr": "localhost", "http_port": "8081", "http.auth.token": "abcdefghijklmnop", "http.tls.certificate": "", "http.tls.key": "",
	"http.names": "probe.example.com", "http.max_connections": "7", "http.max_events": "7", "http.profiler": "true", "http.inject": "true",
	"http.ready_silence": "7s", "http.ready_stall": "7s", "http.messages_mem": "8MiB", "stats_interval": "1m", "stats_groups": "sip",
	"privacy.addresses": "", "privacy.uris": "", "privacy.numbers": "", "privacy.call_ids": "", "privacy.user_agents": "", "privacy.geo": "",
	"privacy.errors": "", "privacy.tags": "", "privacy.key": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "privacy.key_file": "",
	"privacy.passphrase": "correct horse battery", "privacy.salt_file": "x.salt", "privacy.old_keys": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	"hep_output.clear": "true", "pcap_dump.clear": "true",
}

// anotherOfInput is the same for keys of an input, behind its type.
var anotherOfInput = map[string]string{
	"any_port": "file: false", "iface": "live: [eth9]", "bpf": "live: udp", "snaplen": "live: 1000", "promiscuous": "live: false",
	"pcap_buf_kb": "live: 4096", "capture": "live: pcap", "workers": "live: 2", "fanout_group": "live: 7", "block_size": "live: 64KiB",
	"pcap": "file: [b.pcap]", "pcap_loop": "file: 0", "replay": "file: true", "replay_scale": "file: 2", "replay_min_delay": "file: 1s",
	"replay_max_delay": "file: 1s", "listen": "hep: [\"tcp:127.0.0.1:9062\"]", "cert": "hep: a.pem", "key": "hep: a.pem",
	"auth_keys": "hep: [s3cret]", "allow": "siptrace: [192.0.2.0/24]", "max_connections": "hep: 7", "idle_timeout": "hep: 7s", "buffer_kb": "hep: 64",
}

func mustLoad(t *testing.T, text string) *Config {
	t.Helper()
	c, err := load(t, text)
	if err != nil {
		t.Fatal(err)
	}
	c.Warnings = nil
	return c
}

// A key with Reload is all there after Take, in whatever it was composed to; of another
// key nothing is.
func TestTakeEachKey(t *testing.T) {
	for _, row := range Table {
		if strings.HasPrefix(row.Name, inputsKey) {
			continue
		}
		value, ok := another[row.Name]
		if !ok {
			t.Errorf("%s is not in this test", row.Name)
			continue
		}
		if value == "" {
			continue // not without another key
		}
		before := mustLoad(t, "")
		next := mustLoad(t, "sipcmbeat:\n  "+row.Name+": "+value)
		kept := *before
		merged, changed, restart, err := before.Take(next)
		if err != nil {
			t.Errorf("%s: %v", row.Name, err)
			continue
		}
		if !reflect.DeepEqual(*before, kept) {
			t.Errorf("%s: the running configuration was changed", row.Name)
		}
		want, names, others := before, restart, changed
		if row.Reload {
			want, names, others = next, changed, restart
		}
		if !slices.Equal(names, []string{row.Name}) || len(others) > 0 {
			t.Errorf("%s: in effect %q, after a restart %q", row.Name, changed, restart)
		}
		got, wanted := *merged, *want
		got.HeldSet, got.Names = wanted.HeldSet, wanted.Names // functions are never equal
		if !reflect.DeepEqual(got, wanted) {
			t.Errorf("%s: what it was composed to is not as it should be", row.Name)
		}
	}
}

func TestTakeEachKeyOfInputs(t *testing.T) {
	const shared = "sipcmbeat:\n  inputs:\n"
	item := map[string]string{
		LiveInput: "{type: live, iface: eth0", FileInput: "{type: file, pcap: a.pcap",
		HEPInput: "{type: hep", SiptraceInput: "{type: siptrace, listen: \"udp:127.0.0.1:9900\"",
	}
	for _, row := range Table {
		name, ok := strings.CutPrefix(row.Name, inputsKey+".")
		if !ok || name == "type" {
			continue
		}
		of, value, ok := strings.Cut(anotherOfInput[name], ": ")
		if !ok {
			t.Errorf("%s is not in this test", row.Name)
			continue
		}
		text := shared + "    - {type: file, pcap: z.pcap}\n    - " + item[of]
		before := mustLoad(t, text+"}")
		for _, other := range []string{", iface: eth0", ", pcap: a.pcap"} {
			if strings.HasPrefix(other, ", "+name+":") {
				text = strings.Replace(text, other, "", 1)
			}
		}
		next := mustLoad(t, text+", "+name+": "+value+"}")
		merged, changed, restart, err := before.Take(next)
		if err != nil {
			t.Errorf("%s: %v", row.Name, err)
			continue
		}
		key := inputsKey + ".1." + name
		if row.Reload {
			if !slices.Equal(changed, []string{key}) || !reflect.DeepEqual(merged.Inputs, next.Inputs) {
				t.Errorf("%s: in effect %q, after a restart %q", key, changed, restart)
			}
		} else if len(changed) > 0 || len(restart) == 0 || !reflect.DeepEqual(merged.Inputs, before.Inputs) {
			t.Errorf("%s: in effect %q, after a restart %q", key, changed, restart)
		}
	}
}

// Who may send is taken up by the place where an input listens, whatever else comes and
// goes in the list.
func TestTakeInputs(t *testing.T) {
	before := mustLoad(t, `
sipcmbeat.inputs:
  - {type: hep, listen: "udp:127.0.0.1:9060", auth_keys: [one, two]}
  - {type: siptrace, listen: "udp:127.0.0.1:9900"}`)
	next := mustLoad(t, `
sipcmbeat.inputs:
  - {type: siptrace, listen: "udp:127.0.0.1:9900", allow: 192.0.2.1}
  - {type: live, iface: lo}
  - {type: hep, listen: "udp:127.0.0.1:9060", auth_keys: [two]}`)
	merged, changed, restart, err := before.Take(next)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(changed, []string{"inputs.0.auth_keys", "inputs.1.allow"}) || !slices.Equal(restart, []string{"inputs"}) {
		t.Errorf("in effect %q, after a restart %q", changed, restart)
	}
	if len(merged.Inputs) != 2 || !slices.Equal(merged.Inputs[0].HEP.AuthKeys, []string{"two"}) || len(merged.Inputs[1].HEP.Allow) != 1 {
		t.Errorf("%+v", merged.Inputs)
	}
	if _, changed, restart, err = merged.Take(merged); err != nil || len(changed)+len(restart) > 0 {
		t.Errorf("the same again: %q, %q, %v", changed, restart, err)
	}
}

// What the rest of the running configuration does not allow is refused as a whole.
func TestTakeRefuses(t *testing.T) {
	before := mustLoad(t, "sipcmbeat.hep_output: {targets: \"127.0.0.1:9999\", version: 2}")
	next := mustLoad(t, "sipcmbeat.hep_output: {targets: \"127.0.0.1:9999\", version: 3, auth_key: s3cret}\nsipcmbeat.event_types_blst: none")
	merged, changed, _, err := before.Take(next)
	if merged != nil || changed != nil || err == nil {
		t.Fatalf("%v, %v", changed, err)
	}
	const want = "sipcmbeat.hep_output.auth_key: version 2 has no place for one; allowed: version 3 (together with what a restart alone changes: hep_output.version)"
	if err.Error() != want {
		t.Errorf("%v", err)
	}
}

// A value from outside stays a reference on the page of the configuration, and one that
// comes later becomes one.
func TestTakeRefers(t *testing.T) {
	t.Setenv("SIPCMBEAT_NUMBER", "4711")
	for _, x := range []struct{ before, next, want string }{
		{"[\"112\"]", "[\"${SIPCMBEAT_NUMBER}\"]", "${SIPCMBEAT_NUMBER}"},
		{"[\"${SIPCMBEAT_NUMBER}\"]", "[\"112\", \"113\"]", "[112, 113]"},
	} {
		before, next := mustLoad(t, "sipcmbeat.numbers.emergency: "+x.before), mustLoad(t, "sipcmbeat.numbers.emergency: "+x.next)
		merged, _, _, err := before.Take(next)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range merged.Settings() {
			if s.Key == "numbers.emergency" && s.Value != x.want {
				t.Errorf("%q, want %q", s.Value, x.want)
			}
		}
	}
}
