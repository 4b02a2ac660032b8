package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"text/template"

	"github.com/sipcmbeat/sipcmbeat/config"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// made stands at the top of each document.
const made = "<!-- Made by tools/update; change its source and run it. -->\n"

func fieldsDoc(groups []group) string {
	var b strings.Builder
	b.WriteString("# Fields\n\n" + made + `
Every field that a record can have. One that is not known is left out; nothing is
ever empty, null or a placeholder. Names follow the Elastic Common Schema ` + event.ECSVersion + `
and, below ` + "`sip`" + `, Packetbeat where it has a name. Times have nine digits.
Keywords longer than 1,024 bytes are cut when the record is made, and say so by
` + "`field-cut` in `sip.anomalies`" + `.

The column private names the group of ` + "`privacy.GROUP`" + ` that masks a value; docs/privacy.md
tells how. A hash of private values is keyed, and is never read back.
`)
	private := map[string]event.Secrecy{}
	for i := range event.Fields {
		private[event.Fields[i].Key] = event.Fields[i].Secrecy
	}
	for _, g := range groups {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| field | type | private | meaning | example |\n|---|---|---|---|---|\n", g.Title, g.Description)
		for _, f := range g.Fields {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", f.Name, f.Type, privateCell(private[f.Name]), cell(f.Description), code(f.Example))
		}
	}
	return b.String()
}

// privateCell is empty for what names nobody.
func privateCell(s event.Secrecy) string {
	switch {
	case s.Private == event.Public:
		return ""
	case s.Shape == event.Digest:
		return s.Private.String() + ", hash"
	}
	return s.Private.String()
}

// cell makes text fit into a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + cell(text) + "`"
}

func eventsDoc() string {
	var b strings.Builder
	b.WriteString("# Events\n\n" + made + `
The type of an event is ` + "`event.action`" + `. Retransmissions, hops, challenges and
keep-alives are absorbed: a call that goes through three proxies is one call.

| type | happens | dataset | category | type (ECS) |
|---|---|---|---|---|
`)
	for t := event.None + 1; t < event.NumTypes; t++ {
		k := event.Kinds[t]
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s | %s |\n", k.Name, cell(k.Sentence), k.Dataset,
			strings.Join(k.Category, ", "), strings.Join(k.Type, ", "))
	}
	b.WriteString(`
## Legs of a call

A back-to-back user agent makes two calls of one. ` + "`sip.correlation.id`" + ` is the same on all
legs: one term finds them. ` + "`sip.correlation.method`" + ` says how it was found; the first of this
list that a leg has counts. Where the leg that is named is known itself, its id is taken, so
that a chain of legs has one.

| method | rule | id |
|---|---|---|
`)
	for _, w := range event.CorrelationWords {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", w.Word, w.RFC, cell(w.Meaning))
	}
	b.WriteString(`
## What was not seen

The program has often not seen the beginning, and packets get lost. It then rebuilds
what it can, and ` + "`sip.incomplete`" + ` says what is missing. This list is closed.

| word | means |
|---|---|
`)
	for _, w := range event.IncompleteWords {
		fmt.Fprintf(&b, "| `%s` | %s |\n", w.Word, cell(w.Meaning))
	}
	b.WriteString(`
## What does not comply

` + "`sip.anomalies`" + ` labels what on the wire does not comply. A label never turns a success
into a failure. This list is closed.

| word | rule | means |
|---|---|---|
`)
	for _, w := range event.AnomalyWords {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", w.Word, w.RFC, cell(w.Meaning))
	}
	return b.String()
}

