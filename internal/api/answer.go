package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// What a body may hold. The path of what is put in by hand has a whole message.
const (
	maxBody    = 64 << 10
	maxMessage = 1 << 20
)

// wantsPage tells whether HTML is asked for: it has to be named. A program that takes
// anything (*/*, as curl does), or says nothing, gets JSON.
func wantsPage(r *http.Request) bool {
	html, json := 0.0, 0.0
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		kind, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		q, err := strconv.ParseFloat(params["q"], 64)
		if err != nil {
			q = 1
		}
		switch kind {
		case "text/html", "application/xhtml+xml":
			html = max(html, q)
		case "application/json":
			json = max(json, q)
		}
	}
	return html > 0 && html >= json
}

// accepts tells whether a form of an answer is named.
func accepts(r *http.Request, kind string) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		if k, params, err := mime.ParseMediaType(strings.TrimSpace(part)); err == nil && k == kind && params["q"] != "0" {
			return true
		}
	}
	return false
}

// answer writes what a row gave. After a form a person is led back to
// the page that it stands on.
func (c *call) answer(n *node, answer any) {
	c.w.Header().Add("Vary", "Accept")
	if c.page && c.row.Changes {
		http.Redirect(c.w, c.r, back(c.r, n.path), http.StatusSeeOther)
		return
	}
	if text, ok := answer.(plain); ok {
		c.write(http.StatusOK, "text/plain; charset=utf-8", []byte(text))
		return
	}
	c.json(http.StatusOK, "application/json", answer)
}

// back is where a form leads to: the field next, if it is a path of this server.
func back(r *http.Request, path string) string {
	next := r.PostForm.Get(nextField)
	if u, err := url.Parse(next); err == nil && strings.HasPrefix(next, "/") && !strings.HasPrefix(next, "//") &&
		!strings.ContainsAny(next, "\\\r\n") && u.Host == "" && u.Scheme == "" {
		return next
	}
	return path
}

// json writes v. What cannot be written is a fault of this program.
func (c *call) json(status int, kind string, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	if err := enc.Encode(v); err != nil {
		status, kind = http.StatusInternalServerError, "application/problem+json"
		b.Reset()
		_ = enc.Encode(view.Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: "the answer cannot be written: " + err.Error()})
	}
	c.write(status, kind, b.Bytes())
}

func (c *call) write(status int, kind string, b []byte) {
	h := c.w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(b)))
	c.w.WriteHeader(status)
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(b) // who has gone away misses it
	}
}

// fail answers with an error: a page to a person, RFC 9457 to a program.
func (c *call) fail(err error) {
	var e *refusal
	switch {
	case errors.As(err, &e):
	case errors.Is(err, view.ErrMissing):
		e = refuse(http.StatusNotFound, err.Error()).(*refusal)
	default:
		e = refuse(http.StatusBadRequest, err.Error()).(*refusal)
	}
	if e.allow != "" {
		c.w.Header().Set("Allow", e.allow)
	}
	c.w.Header().Add("Vary", "Accept")
	if c.page {
		c.s.problemPage(c.w, c.r, e.Problem)
		return
	}
	c.json(e.Status, "application/problem+json", e.Problem)
}

func isForm(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && (kind == "application/x-www-form-urlencoded" || kind == "multipart/form-data")
}

// readForm reads a form once, of at most so many bytes.
func (c *call) readForm(most int64) error {
	if c.r.PostForm != nil {
		return nil
	}
	if kind, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type")); kind == "multipart/form-data" {
		return refuse(http.StatusUnsupportedMediaType, "multipart/form-data is not read", "application/json", "application/x-www-form-urlencoded")
	}
	body, err := c.readBody(most)
	if err != nil {
		return err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return refuse(http.StatusBadRequest, "the form cannot be read: "+err.Error())
	}
	c.r.PostForm = form
	return nil
}

func (c *call) readBody(limit int64) ([]byte, error) {
	b, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, limit))
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		return nil, refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is longer than %d bytes", limit), fmt.Sprintf("at most %d bytes", limit))
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, refuse(http.StatusRequestTimeout, "the body has not come in time", fmt.Sprintf("a request within %v", readTime))
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "the body cannot be read: "+err.Error())
	}
	return b, nil
}

// body reads JSON into v, or gives the fields of a form.
func (c *call) body(v any, limit int64) (url.Values, error) {
	if isForm(c.r) {
		if err := c.readForm(limit); err != nil {
			return nil, err
		}
		for name := range c.r.PostForm {
			if name != methodField && name != nextField && !c.row.hasField(name) {
				return nil, refuse(http.StatusBadRequest, fmt.Sprintf("%q is no field of this form", cut(name)), fieldsOf(c.row.Body)...)
			}
		}
		return c.r.PostForm, nil
	}
	if kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, refuse(http.StatusUnsupportedMediaType, fmt.Sprintf("a body of the type %q is not read", cut(c.r.Header.Get("Content-Type"))),
			"application/json", "application/x-www-form-urlencoded")
	}
	b, err := c.readBody(limit)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	wrong := func(err error) error {
		return refuse(http.StatusBadRequest, "the body cannot be read: "+cut(err.Error()), "an object with "+strings.Join(fieldsOf(c.row.Body), ", "))
	}
	if b := bytes.TrimSpace(b); len(b) == 0 || b[0] != '{' {
		return nil, wrong(errors.New("it is no object"))
	}
	if err := dec.Decode(v); err != nil {
		return nil, wrong(err)
	}
	var plain map[string]any
	if err := json.Unmarshal(b, &plain); err == nil && hasNull(plain) {
		return nil, wrong(errors.New("null is no value here; leave the field out"))
	}
	if dec.More() {
		return nil, wrong(errors.New("something comes after the object"))
	}
	return nil, nil
}

// hasNull tells whether a value is null, or something in it: Go would read a zero.
func hasNull(v any) bool {
	switch x := v.(type) {
	case nil:
		return true
	case map[string]any:
		for _, below := range x {
			if hasNull(below) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(x, hasNull)
	}
	return false
}

// fieldsOf names the fields of a body.
func fieldsOf(body any) []string {
	switch body.(type) {
	case view.TypeNames:
		return []string{"types"}
	case view.Limits:
		return []string{"limits", "intervals", "report_min", "report_max"}
	case view.NewOffender:
		return []string{"source", "reason", "lasts"}
	case view.Injected:
		return []string{"message", "source", "destination", "transport"}
	}
	return nil
}
