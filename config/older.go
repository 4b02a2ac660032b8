package config

import "strings"

// OlderKey is a key of the older program that has no meaning here. It is named
// in a warning and ignored; docs/upgrade.md lists the same.
type OlderKey struct {
	Key     string
	Instead string // what to write now; "" is "no longer needed"
	Why     string
}

// Older is the table of those keys. A key ending in * stands for all that begin
// so.
var Older = []OlderKey{
	{"end_wait", "", "a file run ends by itself when every event is delivered"},
	{"end_force_timeout", "shutdown_timeout", "how long a stop waits for the output"},
	{"max_blocked_timeout", "", "an idle interface no longer holds the timers"},
	{"evr_gc_*", "", "old rates are forgotten without a collector"},
	{"tcp_gc_int", "", "old connections are forgotten without a collector"},
	{"tcp_reorder_timeout", "", "reassembly has a bound of its own"},
	{"tcp_connection_timeout", "", "reassembly has a bound of its own"},
	{"log_level", "logging.level", "the log is configured beside the section"},
	{"parse_log", "", "parse-error events say what could not be read"},
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

// Advice is the sentence of the warning and of the document.
func (o OlderKey) Advice() string {
	if o.Instead == "" {
		return "no longer needed: " + o.Why
	}
	return "write " + o.Instead + " instead: " + o.Why
}
