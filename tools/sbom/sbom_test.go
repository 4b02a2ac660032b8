package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRecognise(t *testing.T) {
	for text, want := range map[string]string{
		"Apache License\n Version 2.0, January 2004":                                                         "Apache-2.0",
		"Licensed under http://www.apache.org/licenses/LICENSE-2.0":                                          "Apache-2.0",
		"Mozilla Public License, version 2.0":                                                                "MPL-2.0",
		"Permission is hereby granted, free of\n charge, to any person ... THE SOFTWARE IS PROVIDED “AS IS”": "MIT",
		"Permission to use, copy, modify, and distribute this software for any purpose with or without fee":  "ISC",
		"Redistribution and use in source and binary forms, with or without modification":                    "BSD-2-Clause",
		"Redistribution and use in source and binary forms ... may be used to endorse or promote products":   "BSD-3-Clause",
		"Redistribution and use in source and binary forms ... names may not be used to endorse products":    "BSD-3-Clause",
		"Elastic License 2.0":        "",
		"GNU General Public License": "",
		"":                           "",
	} {
		if got := recognise(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// The test's own program is one: its parts are what it was built of.
func TestOfThisProgram(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	library := filepath.Join(dir, "LICENSE")
	if err := os.WriteFile(library, []byte("do what you want"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	spdx, licences := filepath.Join(dir, "spdx.json"), filepath.Join(dir, "licences.txt")
	if err := run(self, "1.2.3", []string{"libx,4.5,MIT," + library}, spdx, licences); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(spdx)
	if err != nil {
		t.Fatal(err)
	}
	var d spdxDocument
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if d.Creation.Created != "2023-11-14T22:13:20Z" || len(d.Packages) < 3 || len(d.Relationships) != len(d.Packages) {
		t.Errorf("made %s, %d packages, %d relationships", d.Creation.Created, len(d.Packages), len(d.Relationships))
	}
	if x := d.Packages[len(d.Packages)-1]; x.Name != "libx" || x.Version != "4.5" || x.Declared != "MIT" {
		t.Errorf("the library is %+v", x)
	}
	if text, err = os.ReadFile(licences); err != nil || !strings.Contains(string(text), "libx 4.5 (MIT)\n---") ||
		!strings.Contains(string(text), "do what you want") || !strings.Contains(string(text), "The Go Authors") {
		t.Errorf("licences: %v, %s", err, text)
	}
}

func TestRefusals(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	library := filepath.Join(t.TempDir(), "LICENSE")
	if err := os.WriteFile(library, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	for name, c := range map[string]struct{ binary, static, epoch, want string }{
		"no program":     {library, "", "1", "unrecognized file format"},
		"no file":        {self, "libx,1,MIT", "1", "wants NAME,VERSION,SPDX-ID,FILE"},
		"no licence":     {self, "libx,1,," + library, "1", "not known of libx"},
		"no time":        {self, "libx,1,MIT," + library, "", "SOURCE_DATE_EPOCH"},
		"licence absent": {self, "libx,1,MIT,/none", "1", "/none"},
	} {
		t.Setenv("SOURCE_DATE_EPOCH", c.epoch)
		if err := run(c.binary, "1", []string{c.static}, out, out); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
