package config

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/go-ucfg"
	"github.com/elastic/go-ucfg/parse"

	"github.com/sipcmbeat/sipcmbeat/internal/dump"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/recent"
	"github.com/sipcmbeat/sipcmbeat/internal/sip"
	"github.com/sipcmbeat/sipcmbeat/internal/track"
)

// none empties a list, where an empty one can not be written: -E k=[] changes
// nothing.
const none = "none"

// refuse is the one form of an error here.
func refuse(key string, value any, allowed string) error {
	return fmt.Errorf("%s.%s: %v is not allowed; allowed: %s", Section, key, value, allowed)
}

// judge refuses keys that are not in Table, and collects a warning for each of
// the older program. It gives the names of the keys that are set.
func (c *Config) judge(section *conf.C) (map[string]bool, error) {
	set := make(map[string]bool)
	for _, key := range section.FlattenedKeys() {
		key = strings.TrimPrefix(key, Section+".")
		row, ok := find(key)
		if !ok {
			older, ok := IsOlder(key)
			if !ok {
				return nil, unknown(section, key)
			}
			if older.hides() && !isOff(section, key) {
				return nil, fmt.Errorf("%s.%s: %s is not allowed: this version has no such group, and events would leave in clear; "+
					"allowed: false, and encrypt for one of the groups: privacy.addresses, privacy.uris and so on", Section, key, given(section, key))
			}
			if c.notePrivacy(section, key, older) {
				set[key] = true
				continue
			}
			key = withoutIndex(key)
			if !set[key] {
				c.Warnings = append(c.Warnings, fmt.Sprintf("%s.%s is ignored; %s", Section, key, older.Advice()))
			}
			set[key] = true
			continue
		}
		set[row.Name] = true
		if ref := fromOutside(section, key); ref != "" {
			if c.taken == nil {
				c.taken = map[string]string{}
			}
			c.taken[row.Name] = ref
		}
		if text, err := section.String(key, -1); err == nil && !row.fits(text) {
			return nil, refuse(key, row.shown(section, key, text), row.allowed())
		}
	}
	for _, list := range []string{"event_types_blst", "evr_limits", "evr_intervals"} {
		if section.HasField(list) {
			set[list] = true // also when it is empty
		}
	}
	return set, nil
}

// isOff tells whether an older key that asks for something does not.
func isOff(section *conf.C, key string) bool {
	text, err := section.String(key, -1)
	on, no := strconv.ParseBool(text)
	return err == nil && (text == "" || no == nil && !on)
}

// fits looks at what go-ucfg would change without a word: it cuts 1.5 to 1, and a
// duration that is a number alone may be too long to count in nanoseconds.
func (k Key) fits(text string) bool {
	switch k.Kind {
	case Whole:
		_, err := strconv.ParseInt(text, 0, 64)
		return err == nil
	case Duration:
		n, err := strconv.ParseFloat(text, 64)
		return err != nil || math.Abs(n) < math.MaxInt64/1e9
	case Text, Flag, Number, Bytes, List:
	}
	return true
}

// given shows the value of a key that is none of ours, unless it may be a secret.
func given(section *conf.C, key string) string {
	for _, word := range []string{"pass", "key", "secret", "token", "salt", "auth"} {
		if strings.Contains(strings.ToLower(key), word) {
			return "what is given"
		}
	}
	if row, ok := find(Near(key)); ok && row.Secret { // by a slip of the pen
		return "what is given"
	}
	if text, err := section.String(key, -1); err == nil {
		return quote(text)
	}
	return "what is given"
}

// find looks a flattened key up: that of a list ends in an index.
func find(key string) (Key, bool) {
	if first, rest, ok := strings.Cut(key, "."); ok && first == "inputs" {
		if i, name, ok := strings.Cut(rest, "."); ok {
			if _, err := strconv.Atoi(i); err == nil {
				key = first + "." + name // of any item
			}
		}
	}
	for _, row := range Table {
		if row.Name == key {
			return row, true
		}
		if row.Kind != List {
			continue
		}
		if i, ok := strings.CutPrefix(key, row.Name+"."); ok {
			if _, err := strconv.Atoi(i); err == nil {
				return row, true
			}
		}
	}
	return Key{}, false
}

