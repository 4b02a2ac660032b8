package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
)

const (
	keyOne = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	keyTwo = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA"
)

// within resolves names in a directory of the test.
func within(t *testing.T) func(string) string {
	dir := t.TempDir()
	return func(name string) string { return filepath.Join(dir, name) }
}

func sealerOf(t *testing.T, c *Config, at func(string) string) *privacy.Sealer {
	t.Helper()
	s, err := c.Sealer(at)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Each group is taken from its key, and by a reload too.
func TestPrivacyGroups(t *testing.T) {
	before := mustLoad(t, "")
	if sealerOf(t, before, within(t)) != nil {
		t.Error("something masks where nothing is private")
	}
	for g := event.Public + 1; g < event.NumGroups; g++ {
		next := mustLoad(t, "sipcmbeat.privacy: {"+g.String()+": redact, key: "+keyOne+"}")
		merged, changed, restart, err := before.Take(next)
		if err != nil || len(restart) > 0 || !slices.Contains(changed, "privacy."+g.String()) {
			t.Fatalf("%s: %q, %q, %v", g, changed, restart, err)
		}
		s := sealerOf(t, merged, within(t))
		for of := event.Public; of < event.NumGroups; of++ {
			if want := of == g || of == event.Errors; s.Private(of) != want {
				t.Errorf("privacy.%s: %s is private: %v", g, of, !want)
			}
		}
		if l := s.Label(); l == nil || !slices.Contains(l.Fields, g.String()+":redact") || l.KeyID != before.keyID(t, keyOne) {
			t.Errorf("%s: %+v", g, l)
		}
	}
}

func (c *Config) keyID(t *testing.T, text string) string {
	t.Helper()
	k, err := privacy.ReadKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k.ID()
}

// A file is read again by a reload, also where its name has not changed.
func TestPrivacyKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	write := func(key string) *Config {
		t.Helper()
		if err := os.WriteFile(path, []byte(key+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return mustLoad(t, "sipcmbeat.privacy: {uris: encrypt, key_file: "+path+"}")
	}
	before := write(keyOne)
	next := write(keyTwo)
	merged, changed, restart, err := before.Take(next)
	if err != nil || !slices.Equal(changed, []string{"privacy.key_file"}) || len(restart) > 0 {
		t.Fatal(changed, restart, err)
	}
	if got := sealerOf(t, merged, within(t)).KeyID(); got != before.keyID(t, keyTwo) {
		t.Errorf("masked by %s", got)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := load(t, "sipcmbeat.privacy.key_file: "+path); err == nil || !strings.Contains(err.Error(), "0640") {
		t.Errorf("what others can read is taken: %v", err)
	}
}

// A passphrase gives the same key wherever the salt is the same, and no other salt.
func TestPrivacyPassphrase(t *testing.T) {
	c := mustLoad(t, "sipcmbeat.privacy: {uris: encrypt, passphrase: correct horse battery}")
	here, there := within(t), within(t)
	one, again, other := sealerOf(t, c, here), sealerOf(t, c, here), sealerOf(t, c, there)
	if one.KeyID() != again.KeyID() || one.KeyID() == other.KeyID() {
		t.Errorf("keys %s, %s; with another salt %s", one.KeyID(), again.KeyID(), other.KeyID())
	}
	if err := os.Chmod(here(c.Keys.Privacy.SaltFile), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Sealer(here); err == nil || !strings.Contains(err.Error(), "privacy.salt_file") {
		t.Errorf("a salt that others can read is taken: %v", err)
	}
}

// Keys of before open what they sealed; one may stand in a file.
func TestPrivacyOldKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "old")
	if err := os.WriteFile(path, []byte(keyOne), 0o600); err != nil {
		t.Fatal(err)
	}
	before := sealerOf(t, mustLoad(t, "sipcmbeat.privacy: {tags: encrypt, key: "+keyOne+"}"), within(t))
	after := sealerOf(t, mustLoad(t, "sipcmbeat.privacy: {tags: encrypt, key: "+keyTwo+", old_keys: [\"file:"+path+"\"]}"), within(t))
	sealed, _ := before.Append(nil, event.Tags, event.Tag, []byte("abc"))
	if got, err := after.Open(nil, event.Tag, sealed); err != nil || string(got) != "abc" {
		t.Errorf("%q, %v", got, err)
	}
}

// No refusal shows a key.
func TestPrivacyRefusalsHideTheKey(t *testing.T) {
	const secret = "hunter2hunter2hunter2"
	for _, text := range []string{"key: " + secret, "old_keys: [" + secret + "]", "key: [" + secret + ", x]", "{uris: x, passphrase: " + secret + "}",
		"{passphrase: hunter2}", "{key: " + keyOne + ", passphrase: " + secret + "}"} {
		if !strings.HasPrefix(text, "{") {
			text = "{" + text + "}"
		}
		if _, err := load(t, "sipcmbeat.privacy: "+text); err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), keyOne) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
