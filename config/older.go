package config

import "strings"

// OlderKey is a key of the older program that has no meaning here. It is named
// in a warning and ignored; docs/upgrade.md lists the same.
type OlderKey struct {
	Key     string
	Instead string // what to write now; "" is "no longer needed", later "not in this version yet"
	Why     string
}

// later is the Instead of what the older program did and this one does not yet.
const later = "later"

// Older is the table of those keys. A key ending in * stands for all that begin
// so.
var Older = []OlderKey{
	{"end_wait", "", "a file run ends by itself when every event is delivered"},
	{"end_force_timeout", "shutdown_timeout", "how long a stop waits for the output"},
	{"max_blocked_timeout", "", "an idle interface no longer holds the timers"},
	{"calls_timeouts.inv_established", "calls_timeouts.established", "renamed"},
	{"calls_timeouts.inv_*", "", "the timers are those of RFC 3261, see calls_timeouts"},
	{"geo_ip_*", later, "addresses are not looked up"},
	{"encrypt_ip_addresses", "privacy.addresses", "true is taken as encrypt, with the key of privacy.key, key_file or passphrase"},
	{"encrypt_uris", "privacy.uris", "true is taken as encrypt, for privacy.numbers too"},
	{"encrypt_call_ids", "privacy.call_ids", "true is taken as encrypt"},
	{"encrypt_ua", "privacy.user_agents", "true is taken as encrypt"},
	{"encrypt_ipcipher", "", "encrypted addresses are addresses, and those of one network stay in one"},
	{"encrypt_*", "privacy.addresses", "privacy has the groups; true is refused, because events would leave in clear"},
	{"encryption_passphrase", "privacy.passphrase", "it is taken where no other key is set; the key made of it is another one"},
	{"encryption_*", "privacy.key", "the older program's keys are for another cipher"},
	{"evr_gc_*", "", "old rates are forgotten without a collector"},
	{"tcp_gc_int", "", "old connections are forgotten without a collector"},
	{"tcp_reorder_timeout", "", "reassembly has a bound of its own"},
	{"tcp_connection_timeout", "", "reassembly has a bound of its own"},
	{"tcp_msg_buf", "", "buffers take the size they need"},
	{"tcp_msg_buf_max", "tcp.max_message", "the longest message"},
	{"cfg_ignore_unknown", "", "older keys are known, and others are mistakes"},
	{"debug_calltr", "", "the log is configured beside the section"},
	{"log_opt", "", "the log is configured beside the section"},
	{"log_level", "logging.level", "the log is configured beside the section"},
	{"parse_log*", "", "parse-error events say what could not be read"},
	{"verbose", "logging.level", "the log is configured beside the section"},
	{"reg_delta", "reg_exp_delta", "renamed"},
}

// IsOlder tells whether key, without the name of the section, is in the table.
func IsOlder(key string) (OlderKey, bool) {
	for _, o := range Older {
		name, all := strings.CutSuffix(o.Key, "*")
		if key == name || strings.HasPrefix(key, name+".") || all && strings.HasPrefix(key, name) {
			return o, true
		}
	}
	return OlderKey{}, false
}

// hides tells whether key asks for privacy. Such a key can not be ignored as others
// are: what was hidden would leave in clear.
func (o OlderKey) hides() bool { return o.Key == "encrypt_*" }

// switches tells whether key is one of those that asked for privacy of a kind that there
// is here too.
func (o OlderKey) switches() bool { return olderGroups[o.Key] != nil }

// Advice is the sentence of the warning and of the document.
func (o OlderKey) Advice() string {
	switch o.Instead {
	case "":
		return "no longer needed: " + o.Why
	case later:
		return "not in this version yet: " + o.Why
	}
	return "write " + o.Instead + " instead: " + o.Why
}
