package config

import (
	"fmt"
	"strings"

	conf "github.com/elastic/elastic-agent-libs/config"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
)

// Privacy is what becomes of values that name somebody, and the key for it.
type Privacy struct {
	Addresses  string `config:"addresses"`
	URIs       string `config:"uris"`
	Numbers    string `config:"numbers"`
	CallIDs    string `config:"call_ids"`
	UserAgents string `config:"user_agents"`
	Geo        string `config:"geo"`
	Errors     string `config:"errors"`
	Tags       string `config:"tags"`

	Key        string   `config:"key"`
	KeyFile    string   `config:"key_file"`
	Passphrase string   `config:"passphrase"`
	SaltFile   string   `config:"salt_file"`
	OldKeys    []string `config:"old_keys,replace"`
}

const (
	inClear  = "clear"
	saltFile = Section + ".salt"
	filePart = "file:" // before the name of a file in old_keys
)

// modes are the words of the groups.
func (k *Privacy) modes() [event.NumGroups]*string {
	return [event.NumGroups]*string{
		event.Addresses: &k.Addresses, event.URIs: &k.URIs, event.Numbers: &k.Numbers, event.CallIDs: &k.CallIDs,
		event.UserAgents: &k.UserAgents, event.Geo: &k.Geo, event.Errors: &k.Errors, event.Tags: &k.Tags,
	}
}

// olderGroups are the older program's switches and what they stand for.
var olderGroups = map[string][]event.Group{
	"encrypt_ip_addresses": {event.Addresses},
	"encrypt_uris":         {event.URIs, event.Numbers},
	"encrypt_call_ids":     {event.CallIDs},
	"encrypt_ua":           {event.UserAgents},
}

// olderPassphrase is the older program's key for one.
const olderPassphrase = "encryption_passphrase"

// olderPrivacy is what an older configuration asks for.
type olderPrivacy struct {
	on         []string // of olderGroups
	passphrase string
}

// notePrivacy notes an older key that asks for privacy, and warns of how it is taken;
// false where it asks for none.
func (c *Config) notePrivacy(section *conf.C, key string, older OlderKey) bool {
	switch {
	case older.switches() && !isOff(section, key):
		c.older.on = append(c.older.on, key)
	case key == olderPassphrase:
		text, err := section.String(key, -1)
		if err != nil || text == "" {
			return false
		}
		c.older.passphrase = text
	default:
		return false
	}
	c.Warnings = append(c.Warnings, fmt.Sprintf("%s.%s: %s", Section, key, older.Advice()))
	return true
}

// takeOlderPrivacy takes what an older configuration asks for as if it were written in
// today's keys. known are the keys that are set.
func (c *Config) takeOlderPrivacy(known map[string]bool) error {
	k := &c.Keys.Privacy
	for _, key := range c.older.on {
		for _, g := range olderGroups[key] {
			name, word := "privacy."+g.String(), k.modes()[g]
			if *word != inClear {
				continue
			}
			if known[name] {
				return fmt.Errorf("%s.%s: true and %s: clear contradict each other; allowed: one of them", Section, key, name)
			}
			*word = privacy.Encrypt.String()
		}
	}
	private := false
	for _, word := range k.modes() {
		private = private || word != nil && *word != inClear
	}
	if private && k.Key == "" && k.KeyFile == "" && k.Passphrase == "" {
		k.Passphrase = c.older.passphrase
	}
	return nil
}

