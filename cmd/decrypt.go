package cmd

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"syscall"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
)

// decrypt is one run of the command.
type decrypt struct {
	keys   keyFlags
	ips    []string
	keyID  string
	reader *privacy.Reader
	stdin  io.Reader
	out    *bufio.Writer
	stderr io.Writer
	plain  bool // output is a terminal, which opened values must not reach as they are

	told    int            // lines about records that do not open
	missing map[string]int // records by the key that they need
	wrong   int            // records that are left out
	record  []byte         // the last one, opened
	did     privacy.Opened
}

// maxTold is how many records that do not open are told of one by one.
const maxTold = 10

func newDecrypt() *cobra.Command {
	d := decrypt{stdin: os.Stdin, stderr: os.Stderr}
	c := &cobra.Command{
		Use:   "decrypt [FILE|VALUE]...",
		Short: "Read records and values back that privacy has encrypted",
		Long: `Reads records, one JSON object a line, from files or standard input, gzip or not, and
writes them as they would have been in clear: what is encrypted is opened, and
sipcmbeat.privacy taken out. Hits of Elasticsearch are opened too, and lines that are
single encrypted values. What was masked one way (hmac, truncate, redact, hashes) stays,
and is counted. docs/privacy.md tells more.

An argument that is no file is a single encrypted value, which is written in clear. An
address can be any address, so --ip says that it is an encrypted one. In the addresses of
a record, other than in texts, a change is not noticed.

The key comes from --key-file, --key-env or --passphrase-file, or from the configuration
of -c. Several may be given: each record says which one it needs.

Exit status: 0, 1 when something could not be opened (it is left out; one line each says
what and why), 2 when the command line is wrong.`,
		Example: `  sipcmbeat decrypt --key-file privacy.key events.ndjson
  sipcmbeat replay trace.pcap -c sipcmbeat.yml | sipcmbeat decrypt -c sipcmbeat.yml
  sipcmbeat decrypt --key-file privacy.key --ip 65.185.29.44`,
	}
	d.keys.add(c.Flags())
	c.Flags().StringArrayVar(&d.ips, "ip", nil, "an encrypted address (repeatable)")
	c.Flags().StringVar(&d.keyID, "key-id", "", "the id of the key of --ip, where several are given")
	c.RunE = func(c *cobra.Command, args []string) error {
		d.plain = isatty.IsTerminal(os.Stdout.Fd())
		d.out = bufio.NewWriterSize(os.Stdout, 1<<16)
		if len(args)+len(d.ips) == 0 {
			if isatty.IsTerminal(os.Stdin.Fd()) {
				return usageError{errors.New("decrypt: records are read from standard input, which is a terminal here; name a file, or a value")}
			}
			args = []string{"-"}
		}
		if err := d.open(c); err != nil {
			return err
		}
		return d.run(args)
	}
	return c
}

// open reads the keys.
func (d *decrypt) open(c *cobra.Command) error {
	keys, err := d.keys.all(c)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		return usageError{errors.New("decrypt: no key is given; --key-file FILE, --key-env NAME, --passphrase-file FILE, or -c with a configuration that has one")}
	}
	var others []privacy.Key
	for _, k := range keys[1:] {
		others = append(others, k.key)
	}
	d.reader, err = privacy.NewReader(keys[0].key, others...)
	return err
}

func (d *decrypt) run(args []string) error {
	d.missing = map[string]int{}
	for _, ip := range d.ips {
		d.address(ip)
	}
	for _, arg := range args {
		err := d.argument(arg)
		if err == nil {
			err = d.out.Flush()
		}
		if errors.Is(err, syscall.EPIPE) {
			return nil // who reads has seen enough
		}
		if err != nil {
			return err
		}
	}
	if err := d.out.Flush(); err != nil && !errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("write standard output: %w", err)
	}
	if d.did.OneWay > 0 {
		d.say(fmt.Sprintf("%d values of %d records are masked one way and stay as they are", d.did.OneWay, d.did.Records))
	}
	if d.wrong > 0 {
		if d.wrong > d.told {
			d.say(fmt.Sprintf("%d records in all could not be opened and are left out", d.wrong))
		}
		return errSaid
	}
	return nil
}

func (d *decrypt) say(text string) { fmt.Fprintf(d.stderr, "sipcmbeat: %s\n", text) }

// argument opens a file or a value.
func (d *decrypt) argument(arg string) error {
	if arg == "-" {
		return d.records("standard input", d.stdin)
	}
	f, err := os.Open(arg)
	if err == nil {
		defer f.Close()
		return d.records(arg, f)
	}
	if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ENAMETOOLONG) {
		return err
	}
	d.value("", arg)
	return nil
}

