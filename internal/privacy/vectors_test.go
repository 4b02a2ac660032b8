package privacy

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/tink-crypto/tink-go/v2/daead/subtle"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew: another format, which takes another version byte")

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestHKDF: RFC 5869 appendix A.1 and A.3, that the standard library does what we take it for.
func TestHKDF(t *testing.T) {
	for _, v := range []struct{ ikm, salt, info, okm string }{
		{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
			"3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
		{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
			"8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
	} {
		got, err := hkdf.Key(sha256.New, unhex(t, v.ikm), unhex(t, v.salt), string(unhex(t, v.info)), len(v.okm)/2)
		if err != nil || hex.EncodeToString(got) != v.okm {
			t.Errorf("got %x, %v, want %s", got, err, v.okm)
		}
	}
}

// TestAESSIV: known answers of AES-256-SIV with one string of associated data. RFC 5297
// itself has some for AES-128 alone; these are Wycheproof's, by their numbers in
// aes_siv_cmac_test.json. testdata/check.py holds RFC 5297 A.1 against the other
// implementation that checks our vectors.
func TestAESSIV(t *testing.T) {
	const counting = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
	for _, v := range []struct {
		id                 int
		key, ad, clear, ct string
	}{
		{314, "8af0e57998dd68b0f45b58e708405d0ad8269397249295fd336096e065db2bb1e4110d5507c04d73c150f6e7d87ced029ab38661f201ec77874e43953373b38a",
			"89f95250fb66b2cda70b8854", "9cab7bde926307386505", "c4deca5c53bcfa6208b337474212418541e44d0fbf2de7b48c6f"},
		{321, "eac96a89b8e0c928a85c91396346efe8287730595064554cd13574f8b340f541c5f0bb55e654e51b05e21ba007942cabab5ee1020922f0dd002196a39d7fda1d",
			"29d614f908593f6a5ab03cea", "0c22e4875dcd23de89a6d32f2082dd40e1848fc2", "bce886623d11320d22dfdc1defb04d17bd001d9370a3d8c83aabe4494d16ca75ce534f7c"},
		{326, counting, "000102030405060708090a0b0c0d0e0f", "bfa1733d07afa03cb3f2eeb81bbde037", "000000000000000000000000000000004ce637d6ca9cdf1c2feb0d140865cddb"},
		{328, counting, "000102030405060708090a0b0c0d0e0f", "404aa73280eb830afde284ba6b18d48a", "ffffffffffffffffffffffffffffffff0fae016c086fc20546b374c24f3ebad0"},
	} {
		siv, err := subtle.NewAESSIV(unhex(t, v.key))
		if err != nil {
			t.Fatal(err)
		}
		got, err := siv.EncryptDeterministically(unhex(t, v.clear), unhex(t, v.ad))
		if err != nil || hex.EncodeToString(got) != v.ct {
			t.Errorf("%d: got %x, %v, want %s", v.id, got, err, v.ct)
		}
	}
}

// vectors is what testdata/vectors.json holds: docs/privacy.md has its meaning.
type vectors struct {
	Key        string            `json:"key"`
	KeyID      string            `json:"key_id"`
	Passphrase passphraseCase    `json:"passphrase"`
	Addresses  []addressVector   `json:"addresses"`
	Values     []valueVector     `json:"values"`
	Digest     map[string]string `json:"digest"`
	Token      map[string]string `json:"token"`
}

type passphraseCase struct {
	Text string `json:"text"`
	Salt string `json:"salt"`
	Key  string `json:"key"`
}

type addressVector struct {
	Clear    string `json:"clear"`
	Encrypt  string `json:"encrypt"`
	HMAC     string `json:"hmac"`
	Truncate string `json:"truncate"`
}

type valueVector struct {
	Shape    string  `json:"shape"`
	Clear    string  `json:"clear,omitempty"`
	ClearHex string  `json:"clear_hex,omitempty"` // where it is no UTF-8
	Encrypt  string  `json:"encrypt"`
	HMAC     string  `json:"hmac"`
	Truncate *string `json:"truncate,omitempty"` // numbers; empty: left out
}

func (v *valueVector) bytes(t *testing.T) []byte {
	if v.ClearHex != "" {
		return unhex(t, v.ClearHex)
	}
	return []byte(v.Clear)
}

// TestVectors: the format is what the file says, so that what was sealed years ago opens.
func TestVectors(t *testing.T) {
	path := filepath.Join("testdata", "vectors.json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	key, err := ReadKey(v.Key)
	if err != nil {
		t.Fatal(err)
	}
	if key != testKey() {
		t.Fatal("another key than the tests'")
	}
	sealers := map[Mode]*Sealer{}
	for _, m := range []Mode{Encrypt, HMAC} {
		sealers[m] = newSealer(t, all(m))
	}
	modes := all(HMAC)
	modes[event.Addresses], modes[event.Numbers] = Truncate, Truncate
	sealers[Truncate] = newSealer(t, modes)

	v.KeyID = must(t, v.KeyID, key.ID())
	salt := filepath.Join(t.TempDir(), "salt")
	if err := os.WriteFile(salt, []byte(v.Passphrase.Salt), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := Passphrase(v.Passphrase.Text, salt)
	if err != nil {
		t.Fatal(err)
	}
	v.Passphrase.Key = must(t, v.Passphrase.Key, hex.EncodeToString(k[:]))
	for i := range v.Addresses {
		checkAddress(t, sealers, &v.Addresses[i])
	}
	for i := range v.Values {
		checkValue(t, sealers, &v.Values[i])
	}
	for in, want := range v.Digest {
		h := sealers[Encrypt].Digest(event.Hash(unhex(t, in)), event.Tags)
		v.Digest[in] = must(t, want, hex.EncodeToString(h[:]))
	}
	for in, want := range v.Token {
		v.Token[in] = must(t, want, string(sealers[Encrypt].Token(nil, []byte(in))))
	}
	if *update {
		out := new(bytes.Buffer)
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// must compares, unless the file is to be written anew.
func must(t *testing.T, want, got string) string {
	t.Helper()
	if got != want && !*update {
		t.Errorf("got %q, want %q", got, want)
	}
	return got
}

func checkAddress(t *testing.T, s map[Mode]*Sealer, v *addressVector) {
	t.Helper()
	a := netip.MustParseAddr(v.Clear)
	sealed := s[Encrypt].Addr(a)
	if back := s[Encrypt].OpenAddr(sealed); back != a.Unmap().WithZone("") {
		t.Errorf("%s becomes %s and opens to %s", a, sealed, back)
	}
	v.Encrypt = must(t, v.Encrypt, sealed.String())
	v.HMAC = must(t, v.HMAC, s[HMAC].Addr(a).String())
	v.Truncate = must(t, v.Truncate, s[Truncate].Addr(a).String())
}

func checkValue(t *testing.T, s map[Mode]*Sealer, v *valueVector) {
	t.Helper()
	var shape event.Shape
	for sh := range event.NumShapes {
		if labelNames[sh] == v.Shape {
			shape = sh
		}
	}
	b, g := v.bytes(t), groupOf[shape]
	sealed, _ := s[Encrypt].Append(nil, g, shape, b)
	clear, err := s[Encrypt].Open(nil, shape, []byte(must(t, v.Encrypt, string(sealed))))
	if err != nil || !bytes.Equal(clear, b) {
		t.Errorf("%s: %q opens to %q, %v", v.Shape, sealed, clear, err)
	}
	v.Encrypt = string(sealed)
	hashed, _ := s[HMAC].Append(nil, g, shape, b)
	v.HMAC = must(t, v.HMAC, string(hashed))
	if v.Truncate != nil {
		cut, _ := s[Truncate].Append(nil, g, shape, b)
		*v.Truncate = must(t, *v.Truncate, string(cut))
	}
}

// TestVectorsElsewhere: a program that shares nothing with this one reads the vectors by
// docs/privacy.md.
func TestVectorsElsewhere(t *testing.T) {
	if err := exec.Command("/usr/bin/python3", "-c", "from cryptography.hazmat.primitives.ciphers.aead import AESSIV").Run(); err != nil {
		t.Skip("no Python with AES-SIV here: python3-cryptography, of Debian 12 or newer")
	}
	out, err := exec.Command("/usr/bin/python3", filepath.Join("testdata", "check.py"), filepath.Join("testdata", "vectors.json")).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
