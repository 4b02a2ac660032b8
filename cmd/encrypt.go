package cmd

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sipcmbeat/sipcmbeat/config"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
)

// newEncrypt is the command that says what to search masked records for.
func newEncrypt() *cobra.Command {
	var keys keyFlags
	c := &cobra.Command{
		Use:   "encrypt FIELD=VALUE...",
		Short: "Tell what stands in masked records for a clear value",
		Long: `Writes what a field has in records that privacy has masked where it would have a value
in clear, one a line, so that they can be searched for: an address, a network, a user, a
URI, a number. A user or a host is masked alike in all fields that hold one; an address
in all fields for addresses.

With -c and -E each group is masked as that configuration says, by its key. With a key
alone (--key-file, --key-env, --passphrase-file) every group counts as encrypted.

Exit status: 0, 1 when a value can not be masked (one line says why), 2 when the command
line is wrong.`,
		Example: `  sipcmbeat encrypt --key-file privacy.key source.ip=192.0.2.0/24
  sipcmbeat encrypt -c sipcmbeat.yml user.name=alice sip.number.caller.token=+4930123456`,
	}
	keys.add(c.Flags())
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usageError{errors.New("encrypt: no value is given; FIELD=VALUE, as source.ip=192.0.2.1")}
		}
		s, err := sealerOf(c, &keys)
		if err != nil {
			return err
		}
		out := bufio.NewWriter(os.Stdout)
		for _, arg := range args {
			field, value, ok := strings.Cut(arg, "=")
			if !ok {
				return usageError{fmt.Errorf("encrypt: %.200q is not allowed; allowed: FIELD=VALUE, as source.ip=192.0.2.1", arg)}
			}
			masked, err := s.Field(nil, field, []byte(value))
			if err != nil {
				return fmt.Errorf("encrypt: %w", err)
			}
			out.Write(append(masked, '\n')) // its error sticks
		}
		if err := out.Flush(); err != nil {
			return fmt.Errorf("write standard output: %w", err)
		}
		return nil
	}
	return c
}

// sealerOf masks by the key of the command line, else by the configuration.
func sealerOf(c *cobra.Command, flags *keyFlags) (*privacy.Sealer, error) {
	section, err := userSection(c)
	if err != nil {
		return nil, err
	}
	given, err := flags.read()
	if err != nil {
		return nil, err
	}
	if len(given) > 1 {
		return nil, usageError{errors.New("encrypt: more than one key is given; allowed: the one that the records were masked with")}
	}
	var s *privacy.Sealer
	if section != nil {
		cfg, err := config.New(section)
		if err != nil {
			return nil, err
		}
		if s, err = cfg.Sealer(inData(c)); err != nil {
			return nil, err
		}
	}
	if len(given) == 0 {
		if s == nil {
			return nil, usageError{errors.New("encrypt: nothing is private: no key is given; --key-file FILE, --key-env NAME, --passphrase-file FILE, or -c with a configuration that masks something")}
		}
		return s, nil
	}
	cfg := privacy.Config{Key: given[0].key}
	if s != nil {
		cfg.Modes = s.Modes()
	} else {
		for g := event.Public + 1; g < event.NumGroups; g++ {
			cfg.Modes[g] = privacy.Encrypt
		}
	}
	return privacy.New(cfg)
}
