package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
)

// Take gives the configuration of a run that goes on with what next, read while it
// runs, says of the keys that have Reload, and leaves both as they are. changed names
// the keys that differ and are in it, restart those that differ and are not. The error
// is for what next asks and the rest of the running configuration does not allow.
func (c *Config) Take(next *Config) (merged *Config, changed, restart []string, err error) {
	m := *c
	m.Warnings = next.Warnings
	m.taken = maps.Clone(c.taken)
	now, then := reflect.ValueOf(&m.Keys).Elem(), reflect.ValueOf(&next.Keys).Elem()
	for _, row := range Table {
		switch {
		case strings.HasPrefix(row.Name, inputsKey) || c.text(row.Name) == next.text(row.Name):
		case row.Reload:
			changed = append(changed, row.Name)
			fieldOf(now, row.Name).Set(fieldOf(then, row.Name))
			m.refer(next, row.Name)
		default:
			restart = append(restart, row.Name)
		}
	}
	if len(next.taken) > 0 { // of both: what hides a value too many does no harm
		m.taken = maps.Clone(next.taken)
		maps.Copy(m.taken, c.taken)
	}
	if c.Keys.Privacy.KeyFile == next.Keys.Privacy.KeyFile && c.Privacy.Key != next.Privacy.Key && !slices.Contains(changed, "privacy.key") {
		changed = append(changed, "privacy.key_file") // another key in the same file
	}
	m.takeParts(next)
	taken, left := m.takeInputs(next)
	changed, restart = append(changed, taken...), append(restart, left...)
	m.statsSet = next.statsSet
	if err = m.composeStats(); err == nil { // by what the inputs are that run
		err = m.Validate()
	}
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%w (together with what a restart alone changes: %s)", err, orNone(restart))
	}
	return &m, changed, restart, nil
}

// refer notes of which ${NAME} a value is that comes from next.
func (c *Config) refer(next *Config, key string) {
	ref := next.taken[key]
	if ref == "" {
		delete(c.taken, key)
		return
	}
	if c.taken == nil {
		c.taken = map[string]string{}
	}
	c.taken[key] = ref
}

// inputsKey begins the name of a key of one input, and is the list.
const inputsKey = "inputs"

func orNone(items []string) string {
	if len(items) == 0 {
		return none
	}
	return strings.Join(items, ", ")
}

// fieldOf is where the value of a key stands.
func fieldOf(v reflect.Value, key string) reflect.Value {
	for name := range strings.SplitSeq(key, ".") {
		v = byTag(v, name)
	}
	return v
}

// takeParts takes what next's keys with Reload were composed to.
func (c *Config) takeParts(next *Config) {
	say := c.Limit.Say
	c.Limit, c.HeldSet, c.RatesSet = next.Limit, next.HeldSet, next.RatesSet
	c.Limit.Say = say
	c.HTTP.Token = next.HTTP.Token
	c.Engine.Internal = next.Engine.Internal
	before := c.Engine.Track
	c.Engine.Track = next.Engine.Track
	c.Engine.Track.ContactIgnorePort, c.Engine.Track.Headers = before.ContactIgnorePort, before.Headers
	c.Relay.AuthKey, c.Relay.Methods, c.Relay.Sources = next.Relay.AuthKey, next.Relay.Methods, next.Relay.Sources
	c.Dump.List = next.Dump.List
	c.Privacy = next.Privacy
	c.Count.Trunks, c.Count.MinSamples = next.Count.Trunks, next.Count.MinSamples
}

// takeInputs takes who may send to the inputs that listen at the same places as before.
// The names in what it gives have the number of the input that runs.
func (c *Config) takeInputs(next *Config) (changed, restart []string) {
	others := len(c.Keys.Inputs) != len(next.Keys.Inputs)
	c.Inputs, c.Keys.Inputs = slices.Clone(c.Inputs), slices.Clone(c.Keys.Inputs)
	if len(c.Keys.Inputs) == 0 {
		if others {
			restart = append(restart, inputsKey)
		}
		return nil, restart
	}
	for i := range c.Keys.Inputs {
		k := &c.Keys.Inputs[i]
		at := like(i, next.Keys.Inputs, func(o *InputKeys) bool { return o.Type == k.Type && slices.Equal(place(o), place(k)) })
		if at < 0 {
			others = true
			continue
		}
		for _, row := range Table {
			name, ok := strings.CutPrefix(row.Name, inputsKey+".")
			now, then := reflect.ValueOf(k).Elem(), reflect.ValueOf(&next.Keys.Inputs[at]).Elem()
			if !ok || row.Of != "" && !slices.Contains(strings.Fields(row.Of), k.Type) || valueText(fieldOf(now, name)) == valueText(fieldOf(then, name)) {
				continue
			}
			full := inputsKey + "." + strconv.Itoa(i) + "." + name
			if !row.Reload {
				restart = append(restart, full)
				continue
			}
			changed = append(changed, full)
			fieldOf(now, name).Set(fieldOf(then, name))
			c.refer(next, row.Name)
		}
	}
	if others {
		restart = append(restart, inputsKey)
	}
	for i := range c.Inputs {
		in := &c.Inputs[i]
		at := like(i, next.Inputs, func(o *Input) bool { return o.Type == in.Type && slices.Equal(o.HEP.Listen, in.HEP.Listen) })
		if in.Type != HEPInput && in.Type != SiptraceInput || at < 0 {
			continue
		}
		in.AuthKeys, in.Allow = next.Inputs[at].AuthKeys, next.Inputs[at].Allow
		in.HEP.AuthKeys, in.HEP.Allow = next.Inputs[at].HEP.AuthKeys, next.Inputs[at].HEP.Allow
	}
	return changed, restart
}

// like finds the item that is the same, first at the same place; -1 where there is none.
func like[T any](i int, items []T, same func(*T) bool) int {
	if i < len(items) && same(&items[i]) {
		return i
	}
	for j := range items {
		if same(&items[j]) {
			return j
		}
	}
	return -1
}

// place tells an input from the others of its type.
func place(k *InputKeys) []string {
	switch k.Type {
	case FileInput:
		return k.Pcap
	case LiveInput:
		return k.Iface
	case HEPInput:
		if len(k.Listen) == 0 {
			return capture.DefaultHEPConfig().Listen
		}
	}
	return k.Listen
}
