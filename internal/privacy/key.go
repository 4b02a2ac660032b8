package privacy

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// NewKey makes a key that nobody can guess.
func NewKey() (k Key) {
	rand.Read(k[:]) // never fails: crypto/rand ends the program instead
	return k
}

// Text is the key as ReadKey takes it: base64.
func (k Key) Text() string { return base64.StdEncoding.EncodeToString(k[:]) }

// String names the key without giving it away, in whatever log it may land.
func (k Key) String() string { return "key " + k.ID() }

// GoString is String: %#v shall give nothing away either.
func (k Key) GoString() string { return k.String() }

// ID names the key: 16 hexadecimal digits that follow from it and lead nowhere.
func (k Key) ID() string { return hex.EncodeToString(k.derive("id", 8)) }

// labels go before every label of a sub-key: HKDF's info parameter.
const labels = "sipcmbeat privacy 1 "

// derive is HKDF-SHA-256 (RFC 5869) without salt: the key is uniform already.
func (k Key) derive(label string, n int) []byte {
	b, err := hkdf.Key(sha256.New, k[:], nil, labels+label, n)
	if err != nil { // n is a constant of ours, far below 255 hashes
		panic("derive " + label + ": " + err.Error())
	}
	return b
}

// ReadKey reads a key of 32 bytes, written as 64 hexadecimal digits or as base64 in either
// alphabet, with or without padding; white space around it is no part of it. No error
// quotes the text.
func ReadKey(text string) (Key, error) {
	b := bytes.TrimSpace([]byte(text))
	if len(b) == 0 {
		return Key{}, errors.New("the key is empty: 32 bytes are needed, as base64 or hexadecimal")
	}
	raw, err := hex.DecodeString(string(b))
	if err != nil || len(raw) != len(Key{}) {
		plain := strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(string(b)), "=")
		if raw, err = base64.RawStdEncoding.Strict().DecodeString(plain); err != nil {
			return Key{}, errors.New("the key is neither base64 nor hexadecimal")
		}
	}
	if len(raw) != len(Key{}) {
		return Key{}, fmt.Errorf("the key has %d bytes instead of 32", len(raw))
	}
	k := Key(raw)
	if k == (Key{}) || bytes.Count(raw, raw[:1]) == len(raw) {
		return Key{}, errors.New("the key is one byte repeated: it takes 32 random ones")
	}
	return k, nil
}

// maxKeyFile is more than any key with remarks of an editor around it takes, in bytes.
const maxKeyFile = 1024

// KeyFile reads a key from a file that nobody but its owner may read.
func KeyFile(path string) (Key, error) {
	b, err := secretFile(path, maxKeyFile)
	if err != nil {
		return Key{}, err
	}
	k, err := ReadKey(string(b))
	if err != nil {
		return Key{}, fmt.Errorf("read key file %q: %w", path, err)
	}
	return k, nil
}

// secretFile reads a small file, and refuses what is none, and what others may read. It
// looks before it opens: the opening of a pipe waits for its writer.
func secretFile(path string, limit int64) ([]byte, error) {
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %q: it is not a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return nil, fmt.Errorf("read %q: its mode %#o lets others at it; chmod 600 it", path, perm)
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("read %q: it is larger than %d bytes, which no key is", path, limit)
	}
	return b, err
}
