package cmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/elastic/beats/v7/libbeat/cmd/instance"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/keystore"
	"github.com/elastic/elastic-agent-libs/paths"

	"github.com/sipcmbeat/sipcmbeat/config"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
)

// keystoreOf gives the keystore that run would open, and makes path.data known; nil where
// there is none. It is not asked for before something needs it: path.data is made then.
func keystoreOf(all *conf.C) func() keystore.Keystore {
	return sync.OnceValue(func() keystore.Keystore {
		if instance.InitPaths(all) != nil {
			return nil
		}
		store, err := instance.LoadKeystore(all, config.Section, paths.Paths)
		if err != nil {
			return nil // what is missing is told by the key that asks for it
		}
		return store
	})
}

// inData resolves names of files within path.data of a configuration that -c names, else
// within the working directory.
func inData(c *cobra.Command) func(name string) string {
	if f := c.Flags().Lookup("c"); f == nil || !f.Changed {
		return filepath.Clean
	}
	return func(name string) string {
		if all, err := loaded(); err != nil || instance.InitPaths(all) != nil {
			return name
		}
		return paths.Resolve(paths.Data, name)
	}
}

// keyFlags are the keys that a command line names.
type keyFlags struct {
	texts, names, files, phrases []string
	salt                         string
}

func (k *keyFlags) add(f *pflag.FlagSet) {
	f.StringArrayVar(&k.files, "key-file", nil, "a file that has the key (repeatable)")
	f.StringArrayVar(&k.names, "key-env", nil, "the name of a variable of the environment, or of a secret of the keystore, that has it (repeatable)")
	f.StringArrayVar(&k.texts, "key", nil, "the key itself, which other users can see in the list of processes, or '${NAME}' as --key-env NAME (repeatable)")
	f.StringArrayVar(&k.phrases, "passphrase-file", nil, "a file that has the passphrase; with --salt-file (repeatable)")
	f.StringVar(&k.salt, "salt-file", "", "the file of the salt that goes with the passphrase")
}

func (k *keyFlags) any() bool {
	return len(k.texts)+len(k.names)+len(k.files)+len(k.phrases) > 0
}

// named is a key and where it came from.
type named struct {
	from string
	key  privacy.Key
}

// read gives the keys. No error shows one.
func (k *keyFlags) read() (keys []named, err error) {
	for _, kind := range []struct {
		flag  string
		items []string
		read  func(item string) (privacy.Key, error)
	}{
		{"--key-file", k.files, privacy.KeyFile},
		{"--key-env", k.names, secretKey},
		{"--key", k.texts, textKey},
		{"--passphrase-file", k.phrases, k.phrase},
	} {
		for _, item := range kind.items {
			from := kind.flag
			if kind.flag != "--key" {
				from += " " + item
			}
			key, err := kind.read(item)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", from, err)
			}
			keys = append(keys, named{from, key})
		}
	}
	return keys, nil
}

// textKey reads a key, or what ${NAME} stands for.
func textKey(text string) (privacy.Key, error) {
	if name, ok := strings.CutPrefix(text, "${"); ok && strings.HasSuffix(name, "}") {
		return secretKey(name[:len(name)-1])
	}
	return privacy.ReadKey(text)
}

// secretKey reads a key from the keystore or the environment.
func secretKey(name string) (privacy.Key, error) {
	c, err := conf.NewConfigFrom(map[string]any{"key": "${" + name + "}"})
	if err != nil {
		return privacy.Key{}, errors.New("it is no name; allowed: that of a variable of the environment, or of a secret of the keystore")
	}
	text, err := c.String("key", -1)
	if err != nil {
		return privacy.Key{}, errors.New("it is not set, neither in the environment nor in the keystore")
	}
	return privacy.ReadKey(text)
}

// phrase makes the key of a passphrase. A salt is never made here: it would open nothing.
func (k *keyFlags) phrase(file string) (privacy.Key, error) {
	if k.salt == "" {
		return privacy.Key{}, errors.New("--salt-file is not given")
	}
	if _, err := os.Stat(k.salt); err != nil {
		return privacy.Key{}, fmt.Errorf("read the salt: %w", err)
	}
	text, err := privacy.ReadPassphrase(file)
	if err != nil {
		return privacy.Key{}, err
	}
	return privacy.Passphrase(text, k.salt)
}

// configKeys gives the keys of a configuration.
func configKeys(cfg *config.Config, within func(name string) string) ([]named, error) {
	if salt := within(cfg.Keys.Privacy.SaltFile); cfg.Keys.Privacy.Passphrase != "" {
		if _, err := os.Stat(salt); err != nil {
			return nil, fmt.Errorf("%s.privacy.salt_file: %w", config.Section, err)
		}
	}
	key, old, err := cfg.PrivacyKeys(within)
	if err != nil {
		return nil, err
	}
	var keys []named
	if key != (privacy.Key{}) {
		keys = append(keys, named{config.Section + ".privacy", key})
	}
	for _, key := range old {
		keys = append(keys, named{config.Section + ".privacy.old_keys", key})
	}
	return keys, nil
}

// all gives the keys of the command line and of the configuration of -c and -E.
func (k *keyFlags) all(c *cobra.Command) ([]named, error) {
	section, err := userSection(c)
	if err != nil {
		return nil, err
	}
	keys, err := k.read()
	if err != nil || section == nil {
		return keys, err
	}
	cfg, err := config.New(section)
	if err != nil {
		return nil, err
	}
	more, err := configKeys(cfg, inData(c))
	return append(keys, more...), err
}
