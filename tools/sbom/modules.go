package main

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// part is one thing that is linked in.
type part struct {
	Name, Version string
	Licence       string // as an SPDX expression; "" is not known
	PURL          string
	Texts         []string // licences and notices
}

// modules are the Go modules of a program, and Go itself, by name.
func modules(binary string) ([]part, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	out, err := exec.Command("go", "env", "GOMODCACHE", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	cache, root, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	text, err := os.ReadFile(filepath.Join(root, "LICENSE"))
	if err != nil {
		return nil, err
	}
	version := strings.TrimPrefix(info.GoVersion, "go")
	parts := []part{{Name: "Go", Version: version, Licence: recognise(string(text)), PURL: "pkg:generic/go@" + version, Texts: []string{string(text)}}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		p := part{Name: m.Path, Version: m.Version, PURL: "pkg:golang/" + m.Path + "@" + m.Version}
		dir := filepath.Join(cache, escape(m.Path)+"@"+escape(m.Version))
		if p.Texts, p.Licence, err = licences(dir); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Path, err)
		}
		if known := given[m.Path]; known != "" {
			p.Licence = known
		}
		parts = append(parts, p)
	}
	slices.SortFunc(parts, func(a, b part) int { return strings.Compare(a.Name, b.Name) })
	return parts, nil
}

// escape is a path in the module cache: capitals are !small.
func escape(path string) string {
	var b strings.Builder
	for _, r := range path {
		if unicode.IsUpper(r) {
			b.WriteByte('!')
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}

var (
	licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|unlicense)`)
	noticeFile  = regexp.MustCompile(`(?i)^notice`)
	theirs      = regexp.MustCompile(`(?i)\.docs$`) // of documents, which are not linked
)

// others begins in Elastic's notices the licences of everything that its programs use:
// megabytes, most of it not linked here. What is, is read where it comes from.
const others = "\n====="

// licences reads what stands in a module's root.
func licences(dir string) (texts []string, licence string, err error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, "", err
	}
	var ids []string
	for _, f := range files {
		is := licenceFile.MatchString(f.Name()) && !theirs.MatchString(f.Name())
		if f.IsDir() || !is && !noticeFile.MatchString(f.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, "", err
		}
		own := string(text)
		if !is {
			own, _, _ = strings.Cut(own, others)
		}
		texts = append(texts, own)
		if id := recognise(string(text)); is && id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(texts) == 0 {
		return nil, "", errors.New("no licence in " + dir)
	}
	return texts, strings.Join(ids, " AND "), nil
}
