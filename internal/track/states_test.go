package track

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

var update = flag.Bool("update", false, "write docs/states.md anew")

// statesDocument is made of the tables and of the comments beside them.
const statesDocument = "../../docs/states.md"

// TestStatesDocument holds docs/states.md in step with the machines.
func TestStatesDocument(t *testing.T) {
	want, err := describeMachines()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(statesDocument, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(statesDocument)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("docs/states.md is not what the tables say; `make update` writes it anew")
	}
}

// source is what a machine's file says beside its table.
type source struct {
	file            string
	prose           string
	states, symbols []string          // the comment of each, in order
	notes           map[string]string // the comment of a transition, by state and symbol as written
	stateNames      []string          // as the code writes them
	symbolNames     []string
}

func describeMachines() ([]byte, error) {
	sources, err := readSources()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(statesHead)
	for _, m := range machines {
		s := sources[m.name]
		if s == nil {
			return nil, fmt.Errorf("no file declares the machine %q", m.name)
		}
		if len(s.states) != len(m.states) || len(s.symbols) != len(m.symbols) {
			return nil, fmt.Errorf("%s: %d states and %d symbols are declared, %d and %d have a name",
				s.file, len(s.states), len(s.symbols), len(m.states), len(m.symbols))
		}
		describe(&b, m, s)
	}
	return b.Bytes(), nil
}

const statesHead = `<!-- Made by go test ./internal/track -run StatesDocument -update; do not edit. -->
# The state machines

One machine a file in ` + "`internal/track`" + `. Each message of the wire is turned into one symbol by the functions beside
the table (they judge retransmissions, hops, CSeq, challenges and strangers); the table says where it leads and which
event leaves. In the grids:

- **→ state** the machine moves; an event's name in bold leaves with the move
- **stays** the symbol is legal there and changes nothing
- **?** after a move: rebuilt from what a loss left; it is counted, and the record says what is missing
- an empty cell cannot come about; if it does, the machine stays and it is counted (` + "`unexpected`" + `)
`

// readSources reads the comments of the machines' files, by the name of the machine.
func readSources() (map[string]*source, error) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		return nil, err
	}
	sources := map[string]*source{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, file, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		s := &source{file: file, notes: map[string]string{}}
		if name := s.read(fset, f); name != "" {
			sources[name] = s
		}
	}
	return sources, nil
}

// read takes in one file and returns the name of its machine; "" without one.
func (s *source) read(fset *token.FileSet, f *ast.File) (name string) {
	behind := map[int]string{} // comments by line
	for _, g := range f.Comments {
		behind[fset.Position(g.Pos()).Line] = strings.TrimSpace(g.Text())
	}
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		switch first := g.Specs[0].(type) {
		case *ast.ValueSpec:
			if id, ok := first.Type.(*ast.Ident); ok && g.Tok == token.CONST && id.Name == "state" {
				s.prose = g.Doc.Text()
				s.stateNames, s.states = declared(g)
			} else if ok && g.Tok == token.CONST && id.Name == "symbol" {
				s.symbolNames, s.symbols = declared(g)
			} else if lit, ok := literal(first, "machine"); ok {
				name = stringField(lit, "name")
			} else if lit, ok := literal(first, "table"); ok {
				s.transitions(fset, lit, behind)
			}
		}
	}
	return name
}

func declared(g *ast.GenDecl) (names, comments []string) {
	for _, spec := range g.Specs {
		v := spec.(*ast.ValueSpec)
		names = append(names, v.Names[0].Name)
		comments = append(comments, strings.TrimSpace(v.Comment.Text()))
	}
	return names, comments
}

// literal is the composite literal of a variable, where it has the type.
func literal(v *ast.ValueSpec, typ string) (*ast.CompositeLit, bool) {
	if len(v.Values) != 1 {
		return nil, false
	}
	lit, ok := v.Values[0].(*ast.CompositeLit)
	if !ok {
		return nil, false
	}
	id, ok := lit.Type.(*ast.Ident)
	return lit, ok && id.Name == typ
}

