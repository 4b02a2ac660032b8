package beater

import (
	"slices"
	"strings"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/publisher/processing"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/sipcmbeat/sipcmbeat/config"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// Parts are what libbeat is given of this package: how to make a beater and what
// to add to each event. The second is asked first and sees the whole
// configuration, from which the first learns whether anybody looks into events.
//
// told hears what has to be said where the log may not be looked at. read reads the
// configuration again for a reload; without it there is none.
func Parts(told Voice, read Reader) (beat.Creator, processing.SupportFactory) {
	maps := true
	create := func(b *beat.Beat, section *conf.C) (beat.Beater, error) {
		return newBeater(b, section, maps, told, read)
	}
	support := func(info beat.Info, log *logp.Logger, root *conf.C) (processing.Supporter, error) {
		maps = looksInside(root)
		// The events are made of plain values already: nothing to normalise.
		const normalize = false
		return processing.MakeDefaultSupport(normalize, nil, same(info), processing.WithHost, processing.WithAgentMeta())(info, log, root)
	}
	return create, support
}

// same is what every event says alike, added once and without a copy: the ECS
// version that our names follow, and who observed.
func same(info beat.Info) interface {
	BuiltinFields(beat.Info) mapstr.M
	ClientFields(beat.Info, beat.ProcessingConfig) mapstr.M
} {
	return processing.WithFields(mapstr.M{
		"ecs": mapstr.M{"version": event.ECSVersion},
		"observer": mapstr.M{
			"name":     info.Name, // unless HEP says whose
			"type":     "sip-probe",
			"product":  config.Section,
			"vendor":   config.Section,
			"version":  info.Version,
			"hostname": info.Hostname,
		},
	})
}

// looksInside tells whether something in libbeat reads or changes single fields of
// an event: processors, fields that may go between ours, a format string or a
// condition in the output. Outputs that only encode an event do not.
func looksInside(root *conf.C) bool {
	for _, key := range []string{"processors", "fields", "timeseries"} {
		if root.HasField(key) {
			return true
		}
	}
	output, err := root.Child("output", -1)
	if err != nil {
		return false
	}
	for _, key := range output.FlattenedKeys() {
		key = strings.TrimPrefix(key, "output.")
		if slices.Contains(strings.Split(key, "."), "when") {
			return true
		}
		if text, err := output.String(key, -1); err == nil && strings.Contains(text, "%{") {
			return true
		}
	}
	return false
}
