package sip

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// base is an OPTIONS with the headers RFC 3261 §8.1.1 makes mandatory.
var base = []string{
	"OPTIONS sip:bob@example.com SIP/2.0",
	"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds",
	"Max-Forwards: 70",
	"From: Alice <sip:alice@example.com>;tag=1928301774",
	"To: Bob <sip:bob@example.com>",
	"Call-ID: a84b4c76e66710",
	"CSeq: 314159 OPTIONS",
	"Content-Length: 0",
}

// message is base with edits: "-Name" takes a line away, "+line" adds one at
// the end, "^line" puts one behind the start line, "!line" replaces the start
// line, and "Name: value" replaces the line of that name.
func message(edits ...string) []byte {
	lines := slices.Clone(base)
	find := func(name string) int {
		return slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+":") })
	}
	for _, e := range edits {
		switch e[0] {
		case '-':
			lines = slices.Delete(lines, find(e[1:]), find(e[1:])+1)
		case '+':
			lines = append(lines, e[1:])
		case '^':
			lines = slices.Insert(lines, 1, e[1:])
		case '!':
			lines[0] = e[1:]
		default:
			name, _, _ := strings.Cut(e, ":")
			lines[find(name)] = e
		}
	}
	return []byte(strings.Join(lines, "\r\n") + "\r\n\r\n")
}

// response makes the edits fit a 200 to base.
func response(edits ...string) []byte {
	return message(append([]string{"!SIP/2.0 200 OK", "-Max-Forwards"}, edits...)...)
}

func parsed(t testing.TB, raw []byte) *Message {
	t.Helper()
	var m Message
	if why := m.Parse(raw, false); why != OK {
		t.Fatalf("Parse = %s (%s), want ok\n%s", why, m.AppendProblem(nil), raw)
	}
	return &m
}

// shared reads a file of the shared folder beside this repository.
func shared(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../../shared", path))
	if os.IsNotExist(err) && os.Getenv("CI") != "true" {
		t.Skipf("the shared folder is not beside this repository, so %s is missing: its cases were not run", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func equal(t testing.TB, what string, got []byte, want string) {
	t.Helper()
	if string(got) != want {
		t.Errorf("%s = %q, want %q", what, got, want)
	}
}

func noAllocs(t *testing.T, what string, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(100, f); n != 0 {
		t.Errorf("%s: %v allocations, want 0", what, n)
	}
}
