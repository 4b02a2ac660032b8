package privacy

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The parameters of argon2id: the second recommended set of RFC 9106 §4, for where 2 GiB
// are too much. They are part of the format: other ones make another key.
const (
	argonPasses  = 3
	argonMemory  = 64 << 10 // KiB
	argonLanes   = 4
	saltBytes    = 16
	maxSaltFile  = 256
	saltFileMode = 0o600
)

// MinPassphrase is the least length of a passphrase, in bytes.
const MinPassphrase = 16

// ReadPassphrase reads a passphrase from a file that nobody but its owner may read. The
// end of its line is no part of it.
func ReadPassphrase(path string) (string, error) {
	b, err := secretFile(path, maxKeyFile)
	return strings.TrimRight(string(b), "\r\n"), err
}

// Passphrase makes a key of a passphrase by argon2id (RFC 9106), with the salt that is
// stored in a file. Where there is no such file, one is made that its owner alone may
// read. Who loses the salt has lost the key.
func Passphrase(text, saltPath string) (Key, error) {
	if len(text) < MinPassphrase {
		return Key{}, fmt.Errorf("the passphrase has %d bytes: at least %d are needed", len(text), MinPassphrase)
	}
	salt, err := readSalt(saltPath)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeSalt(saltPath); err == nil || errors.Is(err, fs.ErrExist) {
			salt, err = readSalt(saltPath)
		}
	}
	if err != nil {
		return Key{}, err
	}
	return Key(argon2.IDKey([]byte(text), salt, argonPasses, argonMemory, argonLanes, uint32(len(Key{})))), nil
}

func readSalt(path string) ([]byte, error) {
	b, err := secretFile(path, maxSaltFile)
	if err != nil {
		return nil, err
	}
	salt, err := hex.DecodeString(strings.TrimSpace(string(b)))
	if err != nil || len(salt) != saltBytes {
		return nil, fmt.Errorf("read salt %q: it is not %d hexadecimal digits", path, 2*saltBytes)
	}
	return salt, nil
}

// makeSalt stores a new salt. The file appears whole or not at all, and never takes the
// place of one that somebody else has just made.
func makeSalt(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".salt-*") // of mode 0600
	if err != nil {
		return fmt.Errorf("make salt: %w", err)
	}
	defer os.Remove(f.Name())
	var salt [saltBytes]byte
	rand.Read(salt[:])
	_, err = fmt.Fprintln(f, hex.EncodeToString(salt[:]))
	err = errors.Join(err, f.Chmod(saltFileMode), f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("make salt: %w", err)
	}
	return os.Link(f.Name(), path)
}
