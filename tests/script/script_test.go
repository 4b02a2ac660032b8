// Package script runs the command line as a user types it: each file in testdata is
// a session.
package script

import (
	"os"
	"path/filepath"
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
	})
}