func configDoc() string {
	var b strings.Builder
	b.WriteString("# Configuration\n\n" + made + `
All keys stand under ` + "`sipcmbeat:`" + `; what else the file may hold (output, queue,
logging, processors, setup) is libbeat's. On the command line a key is set by
` + "`-E sipcmbeat.KEY=VALUE`, or `-E KEY=VALUE`" + `. A key that does not exist or a value that is
not allowed stops the start with a line that says so; ` + "`sipcmbeat test config`" + ` says the same.

- A duration is written ` + "`30s`, `1m30s` or `100ms`" + `; a number alone is seconds.
- A size is written ` + "`512MiB`, `2GB` or `64k`" + `; a number alone is bytes.
- A list may be one value alone, and ` + "`none`" + ` alone is the empty list. A list in the file
  replaces the default. A list behind -E is laid over the one in the file, place by
  place; one value alone replaces it.
- Behind -E a comma parts the values of a list: a file whose name has one is written
  ` + "`-E 'pcap=[\"a,b.pcap\"]'`" + ` or in the file.

Where the column reload says yes, a change in the file is taken up by SIGHUP
(` + "`systemctl reload sipcmbeat`, `kill -HUP`" + `) without a restart; docs/operating.md tells more.
`)
	for _, g := range config.Groups {
		fmt.Fprintf(&b, "\n## %s\n\n", g.Title)
		if g.Text != "" {
			fmt.Fprintf(&b, "%s\n\n", g.Text)
		}
		b.WriteString("| key | kind | default | allowed | reload | meaning |\n|---|---|---|---|---|---|\n")
		for _, k := range g.Keys {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", k.Name, k.Kind, defaultCell(k), cell(k.Allowed), reloadCell(k), cell(k.Meaning))
		}
	}
	return b.String()
}

// reloadCell is empty where only a restart takes a key up.
func reloadCell(k config.Key) string {
	if k.Reload {
		return "yes"
	}
	return ""
}

// defaultCell shows a value as code, and a sentence as one.
func defaultCell(k config.Key) string {
	if k.Default != "" && strings.Contains(k.Default, " ") {
		return cell(k.Default)
	}
	return code(k.DefaultText())
}

// configFile fills a template of a configuration.
func configFile(path string) (string, error) {
	t, err := template.New("").Funcs(template.FuncMap{"wrap": wrap, "yaml": yamlKey}).ParseFiles(path)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.ExecuteTemplate(&b, t.Templates()[0].Name(), written()); err != nil {
		return "", err
	}
	return b.String(), nil
}

// written is the groups without the keys of a single input, which the document has.
func written() []config.Group {
	groups := slices.Clone(config.Groups)
	for i := range groups {
		groups[i].Keys = slices.DeleteFunc(slices.Clone(groups[i].Keys), func(k config.Key) bool {
			return strings.HasPrefix(k.Name, "inputs.")
		})
	}
	return groups
}

// wrap breaks a text into comment lines.
func wrap(indent, text string) string {
	const wide = 86
	var b strings.Builder
	line := indent + "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > wide {
			b.WriteString(line + "\n")
			line = indent + "#"
		}
		line += " " + word
	}
	return b.String() + line
}

// exampleInputs is one input of each type. The keys that only inputs have stand there.
const exampleInputs = `
  #  - {type: live, iface: eth0}
  #  - {type: file, pcap: "old-*.pcap"}
  #  - type: hep
  #    listen: ["udp:0.0.0.0:9060", "tcp:0.0.0.0:9060", "tls:0.0.0.0:9061"]
  #    cert: /etc/sipcmbeat/cert.pem
  #    key: /etc/sipcmbeat/key.pem
  #    auth_keys: ["${HEP_KEY}"]
  #    allow: ["192.0.2.0/24", "2001:db8::/32"]
  #    max_connections: 256
  #    idle_timeout: 1h
  #    buffer_kb: 8192
  #  - {type: siptrace, listen: "udp:0.0.0.0:5888", allow: 192.0.2.0/24}`

// yamlKey is a key with its default, commented out.
func yamlKey(k config.Key) string {
	if k.Kind == config.Objects {
		return "  #" + k.Name + ":" + exampleInputs
	}
	value := k.DefaultText()
	if k.Default != "" && k.Default != "none" {
		value = ""
	}
	return strings.TrimRight("  #"+k.Name+": "+value, " ")
}

func olderKeys() string {
	var b strings.Builder
	b.WriteString("| older key | now |\n|---|---|\n")
	for _, o := range config.Older {
		fmt.Fprintf(&b, "| `%s` | %s |\n", o.Key, cell(o.Advice()))
	}
	return b.String()
}

// fill replaces what stands between the marks of a region in a document that is
// otherwise written by hand.
func fill(path, region, text string) (string, error) {
	doc, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	return fillText(string(doc), path, region, text)
}

func fillText(doc, path, region, text string) (string, error) {
	begin, end := fmt.Sprintf("<!-- %s: made by tools/update -->\n", region), fmt.Sprintf("<!-- end of %s -->\n", region)
	before, rest, ok := strings.Cut(doc, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", fmt.Errorf("%s: the marks of %q are missing", path, region)
	}
	return before + begin + "\n" + text + "\n" + end + after, nil
}
