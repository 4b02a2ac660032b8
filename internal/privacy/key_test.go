package privacy

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestReadKey(t *testing.T) {
	k := NewKey()
	url := base64.URLEncoding.EncodeToString(k[:])
	for _, text := range []string{
		k.Text(), k.Text() + "\n", " " + strings.TrimRight(k.Text(), "="), url, strings.TrimRight(url, "="),
		hex.EncodeToString(k[:]), strings.ToUpper(hex.EncodeToString(k[:])),
	} {
		if got, err := ReadKey(text); err != nil || got != k {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestReadKeyRefused(t *testing.T) {
	long := strings.Repeat("c2VjcmV0", 6)
	for text, want := range map[string]string{
		"":                                    "the key is empty",
		" \n":                                 "the key is empty",
		"c2VjcmV0":                            "has 6 bytes instead of 32",
		long:                                  "has 36 bytes instead of 32",
		strings.Repeat("0123456789abcdef", 2): "has 24 bytes instead of 32",
		"correct horse battery staple":        "neither base64 nor hexadecimal",
		strings.Repeat("00", 32):              "one byte repeated",
		strings.Repeat("ab", 32):              "one byte repeated",
		strings.Repeat("a", 42) + "b":         "neither base64", // bits behind the last byte
	} {
		_, err := ReadKey(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		if err != nil && len(text) > 5 && strings.Contains(err.Error(), strings.TrimSpace(text)) {
			t.Errorf("the error quotes the key: %v", err)
		}
	}
}

// TestKeyIsSilent: a key that lands in a log or an error says its name only.
func TestKeyIsSilent(t *testing.T) {
	k := NewKey()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		out := fmt.Sprintf(verb, k)
		if strings.Contains(out, k.Text()) || strings.Contains(out, hex.EncodeToString(k[:])) || strings.Contains(out, fmt.Sprint([]byte(k[:]))) {
			t.Errorf("%s writes %s", verb, out)
		}
	}
	if out := fmt.Sprintf("%+v", Config{Key: k, OldKeys: []Key{k}}); strings.Count(out, k.ID()) != 2 {
		t.Errorf("a configuration writes %s", out)
	}
}

func write(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestKeyFile(t *testing.T) {
	k := NewKey()
	for _, mode := range []os.FileMode{0o600, 0o400} {
		if got, err := KeyFile(write(t, k.Text()+"\n", mode)); err != nil || got != k {
			t.Errorf("%#o: %v", mode, err)
		}
	}
}

func TestKeyFileRefused(t *testing.T) {
	k := NewKey()
	for _, c := range []struct{ path, want string }{
		{write(t, k.Text(), 0o640), "its mode 0640 lets others at it; chmod 600 it"},
		{write(t, k.Text(), 0o604), "its mode 0604"},
		{write(t, k.Text(), 0o620), "its mode 0620"},
		{write(t, "c2VjcmV0", 0o600), "has 6 bytes instead of 32"},
		{write(t, strings.Repeat(" ", 2000), 0o600), "larger than 1024 bytes"},
		{t.TempDir(), "is not a file"},
		{os.DevNull, "is not a file"},
		{filepath.Join(t.TempDir(), "none"), "no such file"},
	} {
		if _, err := KeyFile(c.path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// TestPassphrase: the salt is made once, for its owner alone, whoever comes first.
func TestPassphrase(t *testing.T) {
	const phrase = "correct horse battery staple"
	path := filepath.Join(t.TempDir(), "salt")
	keys := make([]Key, 3)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			var err error
			if keys[i], err = Passphrase(phrase, path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if keys[0] != keys[1] || keys[1] != keys[2] || keys[0] == (Key{}) {
		t.Error("one passphrase and one salt make several keys")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("salt: %v, %v", info, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".salt-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if other, err := Passphrase(phrase, filepath.Join(t.TempDir(), "salt")); err != nil || other == keys[0] {
		t.Errorf("another salt makes the same key, %v", err)
	}
}

func TestPassphraseRefused(t *testing.T) {
	const phrase = "correct horse battery staple"
	for _, c := range []struct{ phrase, path, want string }{
		{"too short", filepath.Join(t.TempDir(), "salt"), "has 9 bytes: at least 16"},
		{phrase, write(t, "0011", 0o600), "is not 32 hexadecimal digits"},
		{phrase, write(t, strings.Repeat("00", 16), 0o644), "its mode 0644"},
		{phrase, filepath.Join(t.TempDir(), "none", "salt"), "no such file"},
	} {
		if _, err := Passphrase(c.phrase, c.path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
