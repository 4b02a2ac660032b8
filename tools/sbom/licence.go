package main

import "strings"

// given are the licences that were read by hand, each with the reason.
var given = map[string]string{
	// LICENSE.txt names two, by folder; libbeat is outside of x-pack.
	"github.com/elastic/beats/v7": "Apache-2.0",
	// Its own, and what it has of Go and of goyaml, one after the other.
	"sigs.k8s.io/yaml": "MIT AND BSD-3-Clause AND Apache-2.0",
}

// marks are sentences by which a licence is known, the first match counts.
var marks = []struct {
	id   string
	says []string
}{
	{"MIT AND Apache-2.0", []string{"the following files were ported to go from c files of libyaml", "apache license"}}, // gopkg.in/yaml.v3
	{"MPL-2.0", []string{"mozilla public license", "2.0"}},
	{"Apache-2.0", []string{"apache license", "version 2.0"}},
	{"Apache-2.0", []string{"apache.org/licenses/license-2.0"}},
	{"BSD-3-Clause", []string{"redistribution and use in source and binary forms", "endorse or promote products"}},
	{"BSD-3-Clause", []string{"redistribution and use in source and binary forms", "may not be used to endorse"}},
	{"BSD-2-Clause", []string{"redistribution and use in source and binary forms"}},
	{"ISC", []string{"permission to use, copy, modify, and distribute this software", "with or without fee"}},
	{"ISC", []string{"permission to use, copy, modify, and/or distribute this software", "with or without fee"}},
	{"MIT", []string{"permission is hereby granted, free of charge", "the software is provided \"as is\""}},
	{"Unlicense", []string{"this is free and unencumbered software released into the public domain"}},
	{"CC0-1.0", []string{"cc0 1.0 universal"}},
}

// recognise gives a licence's SPDX identifier, "" when it is none of those above.
func recognise(text string) string {
	text = strings.Join(strings.Fields(strings.ToLower(text)), " ")
	text = strings.NewReplacer("“", `"`, "”", `"`, "``", `"`, "''", `"`).Replace(text)
	for _, m := range marks {
		all := true
		for _, s := range m.says {
			all = all && strings.Contains(text, s)
		}
		if all {
			return m.id
		}
	}
	return ""
}