// unknown says what may have been meant.
func unknown(section *conf.C, key string) error {
	if key != "inputs" && withoutIndex(key) == "inputs" {
		return refuse(key, "a value alone", "keys and values, such as {type: live, iface: eth0}")
	}
	value := given(section, key)
	if name := withoutIndex(key); name != key {
		if row, ok := find(name); !ok {
			key = name
		} else if row.Kind != List {
			return fmt.Errorf("%s.%s takes one value, not a list; allowed: %s", Section, name, row.allowed())
		}
	}
	if below := under(key); below != "" {
		return fmt.Errorf("%s.%s takes keys of its own: %s", Section, key, below)
	}
	if near := Near(key); near != "" {
		return fmt.Errorf("%s.%s (%s) is no key of this version; did you mean %s.%s?", Section, key, value, Section, near)
	}
	for _, row := range Table {
		if strings.HasPrefix(key, row.Name+".") {
			return fmt.Errorf("%s.%s is no key: %s.%s takes %s", Section, key, Section, row.Name, row.allowed())
		}
	}
	return fmt.Errorf("%s.%s (%s) is no key of this version; docs/config.md lists all", Section, key, value)
}

// withoutIndex cuts the places in lists off the end of a flattened key.
func withoutIndex(key string) string {
	for {
		i := strings.LastIndexByte(key, '.')
		if _, err := strconv.Atoi(key[i+1:]); i < 0 || err != nil {
			return key
		}
		key = key[:i]
	}
}

// withoutPlaces cuts all places in lists out of a flattened key.
func withoutPlaces(key string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(key, "."), func(part string) bool {
		_, err := strconv.Atoi(part)
		return err == nil
	}), ".")
}

// under lists the keys below key.
func under(key string) string {
	var names []string
	for _, row := range Table {
		if name, ok := strings.CutPrefix(row.Name, key+"."); ok {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// IsKey tells whether key, without the name of the section, is one of ours, or
// was one in the older program.
func IsKey(key string) bool {
	if _, ok := find(key); ok || under(withoutIndex(key)) != "" {
		return true
	}
	_, ok := IsOlder(key)
	return ok
}

// IsNearSection tells whether name is the name of our section misspelt.
func IsNearSection(name string) bool {
	return name != Section && distance(strings.ToLower(name), Section) <= 2
}

// NearName is the one of names that a word was meant to be, "" if it is none of them: a
// letter or two differ, of a short word one.
func NearName(word string, names []string) string {
	return nearest(strings.ToLower(word), names)
}

// Near is the key that looks most like the given one, "" if none does.
func Near(key string) string {
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "-", "_")) }
	var names []string
	first, _, _ := strings.Cut(key, ".")
	ofInput := strings.Contains(key, ".") && distance(first, "inputs") <= 2
	if ofInput {
		key = withoutPlaces(key)
	}
	for _, row := range Table {
		if strings.HasPrefix(row.Name, "inputs.") && !ofInput {
			continue
		}
		names = append(names, row.Name)
		if strings.HasSuffix(row.Name, "."+plain(key)) {
			return row.Name
		}
	}
	return nearest(plain(key), names)
}

// nearest gives the name that differs least from word, "" if all differ in a
// third or more.
func nearest(word string, names []string) string {
	best, least := "", max((len(word)-1)/3, 1)+1
	for _, name := range names {
		if d := distance(word, name); d < least {
			best, least = name, d
		}
	}
	return best
}

// distance counts the letters to insert, remove, replace or swap.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// explain turns an error of go-ucfg into ours.
func explain(section *conf.C, err error) error {
	var u ucfg.Error
	if !errors.As(err, &u) {
		return fmt.Errorf("%s: %w", Section, err)
	}
	key := strings.TrimPrefix(u.Path(), Section+".")
	row, ok := find(key)
	if !ok {
		return fmt.Errorf("%s: %w", Section, err)
	}
	if name := unset(section, key, u); name != "" {
		if _, empty := os.LookupEnv(name); empty {
			return fmt.Errorf("%s.%s: ${%s} is empty", Section, key, name)
		}
		return fmt.Errorf("%s.%s: ${%s} is not set, neither in the environment nor in the keystore", Section, key, name)
	}
	text, wrong := section.String(key, -1)
	if wrong != nil {
		return refuse(key, "more than one value", row.allowed())
	}
	return refuse(key, row.shown(section, key, text), row.allowed())
}

