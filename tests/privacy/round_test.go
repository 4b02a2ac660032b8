package privacy

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// oneWay are the fields that nobody opens: keyed hashes. Other fields of a record that was
// opened are what they are in clear.
var oneWay = []string{"event.id", "sip.call.id", "sip.subscription.id", "network.community_id", "sip.number.caller.token", "sip.number.callee.token"}

// laterOneWay are those of docs/privacy.md that no record has yet.
var laterOneWay = []string{"related.hash", "sip.signature"}

// TestOneWay: the list is that of the table of fields, and that of docs/privacy.md.
func TestOneWay(t *testing.T) {
	var table []string
	for i := range event.Fields {
		if f := &event.Fields[i]; f.Private != event.Public && f.Shape == event.Digest {
			table = append(table, f.Key)
		}
	}
	text, err := os.ReadFile("../../docs/privacy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "## Fields that never open")
	if !ok {
		t.Fatal("docs/privacy.md has no list of fields that never open")
	}
	section, _, _ = strings.Cut(strings.TrimSpace(section), "\n\n") // its first paragraph
	var written []string
	for _, m := range regexp.MustCompile("`([a-z_]+(?:\\.[a-z_0-9]+)+)`").FindAllStringSubmatch(section, -1) {
		if !slices.Contains(written, m[1]) {
			written = append(written, m[1])
		}
	}
	want := slices.Clone(oneWay)
	slices.Sort(want)
	slices.Sort(table)
	if !slices.Equal(want, table) {
		t.Errorf("the table of fields has %v,\nthis test %v", table, want)
	}
	want = append(want, laterOneWay...)
	slices.Sort(want)
	slices.Sort(written)
	if !slices.Equal(want, written) {
		t.Errorf("docs/privacy.md has %v,\nthis test %v", written, want)
	}
}

// keyFile writes keys into files that decrypt takes.
func keyFile(t *testing.T, keys ...privacy.Key) (args []string) {
	t.Helper()
	dir := t.TempDir()
	for i, k := range keys {
		path := filepath.Join(dir, string(rune('a'+i)))
		if err := os.WriteFile(path, []byte(k.Text()+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--key-file", path)
	}
	return args
}

// decrypted runs decrypt over records.
func decrypted(t *testing.T, records []byte, args ...string) (stdout []byte, stderr string, ok bool) {
	t.Helper()
	c := exec.Command(siptest.Program(t), append([]string{"decrypt"}, args...)...)
	var errs bytes.Buffer
	c.Stdin, c.Stderr = bytes.NewReader(records), &errs
	stdout, err := c.Output()
	return stdout, errs.String(), err == nil
}

// stripped are records without what is one way and these fields, one a line.
func stripped(t *testing.T, records []byte, besides ...string) (all []string) {
	t.Helper()
	for line := range bytes.Lines(records) {
		var tree map[string]any
		d := json.NewDecoder(bytes.NewReader(line))
		d.UseNumber()
		if err := d.Decode(&tree); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		for _, path := range append(besides, oneWay...) {
			remove(tree, strings.Split(path, "."))
		}
		text, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}

// remove takes a member out, and objects that are empty then.
func remove(tree map[string]any, path []string) {
	if len(path) == 1 {
		delete(tree, path[0])
		return
	}
	below, ok := tree[path[0]].(map[string]any)
	if !ok {
		return
	}
	if remove(below, path[1:]); len(below) == 0 {
		delete(tree, path[0])
	}
}

// TestRoundTrip: replay with everything encrypted, piped through decrypt, is the clear run
// record for record, except what is one way: records of events and of messages, with named
// headers, in both schemas.
func TestRoundTrip(t *testing.T) { roundTrips(t, own(t)) }

// TestLabRoundTrip is the same over the captures of the laboratory.
func TestLabRoundTrip(t *testing.T) { roundTrips(t, lab(t)) }

// TestSharedRoundTrip is the same over the captures of other projects.
func TestSharedRoundTrip(t *testing.T) { roundTrips(t, corpus(t)) }

func roundTrips(t *testing.T, files []string) {
	key := keyFile(t, testKey)
	for _, file := range files {
		t.Run(name(file), func(t *testing.T) {
			t.Parallel()
			in := unnamed(t, file)
			for _, with := range [][]string{{"--messages"}, {"-E", "schema=legacy"}} {
				clear, _ := replayed(t, in, join(with, named)...)
				sealed, _ := replayed(t, in, join(with, named, everything("encrypt"))...)
				opened, errs, ok := decrypted(t, sealed, key...)
				if !ok {
					t.Errorf("%v: decrypt: %s", with, errs)
				}
				same(t, stripped(t, clear), stripped(t, opened))
			}
		})
	}
}

func same(t *testing.T, want, got []string) {
	t.Helper()
	if len(want) != len(got) {
		t.Errorf("%d records of %d", len(got), len(want))
	}
	wrong := 0
	for i := range min(len(want), len(got)) {
		if want[i] != got[i] {
			if wrong++; wrong <= 2 {
				t.Errorf("record %d:\n%s\nwas\n%s", i+1, got[i], want[i])
			}
		}
	}
	if wrong > 2 {
		t.Errorf("%d records in all differ", wrong)
	}
}
