package cmd

import (
	"flag"

	"github.com/elastic/beats/v7/libbeat/cfgfile"
	conf "github.com/elastic/elastic-agent-libs/config"
)

// defaults are libbeat's defaults where ours differ. They stand below the user's
// file and -E. Each asks for the file alone, so -E is looked at here: a default for
// an output that the user does not name would be a second output, and one for the
// queue in memory a second queue.
func defaults() []cfgfile.ConditionalOverride {
	always := func(*conf.C) bool { return true }
	when := func(check func(*conf.C) bool, text string) cfgfile.ConditionalOverride {
		return cfgfile.ConditionalOverride{Check: check, Config: conf.MustNewConfigFrom(text)}
	}
	return []cfgfile.ConditionalOverride{
		// Packet times have nine digits, and two events may differ in the last.
		when(always, "timestamp.precision: nanosecond"),
		// Quiet: counters are in the status line and at the monitoring endpoint.
		when(always, "logging.metrics.enabled: false"),
		// The queue hands over what is there instead of waiting for 1,600 events.
		when(ownQueue, "queue.mem.flush.timeout: 0s"),
		// libbeat's limit is for the thousands of fields of its own programs.
		when(always, "setup.template.settings.index.mapping.total_fields.limit: 2000"),
		// libbeat keeps 7 files of 10 MB and deletes the rest of a long run.
		when(names("output.file"), "output.file: {rotate_every_kb: 1048576, number_of_files: 1024}"),
		// libbeat takes a batch for delivered whose events were all refused by the breaker
		// that its Kafka client opens after three failed looks for a leader within ten
		// seconds: a broker that came late lacked events. A look that goes on for longer
		// than that never opens it.
		when(names("output.kafka"), "output.kafka.metadata.retry: {max: 60, backoff: 250ms}"),
		when(func(file *conf.C) bool {
			pretty, err := file.Bool(prettyOlder, -1)
			return err == nil && pretty
		}, prettyNow+": true"),
	}
}

// settings are what -E has set.
func settings() *conf.C {
	if f := flag.Lookup("E"); f != nil {
		if s, ok := f.Value.(*conf.SettingsFlag); ok {
			return s.Config()
		}
	}
	return conf.NewConfig()
}

// names tells whether the file or -E has something under path.
func names(path string) func(*conf.C) bool {
	return func(file *conf.C) bool { return has(file, path) || has(settings(), path) }
}

func has(c *conf.C, path string) bool {
	found, err := c.Has(path, -1)
	return err == nil && found
}

// ownQueue tells whether no other queue than the one in memory is asked for, at
// the top or inside an output.
func ownQueue(file *conf.C) bool {
	for _, c := range []*conf.C{file, settings()} {
		if has(c, "queue") && !has(c, "queue.mem") {
			return false
		}
		outputs, err := c.Child("output", -1)
		if err != nil {
			continue
		}
		for _, name := range outputs.GetFields() {
			if has(outputs, name+".queue") {
				return false
			}
		}
	}
	return true
}