func stringField(lit *ast.CompositeLit, key string) string {
	for _, e := range lit.Elts {
		kv := e.(*ast.KeyValueExpr)
		if b, ok := kv.Value.(*ast.BasicLit); ok && kv.Key.(*ast.Ident).Name == key {
			text, _ := strconv.Unquote(b.Value)
			return text
		}
	}
	return ""
}

func (s *source) transitions(fset *token.FileSet, lit *ast.CompositeLit, behind map[int]string) {
	for _, row := range lit.Elts {
		kv := row.(*ast.KeyValueExpr)
		for _, c := range kv.Value.(*ast.CompositeLit).Elts {
			cell := c.(*ast.KeyValueExpr)
			key := kv.Key.(*ast.Ident).Name + " " + cell.Key.(*ast.Ident).Name
			s.notes[key] = behind[fset.Position(cell.Pos()).Line]
		}
	}
}

func describe(b *bytes.Buffer, m *machine, s *source) {
	fmt.Fprintf(b, "\n## %s\n\n`internal/track/%s`\n\n%s\n", strings.ToUpper(m.name[:1])+m.name[1:], s.file, strings.TrimSpace(s.prose))
	draw(b, m)
	b.WriteString("\n| state | what it means |\n|---|---|\n")
	for i, name := range m.states {
		fmt.Fprintf(b, "| %s | %s |\n", name, s.states[i])
	}
	b.WriteString("\n| symbol | what was seen |\n|---|---|\n")
	for i, name := range m.symbols {
		fmt.Fprintf(b, "| %s | %s |\n", name, s.symbols[i])
	}
	grid(b, m)
	reasons(b, m, s)
}

// draw writes the moves as a diagram; several symbols with one outcome share an arrow.
func draw(b *bytes.Buffer, m *machine) {
	b.WriteString("\n```mermaid\nstateDiagram-v2\n")
	for i, name := range m.states {
		fmt.Fprintf(b, "    s%d: %s\n", i, name)
	}
	for from := range m.states {
		type outcome struct {
			to   state
			emit event.Type
		}
		var order []outcome
		labels := map[outcome][]string{}
		for y, name := range m.symbols {
			c, ok := m.step(state(from), symbol(y))
			if !ok || c.ground == ignore || int(c.next) == from && c.emit == event.None {
				continue
			}
			o := outcome{c.next, c.emit}
			if labels[o] == nil {
				order = append(order, o)
			}
			if c.ground == guess {
				name += "?"
			}
			labels[o] = append(labels[o], name)
		}
		for _, o := range order {
			said := ""
			if o.emit != event.None {
				said = " / " + o.emit.String()
			}
			fmt.Fprintf(b, "    s%d --> s%d: %s%s\n", from, o.to, strings.Join(labels[o], ", "), said)
		}
	}
	b.WriteString("```\n")
}

// grid has a line for each symbol and a column for each state.
func grid(b *bytes.Buffer, m *machine) {
	fmt.Fprintf(b, "\n| | %s |\n|---|%s\n", strings.Join(m.states, " | "), strings.Repeat("---|", len(m.states)))
	for y, name := range m.symbols {
		fmt.Fprintf(b, "| **%s** |", name)
		for from := range m.states {
			fmt.Fprintf(b, " %s |", inGrid(m, state(from), symbol(y)))
		}
		b.WriteByte('\n')
	}
}

func inGrid(m *machine, from state, y symbol) string {
	c, ok := m.step(from, y)
	if !ok {
		return ""
	}
	text := "stays"
	if c.next != from {
		text = "→ " + m.states[c.next]
	}
	if c.emit != event.None {
		text += " **" + c.emit.String() + "**"
	}
	if c.ground == guess {
		text += " ?"
	}
	return text
}

// reasons lists the transitions that have a section or a reason beside them.
func reasons(b *bytes.Buffer, m *machine, s *source) {
	b.WriteString("\n| in | saw | why |\n|---|---|---|\n")
	for i, from := range s.stateNames {
		for y, sym := range s.symbolNames {
			if note := s.notes[from+" "+sym]; note != "" {
				fmt.Fprintf(b, "| %s | %s | %s |\n", m.states[i], m.symbols[y], note)
			}
		}
	}
}