// composePrivacy reads modes and keys, but for what is made of a passphrase.
func (c *Config) composePrivacy() (err error) {
	k := &c.Keys.Privacy
	p := privacy.Config{}
	for g, word := range k.modes() {
		if word == nil {
			continue
		}
		m, ok := privacy.ParseMode(*word)
		if !ok || !privacy.Allowed(event.Group(g), m) {
			row, _ := find("privacy." + event.Group(g).String())
			return refuse(row.Name, quote(*word), row.Allowed)
		}
		p.Modes[g] = m
	}
	var set []string
	for _, one := range []struct{ name, text string }{{"key", k.Key}, {"key_file", k.KeyFile}, {"passphrase", k.Passphrase}} {
		if one.text != "" {
			set = append(set, Section+".privacy."+one.name)
		}
	}
	if len(set) > 1 {
		return fmt.Errorf("%s: several keys are set; allowed: one of them, and those of before in privacy.old_keys", strings.Join(set, ", "))
	}
	switch {
	case k.Key != "":
		if p.Key, err = privacy.ReadKey(k.Key); err != nil {
			return refuseKey("key", err)
		}
	case k.KeyFile != "":
		if p.Key, err = privacy.KeyFile(k.KeyFile); err != nil {
			return refuseKey("key_file", err)
		}
	case k.Passphrase != "" && len(k.Passphrase) < privacy.MinPassphrase:
		return fmt.Errorf("%s.privacy.passphrase: it has %d bytes; allowed: %d and more", Section, len(k.Passphrase), privacy.MinPassphrase)
	}
	if k.OldKeys, err = list("privacy.old_keys", k.OldKeys, true); err != nil {
		return err
	}
	for _, text := range k.OldKeys {
		read := privacy.ReadKey
		if path, ok := strings.CutPrefix(text, filePart); ok {
			text, read = path, privacy.KeyFile
		}
		old, err := read(text)
		if err != nil {
			return refuseKey("old_keys", err)
		}
		p.OldKeys = append(p.OldKeys, old)
	}
	c.Privacy = p
	return nil
}

// refuseKey never shows the key.
func refuseKey(name string, err error) error {
	row, _ := find("privacy." + name)
	return fmt.Errorf("%s.privacy.%s: %w; allowed: %s", Section, name, err, row.Allowed)
}

// Private names the groups that are not clear.
func (c *Config) Private() (groups []string) {
	for g, m := range c.Privacy.Modes {
		if m != privacy.Clear {
			groups = append(groups, event.Group(g).String())
		}
	}
	return groups
}

// validatePrivacy refuses what would leave in clear without a word, or never be read
// again.
func (c *Config) validatePrivacy() error {
	groups := c.Private()
	if len(groups) == 0 {
		return nil
	}
	first := "privacy." + groups[0]
	if c.Privacy.Key == (privacy.Key{}) && c.Keys.Privacy.Passphrase == "" {
		return fmt.Errorf("%s.%s: %s needs a key, and none is set; allowed: with privacy.key, privacy.key_file or privacy.passphrase (sipcmbeat keys new makes a key)",
			Section, first, c.text(first))
	}
	if c.Dump.Dir != "" && c.Keys.PcapDump.Clear == nil {
		return fmt.Errorf("%s.pcap_dump.dir: messages would be written in clear while %s is private; allowed: with pcap_dump.clear: false (masked), or true where that is meant",
			Section, first)
	}
	if len(c.Relay.Targets) > 0 && c.HEPOutput.Clear == nil {
		return fmt.Errorf("%s.hep_output.targets: messages would be sent in clear while %s is private; allowed: with hep_output.clear: false (masked), or true where that is meant",
			Section, first)
	}
	return nil
}

// PrivacyKeys gives the key, and those of before. within says where the file of the salt
// is, which is made where it is missing.
func (c *Config) PrivacyKeys(within func(name string) string) (key privacy.Key, old []privacy.Key, err error) {
	k := &c.Keys.Privacy
	if key = c.Privacy.Key; key == (privacy.Key{}) && k.Passphrase != "" {
		if key, err = privacy.Passphrase(k.Passphrase, within(k.SaltFile)); err != nil {
			return key, nil, fmt.Errorf("%s.privacy.salt_file: %w; allowed: a file that can be made, and that others can not read", Section, err)
		}
	}
	return key, c.Privacy.OldKeys, nil
}

// Sealer makes what masks records; nil where nothing is private.
func (c *Config) Sealer(within func(name string) string) (*privacy.Sealer, error) {
	if len(c.Private()) == 0 {
		return nil, nil
	}
	p := c.Privacy
	var err error
	if p.Key, p.OldKeys, err = c.PrivacyKeys(within); err != nil {
		return nil, err
	}
	s, err := privacy.New(p)
	if err != nil {
		return nil, fmt.Errorf("%s.privacy: %w", Section, err)
	}
	return s, nil
}

// Mode is the word of a group.
func (c *Config) Mode(group string) string { return c.text("privacy." + group) }
