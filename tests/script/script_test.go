// Package script runs the command line as a user types it: each file in testdata is
// a session.
package script

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sipcmbeat/sipcmbeat/cmd"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sipcmbeat": func() { os.Exit(cmd.Execute()) }})
}

func TestScripts(t *testing.T) {
	captures, err := filepath.Abs("../captures")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("CAPTURES", captures)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"cutpcap": cutPcap, "unnumber": unnumber, "unhash": unhash},
	})
}

// cutPcap cuts a pcap file behind so many packets: cutpcap IN N OUT OUT.
func cutPcap(ts *testscript.TestScript, _ bool, args []string) {
	const head, record = 24, 16
	in := []byte(ts.ReadFile(args[0]))
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	at := head
	for range n {
		at += record + int(binary.LittleEndian.Uint32(in[at+8:]))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), in[:at], 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), append(in[:head:head], in[at:]...), 0o600))
}

// unnumber writes standard output, or a file, without event.sequence: unnumber IN OUT.
func unnumber(ts *testscript.TestScript, _ bool, args []string) {
	text := regexp.MustCompile(`"sequence":\d+,`).ReplaceAllString(ts.ReadFile(args[0]), "")
	f, err := os.OpenFile(ts.MkAbs(args[1]), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	_, err = f.WriteString(text)
	ts.Check(err)
	ts.Check(f.Close())
}

// unhash writes records without the hashes that are never read back: unhash IN OUT.
func unhash(ts *testscript.TestScript, _ bool, args []string) {
	text := regexp.MustCompile(`"(id":"[0-9a-f]{32}|community_id":"1:[^"]+)",?`).ReplaceAllString(ts.ReadFile(args[0]), "")
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
}
