package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/api"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// jsonObject is an object in a document. Its keys are written in their order.
type jsonObject = map[string]any

// shapes makes JSON schemas of the structures in internal/view, with their comments.
type shapes struct {
	docs    map[string]string // of "Call" and "Call.ID"
	schemas jsonObject
}

func newShapes(root string) (*shapes, error) {
	s := &shapes{docs: map[string]string{}, schemas: jsonObject{}}
	set := token.NewFileSet()
	files, err := filepath.Glob(filepath.Join(root, "internal/view/*.go"))
	if err != nil {
		return nil, err
	}
	for _, path := range files {
		f, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if d, ok := n.(*ast.GenDecl); ok {
				s.read(d)
			}
			return true
		})
	}
	return s, nil
}

// read takes the comments of a declaration.
func (s *shapes) read(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		t, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		st, ok := t.Type.(*ast.StructType)
		if !ok {
			continue
		}
		s.docs[t.Name.Name] = line(d.Doc)
		for _, f := range st.Fields.List {
			for _, name := range f.Names {
				s.docs[t.Name.Name+"."+name.Name] = line(f.Comment)
			}
		}
	}
}

func line(c *ast.CommentGroup) string {
	if c == nil {
		return ""
	}
	return strings.Join(strings.Fields(c.Text()), " ")
}

var (
	timeType = reflect.TypeFor[time.Time]()
	rawType  = reflect.TypeFor[json.RawMessage]()
)

// of gives the schema of a type: a reference, where it is a structure.
func (s *shapes) of(t reflect.Type) jsonObject {
	switch {
	case t == timeType:
		return jsonObject{"type": "string", "format": "date-time"}
	case t == rawType:
		return jsonObject{"type": "object"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.String:
		return jsonObject{"type": "string"}
	case reflect.Bool:
		return jsonObject{"type": "boolean"}
	case reflect.Float64:
		return jsonObject{"type": "number"}
	case reflect.Int:
		return jsonObject{"type": "integer"}
	case reflect.Uint64:
		return jsonObject{"type": "integer", "minimum": 0}
	case reflect.Slice:
		return jsonObject{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return jsonObject{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Interface:
		return jsonObject{}
	case reflect.Struct:
		if _, ok := s.schemas[t.Name()]; !ok {
			s.schemas[t.Name()] = nil // begun
			s.schemas[t.Name()] = s.structure(t)
		}
		return jsonObject{"$ref": "#/components/schemas/" + t.Name()}
	}
	panic("no schema for " + t.String())
}

// structure is the schema of a structure. An embedded one stands in it as if its fields
// were its own, as in the JSON.
func (s *shapes) structure(t reflect.Type) jsonObject {
	properties, required := jsonObject{}, []string{}
	s.fields(t, properties, &required)
	out := jsonObject{"type": "object", "properties": properties, "additionalProperties": false}
	if d := s.docs[t.Name()]; d != "" {
		out["description"] = d
	}
	if len(required) > 0 {
		slices.Sort(required)
		out["required"] = required
	}
	return out
}

func (s *shapes) fields(t reflect.Type, properties jsonObject, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			s.fields(f.Type, properties, required)
			continue
		}
		name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		shape := s.of(f.Type)
		if d := s.docs[t.Name()+"."+f.Name]; d != "" {
			shape["description"] = d
		}
		properties[name] = shape
		if rest != "omitempty" && f.Type.Kind() != reflect.Pointer {
			*required = append(*required, name)
		}
	}
}

// openAPI is the description of the routes.
func openAPI(root string) (string, error) {
	s, err := newShapes(root)
	if err != nil {
		return "", err
	}
	paths := jsonObject{}
	for _, row := range api.Routes() {
		for _, path := range row.Paths() {
			p, _ := paths[path].(jsonObject)
			if p == nil {
				p = jsonObject{}
				paths[path] = p
			}
			p[strings.ToLower(row.Method)] = s.operation(&row, path)
		}
	}
	problem := s.of(reflect.TypeFor[view.Problem]())
	doc := jsonObject{
		"openapi": "3.1.0",
		"info": jsonObject{"title": "sipcmbeat", "version": "v1", "license": jsonObject{"name": "Apache-2.0", "identifier": "Apache-2.0"},
			"description": "What a running sipcmbeat shows, and what can be changed while it runs; docs/http.md."},
		"servers":  []any{jsonObject{"url": "/"}},
		"security": []any{jsonObject{}, jsonObject{"bearer": []any{}}, jsonObject{"basic": []any{}}},
		"paths":    paths,
		"components": jsonObject{
			"schemas": s.schemas,
			"securitySchemes": jsonObject{
				"bearer": jsonObject{"type": "http", "scheme": "bearer", "description": "http.auth.token"},
				"basic":  jsonObject{"type": "http", "scheme": "basic", "description": "Any user name, the token as the password."},
			},
			"responses": jsonObject{"Problem": jsonObject{"description": "What was wrong, and what is right in its place (RFC 9457).",
				"content": jsonObject{"application/problem+json": jsonObject{"schema": problem}, "text/html": jsonObject{}}}},
		},
	}
	b, err := json.MarshalIndent(doc, "", " ")
	return string(b) + "\n", err
}

// operation describes one row at one of its paths.
func (s *shapes) operation(row *api.Route, path string) jsonObject {
	op := jsonObject{"summary": row.Summary, "operationId": strings.ToLower(row.Method) + name(path)}
	var params []any
	for _, p := range row.Params {
		params = append(params, jsonObject{"name": p.Name, "in": p.In, "required": p.Need || p.In == "path", "description": p.Meaning, "schema": paramSchema(p)})
	}
	if params != nil {
		op["parameters"] = params
	}
	if row.Body != nil {
		shape := s.of(reflect.TypeOf(row.Body))
		op["requestBody"] = jsonObject{"required": true, "content": jsonObject{"application/json": jsonObject{"schema": shape}, "application/x-www-form-urlencoded": jsonObject{"schema": shape}}}
	}
	content := jsonObject{}
	if row.Answer != nil {
		content["application/json"] = jsonObject{"schema": s.of(reflect.TypeOf(row.Answer))}
	}
	for _, m := range row.Media {
		content[m] = jsonObject{}
	}
	if row.Page && path == row.PlainPath() {
		content["text/html"] = jsonObject{}
	}
	answers := jsonObject{"200": jsonObject{"description": "Done.", "content": content}, "default": jsonObject{"$ref": "#/components/responses/Problem"}}
	if row.Changes && path == row.PlainPath() {
		answers["303"] = jsonObject{"description": "To the page, for a form that a person sent."}
	}
	if row.Fails != 0 {
		answers[fmt.Sprint(row.Fails)] = jsonObject{"description": http.StatusText(row.Fails), "content": jsonObject{"application/json": content["application/json"]}}
	}
	op["responses"] = answers
	if row.Open {
		op["security"] = []any{jsonObject{}}
	}
	return op
}

// name makes an identifier of a path.
func name(path string) string {
	return strings.TrimRight(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, path), "_")
}

