package beater

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/sipcmbeat/sipcmbeat/config"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// measured is a record of what was counted from one moment to another: sip.NAME holds it.
// agent and of make its id, so that it is the same however often it is sent.
func measured(name, agent, of string, at time.Time, from, to int64, values mapstr.M, mask event.Masker) beat.Event {
	dataset := "sip." + name
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %s %d %d", dataset, agent, of, from, to))
	hash := event.Hash(sum[:16])
	fields := mapstr.M{"sip": mapstr.M{name: values}}
	if mask != nil {
		hash = mask.Digest(hash, event.Addresses)
		if l := event.LabelOf(mask); l != nil {
			fields["sipcmbeat"] = mapstr.M{"privacy": mapstr.M{"key_id": l.KeyID, "fields": l.Fields}}
		}
	}
	id := hex.EncodeToString(hash[:])
	fields["event"] = mapstr.M{
		"kind": "metric", "module": config.Section, "dataset": dataset, "id": id,
		"start":    string(event.AppendTime(nil, from)),
		"end":      string(event.AppendTime(nil, to)),
		"duration": to - from,
	}
	return beat.Event{Timestamp: at.UTC(), Meta: mapstr.M{"_id": id}, Fields: fields}
}

// publishMeasured hands records over. They go the way of events and are waited for as
// these are; no list and no limit holds them.
func (r *run) publishMeasured(records ...beat.Event) {
	r.records.Add(uint64(len(records))) // first: an acknowledgement may be quick
	r.client.PublishAll(records)
}
