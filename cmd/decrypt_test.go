package cmd

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
)

// opener is the command with a key, and what it writes.
func opener(t *testing.T, key privacy.Key) (*decrypt, *bytes.Buffer, *bytes.Buffer) {
	t.Helper()
	reader, err := privacy.NewReader(key)
	if err != nil {
		t.Fatal(err)
	}
	var out, said bytes.Buffer
	return &decrypt{reader: reader, out: bufio.NewWriter(&out), stderr: &said}, &out, &said
}

// TestDecryptLines: a line that can't be opened is told of and left out; those around it are opened.
func TestDecryptLines(t *testing.T) {
	key := privacy.NewKey()
	cfg := privacy.Config{Key: key}
	cfg.Modes[event.CallIDs] = privacy.Encrypt
	s, err := privacy.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	sealed, _ := s.Append(nil, event.CallIDs, event.CallID, []byte("x@y"))
	record := `{"sip":{"call_id":"` + string(sealed) + `"},"sipcmbeat":{"privacy":{"key_id":"` + s.KeyID() + `","fields":["call_ids:encrypt"]}}}`
	const opened = `{"sip":{"call_id":"x@y"}}` + "\n"
	flipped := []byte(record)
	if i := strings.Index(record, string(sealed)) + 9; flipped[i] == 'a' {
		flipped[i] = 'b'
	} else {
		flipped[i] = 'a'
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	io.WriteString(z, record+"\n"+record)
	z.Close()
	for name, c := range map[string]struct{ in, out, said string }{
		"record":       {record, opened, ""},
		"two":          {record + "\r\n\n" + record + "\n", strings.Replace(opened, "\n", "\r\n", 1) + opened, ""},
		"gzip":         {zipped.String(), opened + opened, ""},
		"half":         {record + "\n" + record[:40], opened, "record 2: no JSON"},
		"flipped":      {string(flipped) + "\n" + record, opened, "record 1: sip.call_id: the value was altered"},
		"huge":         {record + "\n{\"a\":\"" + strings.Repeat("x", maxRecord) + "\"}\n" + record, opened + opened, "record 2: it is longer than 64 MiB"},
		"value":        {string(sealed) + "\n" + record, "x@y\n" + opened, ""},
		"quoted value": {`"` + string(sealed) + `"`, "x@y\n", ""},
		"no value":     {"hello\n" + record, opened, "record 1: is neither a record nor an encrypted value"},
		"address":      {"192.0.2.1\n", "", "record 1: an address does not say whether it is encrypted; --ip 192.0.2.1 opens it"},
		"spread":       {"{\n  \"a\": 1\n}\n", "", "standard input: its records are spread over lines; allowed: one a line"},
		"nothing":      {"", "", ""},
	} {
		d, out, said := opener(t, key)
		d.stdin = strings.NewReader(c.in)
		if err := d.run([]string{"-"}); errors.Is(err, errSaid) != (c.said != "") || err != nil && c.said == "" {
			t.Errorf("%s: %v", name, err)
		}
		if out.String() != c.out || !strings.Contains(said.String(), c.said) || c.said == "" && said.Len() > 0 {
			t.Errorf("%s: %q, said %q", name, out, said)
		}
	}
}

// TestDecryptCutGzip: the records before the cut are written, and the cut is an error.
func TestDecryptCutGzip(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	io.WriteString(z, "{}\n")
	z.Flush()
	d, out, _ := opener(t, privacy.NewKey())
	d.stdin = &zipped
	if err := d.run([]string{"-"}); err == nil || d.out.Flush() != nil || out.String() != "{}\n" {
		t.Errorf("%v, %q", err, out)
	}
}