func paramSchema(p api.Param) jsonObject {
	switch p.Kind {
	case api.Word:
		return jsonObject{"type": "string", "enum": p.Enum}
	case api.Whole:
		return jsonObject{"type": "integer", "minimum": p.Min, "maximum": p.Max}
	case api.Flag:
		return jsonObject{"type": "string", "enum": []string{"0", "1", "false", "true"}}
	case api.Text, api.Moment, api.Duration, api.Address:
	}
	if p.Kind == api.Text && p.Max > 0 {
		return jsonObject{"type": "string", "maxLength": p.Max}
	}
	return jsonObject{"type": "string", "maxLength": api.MaxParam}
}

// routesDoc is the table in docs/http.md.
func routesDoc() string {
	var b strings.Builder
	b.WriteString("| method | path | JSON alone | what |\n|---|---|---|---|\n")
	for _, row := range api.Routes() {
		page := ""
		if row.Page {
			page = " Has a page."
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s%s |\n", row.Method, row.PlainPath(), code(row.Twin), cell(row.Summary), page)
	}
	b.WriteString("\n## Parameters\n\n| parameter | allowed | meaning | of |\n|---|---|---|---|\n")
	var order []string
	of := map[string][]string{}
	for _, row := range api.Routes() {
		for _, p := range row.Params {
			if row.Changes && p.Kind == api.Flag {
				continue // a row for each event type
			}
			allowed := p.Allowed()
			if p.Name == "type" && p.Kind == api.Word {
				allowed = "an event type, docs/events.md"
			}
			key := fmt.Sprintf("| `%s` | %s | %s |", p.Name, cell(allowed), cell(p.Meaning))
			if of[key] == nil {
				order = append(order, key)
			}
			of[key] = append(of[key], fmt.Sprintf("%s `%s`", row.Method, row.PlainPath()))
		}
	}
	for _, key := range order {
		fmt.Fprintf(&b, "%s %s |\n", key, strings.Join(of[key], ", "))
	}
	b.WriteString("\n## Changes\n\n```sh\n")
	for _, row := range api.Routes() {
		if row.Changes {
			fmt.Fprintf(&b, "# %s\ncurl %s\n", row.Summary, row.Example)
		}
	}
	b.WriteString("```\n")
	return b.String()
}
