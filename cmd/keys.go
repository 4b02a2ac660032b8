package cmd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	conf "github.com/elastic/elastic-agent-libs/config"

	"github.com/sipcmbeat/sipcmbeat/config"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
)

// newKeys is the command about the keys of privacy.
func newKeys() *cobra.Command {
	c := &cobra.Command{
		Use:   "keys",
		Short: "Make and check keys for privacy",
		Long: `Makes keys of 32 random bytes for sipcmbeat.privacy, tells their ids, and checks where
they are kept. docs/privacy.md tells more.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return usageError{errors.New("keys: new, id or check; sipcmbeat help keys tells more")}
		},
	}
	c.AddCommand(newKeysNew(), newKeysID(), newKeysCheck())
	return c
}

func newKeysNew() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "new",
		Short: "Make a key and print it, or write it into a file",
		Long: `Prints a new key; with --out it is written into a new file that its owner alone can
read, and its id is printed. Keep a copy in a safe place: what is encrypted with a key
that is lost is lost.`,
		Example: `  sipcmbeat keys new --out /etc/sipcmbeat/privacy.key
  sipcmbeat keys new | sipcmbeat keystore add --stdin PRIVACY_KEY`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			key := privacy.NewKey()
			if file == "" {
				fmt.Fprintln(c.OutOrStdout(), key.Text())
				return nil
			}
			if err := writeKey(file, key); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), key.ID())
			return nil
		},
	}
	c.Flags().StringVar(&file, "out", "", "the file, which must not be there yet")
	return c
}

// writeKey never takes the place of a key that is there.
func writeKey(path string, key privacy.Key) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, key.Text())
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(path)
	}
	return err
}

func newKeysID() *cobra.Command {
	var k keyFlags
	c := &cobra.Command{
		Use:   "id",
		Short: "Print the ids of keys",
		Long: `Prints the id of each key, as sipcmbeat.privacy.key_id has it, and where the key comes
from. Without a key among the flags it asks the configuration of -c and -E.`,
		Example: `  sipcmbeat keys id --key-file privacy.key
  sipcmbeat keys id -c sipcmbeat.yml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			keys, err := k.all(c)
			if err != nil {
				return err
			}
			if len(keys) == 0 {
				return usageError{errors.New("keys id: no key is given; --key-file FILE, --key-env NAME, or -c with a configuration that has one")}
			}
			for _, key := range keys {
				fmt.Fprintf(c.OutOrStdout(), "%s  %s\n", key.key.ID(), key.from)
			}
			return nil
		},
	}
	k.add(c.Flags())
	return c
}

func newKeysCheck() *cobra.Command {
	var k keyFlags
	c := &cobra.Command{
		Use:   "check",
		Short: "Check keys, and what a configuration does with them",
		Long: `Checks that each key can be read, that others can not read its file, and that it is long
enough; of the configuration of -c and -E also which groups it masks, and how.

Exit status: 0, 1 when something is wrong.`,
		Example: `  sipcmbeat keys check -c sipcmbeat.yml`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			section, err := userSection(c)
			if err != nil {
				return err
			}
			if section == nil && !k.any() {
				if f := c.Flags().Lookup("c"); f == nil || !f.Changed {
					return usageError{errors.New("keys check: nothing to check is given; --key-file FILE, or -c with a configuration")}
				}
				section = conf.NewConfig() // one that says nothing of this program
			}
			keys, err := k.read()
			if err != nil {
				return err
			}
			if section != nil {
				cfg, err := config.New(section)
				if err != nil {
					return err
				}
				more, err := checkConfig(c.OutOrStdout(), cfg, inData(c))
				if err != nil {
					return err
				}
				keys = append(keys, more...)
			}
			for _, key := range keys {
				fmt.Fprintf(c.OutOrStdout(), "ok  %s  %s\n", key.key.ID(), key.from)
			}
			return nil
		},
	}
	k.add(c.Flags())
	return c
}

// checkConfig tells what is private.
func checkConfig(out io.Writer, cfg *config.Config, within func(name string) string) ([]named, error) {
	var groups []string
	for _, g := range cfg.Private() {
		groups = append(groups, g+" "+cfg.Mode(g))
	}
	if len(groups) == 0 {
		fmt.Fprintln(out, "nothing is private: every group is clear")
	} else {
		fmt.Fprintf(out, "private: %s\n", strings.Join(groups, ", "))
	}
	return configKeys(cfg, within)
}
