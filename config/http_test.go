package config

import (
	"strings"
	"testing"
)

// What is a secret, or came from outside, is not among the settings.
func TestSettingsHaveNoSecrets(t *testing.T) {
	t.Setenv("SIPCMBEAT_ONE", "one-is-secret-0123456789")
	t.Setenv("SIPCMBEAT_TWO", "two-is-secret-0123456789")
	c, err := load(t, `sipcmbeat:
  http.auth.token: plain-is-secret-0123456789
  hep_output.auth_key: ${SIPCMBEAT_ONE}
  hep_output.node: node-${SIPCMBEAT_TWO}
  inputs:
  - {type: hep, listen: "udp:127.0.0.1:9060", auth_keys: ["list-is-secret", "${SIPCMBEAT_ONE}"]}`)
	if err != nil {
		t.Fatal(err)
	}
	if c.HTTP.Token != "plain-is-secret-0123456789" || c.HEPOutput.AuthKey != "one-is-secret-0123456789" || c.HEPOutput.Node != "node-two-is-secret-0123456789" {
		t.Fatalf("not read: %+v", c.Keys)
	}
	seen := map[string]string{}
	for _, s := range c.Settings() {
		if strings.Contains(s.Value+s.Default, "is-secret") {
			t.Errorf("%s shows %s", s.Key, s.Value)
		}
		seen[s.Key] = s.Value
	}
	for key, want := range map[string]string{"http.auth.token": "(set)", "hep_output.auth_key": "(set)", "inputs.auth_keys": "(set)", "hep_output.node": "${SIPCMBEAT_TWO}", "ports": "[5060, 5080]"} {
		if seen[key] != want {
			t.Errorf("%s: %q, want %q", key, seen[key], want)
		}
	}
	c, err = load(t, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Settings() {
		if s.Secret && s.Value != "" {
			t.Errorf("%s is not set and shows %q", s.Key, s.Value)
		}
	}
}

// What came from outside before or after a reload is not shown, and a wrong value that did
// is not in the error.
func TestReloadHasNoSecrets(t *testing.T) {
	t.Setenv("SIPCMBEAT_ONE", "7s")
	before := mustLoad(t, "sipcmbeat.http.ready_stall: 9s")
	merged, _, _, err := before.Take(mustLoad(t, "sipcmbeat.http.ready_stall: ${SIPCMBEAT_ONE}"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range merged.Settings() {
		if s.Key == "http.ready_stall" && s.Value != "${SIPCMBEAT_ONE}" {
			t.Errorf("shows %q", s.Value)
		}
	}
	t.Setenv("SIPCMBEAT_ONE", "is-secret")
	for _, key := range []string{"http.ready_stall", "http_port", "http.inject"} {
		if _, err := load(t, "sipcmbeat."+key+": ${SIPCMBEAT_ONE}"); err == nil || strings.Contains(err.Error(), "is-secret") || !strings.Contains(err.Error(), "${SIPCMBEAT_ONE}") {
			t.Errorf("%s: %v", key, err)
		}
	}
}