// shown is the value of a key in an error: that of a secret is not, and what came from
// outside is as it was written.
func (k Key) shown(section *conf.C, key, text string) string {
	if ref := fromOutside(section, key); ref != "" {
		return ref
	}
	if k.Secret {
		return "what is given"
	}
	return quote(text)
}

// unset names the variable for which a value could not be read, "" when that is
// not why. go-ucfg does not say it, so it is asked once more and listened to.
func unset(section *conf.C, key string, err ucfg.Error) (missing string) {
	if err.Reason() != ucfg.ErrMissing {
		return ""
	}
	listen := func(name string) (string, parse.Config, error) {
		if os.Getenv(name) == "" && missing == "" {
			missing = name
		}
		return "", parse.DefaultConfig, nil
	}
	_, _ = (*ucfg.Config)(section).String(key, -1, ucfg.PathSep("."), ucfg.VarExp, ucfg.Resolve(listen))
	return missing
}

// quote shows what the user wrote, on one line.
func quote(text string) string { return strconv.Quote(text) }

// list reads a list: none, alone, is the empty one; and so is one empty text,
// which older configurations wrote.
func list(key string, items []string, empty bool) ([]string, error) {
	if len(items) == 1 && (items[0] == none || items[0] == "") {
		items = nil
	}
	for _, item := range items {
		if item == "" || item == none {
			return nil, refuse(key, quote(item), "none only alone, and no empty item")
		}
	}
	if len(items) == 0 && !empty {
		row, _ := find(key)
		return nil, refuse(key, "an empty list", row.allowed())
	}
	return items, nil
}

func ports(key string, items []string) ([]uint16, error) {
	all := make([]uint16, 0, len(items))
	for _, item := range items {
		n, err := strconv.ParseUint(item, 10, 16)
		if err != nil || n == 0 {
			return nil, refuse(key, quote(item), "1 to 65535")
		}
		all = append(all, uint16(n))
	}
	return all, nil
}

func heldTypes(items []string) (held [event.NumTypes]bool, err error) {
	for _, item := range items {
		t, ok := event.ParseType(item)
		if !ok {
			allowed := event.TypeNames() + ", or none alone"
			if near := nearest(strings.ToLower(strings.ReplaceAll(item, "_", "-")), strings.Split(event.TypeNames(), ", ")); near != "" {
				allowed += "; did you mean " + near + "?"
			}
			return held, refuse("event_types_blst", quote(item), allowed)
		}
		held[t] = true
	}
	return held, nil
}

// numbers takes digits and the separators that people write; 0 alone is what YAML
// makes of 000.
func numbers(items []string) ([]string, error) {
	const key = "numbers.emergency"
	all := make([]string, 0, len(items))
	for _, item := range items {
		if item == "0" {
			return nil, refuse(key, item, `a number of two digits or more; with a zero in front in quotes, as "000"`)
		}
		number := strings.Map(func(r rune) rune {
			if strings.ContainsRune(" -.()/", r) {
				return -1
			}
			return r
		}, item)
		if len(number) < 2 || strings.Trim(number, "+0123456789*#") != "" {
			return nil, refuse(key, quote(item), "telephone numbers, such as 112")
		}
		all = append(all, number)
	}
	return all, nil
}

// authFailedCodes reads 403, for every method, and REGISTER/403. The slash needs
// no quotes in YAML, in a shell or behind -E.
func authFailedCodes(items []string) ([]track.AuthFailedCode, error) {
	const key = "auth_failed_codes"
	var all []track.AuthFailedCode
	for _, item := range items {
		method, code, ok := strings.Cut(item, "/")
		a := track.AuthFailedCode{All: !ok}
		if !ok {
			code = item
		} else if a.Method = sip.ParseMethod([]byte(method)); a.Method == sip.MethodOther {
			var known []string
			for m := sip.MethodOther + 1; m < sip.NumMethods; m++ {
				known = append(known, m.String())
			}
			return nil, refuse(key, quote(item), "one of these before the slash: "+strings.Join(known, ", "))
		}
		n, err := strconv.Atoi(code)
		if err != nil {
			return nil, refuse(key, quote(item), "a code, such as 403, or a method and a code, such as REGISTER/403")
		}
		a.Code = n
		all = append(all, a)
	}
	return all, nil
}

