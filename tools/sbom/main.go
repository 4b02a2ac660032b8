// Command sbom writes what a built program consists of: an SPDX 2.3 document, and the
// licences of everything that is linked in, as they have to go with it.
//
//	sbom -binary sipcmbeat -spdx OUT.json -licences OUT.txt [-static NAME,VERSION,LICENCE,FILE]...
//
// The modules are those that the program itself names (go version -m); their licences
// are read in the module cache. The time is SOURCE_DATE_EPOCH.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	binary := flag.String("binary", "", "the program")
	spdx := flag.String("spdx", "", "where the SPDX document goes")
	licences := flag.String("licences", "", "where the licences go")
	version := flag.String("version", "", "the program's version")
	var static []string
	flag.Func("static", "NAME,VERSION,SPDX-ID,FILE of a library that is linked in and is no Go module", func(s string) error {
		static = append(static, s)
		return nil
	})
	flag.Parse()
	if err := run(*binary, *version, static, *spdx, *licences); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(binary, version string, static []string, spdx, licences string) error {
	parts, err := modules(binary)
	if err != nil {
		return err
	}
	for _, s := range static {
		f := strings.SplitN(s, ",", 4)
		if len(f) != 4 {
			return fmt.Errorf("-static %s: wants NAME,VERSION,SPDX-ID,FILE", s)
		}
		text, err := os.ReadFile(f[3])
		if err != nil {
			return err
		}
		parts = append(parts, part{Name: f[0], Version: f[1], Licence: f[2], PURL: "pkg:generic/" + f[0] + "@" + f[1], Texts: []string{string(text)}})
	}
	var unknown []string
	for _, p := range parts {
		if p.Licence == "" {
			unknown = append(unknown, p.Name)
		}
	}
	if len(unknown) > 0 {
		return fmt.Errorf("the licence is not known of %s; read it, and say in licence.go which it is", strings.Join(unknown, ", "))
	}
	document, err := document(binary, version, parts)
	if err != nil {
		return err
	}
	if err := os.WriteFile(spdx, document, 0o644); err != nil {
		return err
	}
	return os.WriteFile(licences, []byte(notices(parts)), 0o644)
}

// notices are the texts of all licences, each once, under the names of what is under it.
func notices(parts []part) string {
	var b strings.Builder
	b.WriteString("What is linked into sipcmbeat, and the licences under which it is.\n")
	names := map[string][]string{}
	var order []string
	for _, p := range parts {
		for _, text := range p.Texts {
			text = strings.TrimSpace(strings.ReplaceAll(text, "\r", ""))
			if names[text] == nil {
				order = append(order, text)
			}
			names[text] = append(names[text], fmt.Sprintf("%s %s (%s)", p.Name, p.Version, p.Licence))
		}
	}
	for _, text := range order {
		b.WriteString("\n" + strings.Repeat("=", 80) + "\n" + strings.Join(names[text], "\n") + "\n" + strings.Repeat("-", 80) + "\n" + text + "\n")
	}
	return b.String()
}