// value opens one value; where is the line that has it, empty for an argument.
func (d *decrypt) value(where, text string) {
	shown := string(appendPlain(nil, []byte(clip(text))))
	neither := "neither a file nor an encrypted value"
	if where != "" {
		shown, neither = where, "neither a record nor an encrypted value"
	}
	if _, err := netip.ParseAddr(text); err == nil {
		d.refuse(fmt.Sprintf("%s: an address does not say whether it is encrypted; --ip %s opens it", shown, text))
		return
	}
	got, _, err := d.reader.Value(nil, []byte(text))
	switch {
	case errors.Is(err, privacy.ErrNotSealed):
		d.refuse(fmt.Sprintf("%s: is %s", shown, neither))
	case err != nil:
		d.refuse(fmt.Sprintf("%s: %v", shown, err))
	default:
		d.write(got)
	}
}

// clip keeps a message readable whatever it quotes.
func clip(text string) string {
	if len(text) > 200 {
		return text[:200] + "..."
	}
	return text
}

func (d *decrypt) address(text string) {
	a, err := netip.ParseAddr(text)
	if err == nil {
		a, err = d.reader.Addr(a, d.keyID)
	}
	if err != nil {
		d.refuse(fmt.Sprintf("--ip %s: %v", text, err))
		return
	}
	d.write([]byte(a.String()))
}

func (d *decrypt) write(value []byte) {
	if d.plain {
		value = appendPlain(nil, value)
	}
	d.out.Write(append(value, '\n')) // its error sticks
}

// refuse says why something is left out.
func (d *decrypt) refuse(text string) {
	if d.wrong++; d.told < maxTold {
		d.told++
		d.say(text)
	}
}

// maxRecord is the longest line that is read, in bytes.
const maxRecord = 64 << 20

// records opens lines, gzip or not.
func (d *decrypt) records(from string, in io.Reader) error {
	lines := bufio.NewReaderSize(in, 1<<16)
	if magic, _ := lines.Peek(2); string(magic) == "\x1f\x8b" {
		z, err := gzip.NewReader(lines)
		if err != nil {
			return fmt.Errorf("read %s: %w", from, err)
		}
		lines = bufio.NewReaderSize(z, 1<<16)
	}
	var line []byte
	for n := 1; ; n++ {
		var long bool
		var end error
		line, long, end = readLine(lines, line[:0])
		if end != nil && end != io.EOF { // half a line is no record
			return fmt.Errorf("read %s: %w", from, end)
		}
		if t := string(bytes.TrimSpace(line)); n == 1 && (t == "{" || t == "[") {
			d.refuse(fmt.Sprintf("%s: its records are spread over lines; allowed: one a line, as jq -c . makes them", from))
			return nil
		}
		where := fmt.Sprintf("%s, record %d", from, n)
		if long {
			d.refuse(fmt.Sprintf("%s: it is longer than %d MiB", where, maxRecord>>20))
		} else if err := d.line(where, line); err != nil {
			return err
		}
		if end != nil {
			return nil
		}
	}
}

// readLine appends a line without its end to line, and says whether it is longer than
// maxRecord: then the rest is skipped, so that the next one is read all the same.
func readLine(in *bufio.Reader, line []byte) (_ []byte, long bool, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if long = long || len(line)+len(part) > maxRecord; !long {
			line = append(line, part...)
		}
		if err != bufio.ErrBufferFull {
			return bytes.TrimSuffix(line, []byte("\n")), long, err
		}
	}
}

// line opens a record, or a single value: bare, or as a JSON text.
func (d *decrypt) line(where string, line []byte) error {
	trimmed := bytes.TrimSpace(line)
	if len(trimmed) == 0 {
		return nil
	}
	if trimmed[0] != '{' && trimmed[0] != '[' {
		text := string(trimmed)
		if trimmed[0] == '"' {
			var inner string
			if json.Unmarshal(trimmed, &inner) == nil {
				text = inner
			}
		}
		d.value(where, text)
		return nil
	}
	var did privacy.Opened
	var err error
	d.record, did, err = d.reader.Record(d.record[:0], line)
	if err != nil {
		d.leaveOut(where, err)
		return nil
	}
	d.did.Records += did.Records
	d.did.Values += did.Values
	d.did.OneWay += did.OneWay
	d.record = append(d.record, '\n')
	_, err = d.out.Write(d.record)
	return err
}

// leaveOut tells of a record that does not open; of those that need one key, the first.
func (d *decrypt) leaveOut(where string, err error) {
	var key privacy.MissingKey
	if errors.As(err, &key) {
		if d.missing[key.ID]++; d.missing[key.ID] > 1 {
			d.wrong++
			return
		}
	}
	d.refuse(where + ": " + strings.ReplaceAll(err.Error(), "\n", " "))
}