// when reads the reasons to write a file.
func when(items []string) (all dump.When, err error) {
	for _, item := range items {
		w, ok := dump.ParseWhen(item)
		if !ok {
			return 0, refuse("pcap_dump.when", quote(item), dump.WhenNames()+", or none alone")
		}
		all |= w
	}
	return all, nil
}

// flushes are the values of replay_flush.
var flushes = map[string]track.Flush{"pending": track.FlushPending, "all": track.FlushAll, "none": track.FlushNone}

func flush(word string) (track.Flush, error) {
	f, ok := flushes[word]
	if !ok {
		return 0, refuse("replay_flush", quote(word), "pending, all, none")
	}
	return f, nil
}

// Validate names the first key that is out of range, and the range.
func (c *Config) Validate() error {
	for _, n := range []struct {
		key         string
		value       int64
		low, high   int64
		zeroIsUnset bool
	}{
		{"event_buffer_size", int64(c.EventBufferSize), 16, 1 << 24, false},
		{"retention_days", int64(c.RetentionDays), 0, 36500, false},
		{"shutdown_timeout", int64(c.ShutdownTimeout), 0, int64(maxShutdown), false},
		{"dedup_window", int64(c.DedupWindow), 0, int64(maxDedup), false},
		{"http.ready_silence", int64(c.Keys.HTTP.ReadySilence), 0, int64(24 * time.Hour), false},
		{"http.ready_stall", int64(c.Keys.HTTP.ReadyStall), 0, int64(24 * time.Hour), false},
		{"http.messages_mem", int64(c.Keys.HTTP.MessagesMem), recent.MinSize, recent.MaxSize, true},
		{"state.interval", int64(c.State.Interval), int64(time.Second), int64(24 * time.Hour), false},
		{"stats_interval", int64(c.StatsInterval), int64(time.Second), int64(24 * time.Hour), true},
		{"hep_output.buffer", int64(c.HEPOutput.Buffer), 256 << 10, 1 << 30, false},
		{"hep_output.capture_id", int64(c.HEPOutput.CaptureID), 0, 1<<32 - 1, false},
		{"calls_max_entries", int64(c.CallsMaxEntries), 64, 1 << 40, true},
		{"regs_max_entries", int64(c.RegsMaxEntries), 64, 1 << 40, true},
		{"calls_max_mem", int64(c.CallsMaxMem), 1 << 20, 1 << 50, true},
		{"regs_max_mem", int64(c.RegsMaxMem), 1 << 20, 1 << 50, true},
	} {
		if (n.value < n.low || n.value > n.high) && !(n.zeroIsUnset && n.value == 0) {
			row, _ := find(n.key)
			return refuse(n.key, c.text(n.key), row.allowed())
		}
	}
	if err := c.Relay.Validate(); err != nil {
		return fmt.Errorf("%s.hep_output.%w", Section, err)
	}
	if err := c.validatePrivacy(); err != nil {
		return err
	}
	if err := c.HTTP.Validate(); err != nil {
		return fmt.Errorf("%s.%w", Section, err)
	}
	for _, validate := range []func() error{
		c.Engine.Packet.Validate, c.Engine.Stream.Validate, c.Engine.Track.Validate, c.Files.ValidatePace, c.Dump.Validate, c.Limit.Validate, c.Count.Validate,
	} {
		if err := validate(); err != nil {
			return c.ours(err)
		}
	}
	return c.validateInputs()
}

// ours writes a package's error about a range as the document has it: 4KiB, 1h.
func (c *Config) ours(err error) error {
	key, text, _ := strings.Cut(strings.Replace(err.Error(), "fragment_", "fragments.", 1), ": ")
	if row, ok := find(key); ok && row.Kind != List && strings.Contains(text, "; allowed: ") {
		return refuse(key, c.text(key), row.Allowed)
	}
	return fmt.Errorf("%s.%w", Section, err)
}
