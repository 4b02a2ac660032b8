package stores

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
)

// Proxy stands between an output and a server that speaks Elasticsearch's interface.
// It notes what is asked, and answers some of it itself.
type Proxy struct {
	URL string

	// PosesAs is the version of Elasticsearch that `GET /` tells, with a licence at
	// `/_license`; "": the server is asked.
	PosesAs string
	// Bulk may answer the n-th bulk request, from 0, in the server's place, or change
	// what is sent on. It returns true when the request is answered.
	Bulk func(p *Proxy, n int, w http.ResponseWriter, r *http.Request, body []byte) bool

	to        *Server
	forward   *httputil.ReverseProxy
	transport *http.Transport
	mu        sync.Mutex
	bulks     int
	headers   []http.Header
}

// NewProxy makes a proxy until the test ends. Set its fields before it is used.
func NewProxy(t testing.TB, to *Server) *Proxy {
	t.Helper()
	target, err := url.Parse(to.URL)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{to: to, transport: &http.Transport{}}
	if to.CA != "" {
		pem, err := os.ReadFile(to.CA)
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		p.transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	p.forward = httputil.NewSingleHostReverseProxy(target)
	p.forward.Transport = p.transport
	p.forward.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
		w.WriteHeader(http.StatusBadGateway)
		fmt.Fprint(w, err)
	}
	s := httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(s.Close)
	p.URL = s.URL
	return p
}

// Headers are those of every request so far.
func (p *Proxy) Headers() []http.Header {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]http.Header(nil), p.headers...)
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.headers = append(p.headers, r.Header.Clone())
	p.mu.Unlock()
	w.Header().Set("X-Elastic-Product", "Elasticsearch")
	switch {
	case p.PosesAs != "" && r.URL.Path == "/":
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"name":"x","cluster_name":"x","cluster_uuid":"x","version":{"number":%q,"build_flavor":"default"},"tagline":"You Know, for Search"}`, p.PosesAs)
	case p.PosesAs != "" && r.URL.Path == "/_license":
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"license":{"uid":"x","type":"basic","status":"active"}}`)
	case strings.HasSuffix(r.URL.Path, "/_bulk"):
		p.bulk(w, r)
	default:
		p.forward.ServeHTTP(w, r)
	}
}

func (p *Proxy) bulk(w http.ResponseWriter, r *http.Request) {
	var from io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(from)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		from = unzipped
		r.Header.Del("Content-Encoding")
	}
	body, err := io.ReadAll(from)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	n := p.bulks
	p.bulks++
	p.mu.Unlock()
	if p.Bulk != nil && p.Bulk(p, n, w, r, body) {
		return
	}
	p.pass(w, r, body)
}

func (p *Proxy) pass(w http.ResponseWriter, r *http.Request, body []byte) {
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	p.forward.ServeHTTP(w, r)
}

// TooMany answers that the server has too much to do.
func TooMany(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusTooManyRequests)
	fmt.Fprint(w, `{"error":{"type":"es_rejected_execution_exception","reason":"too much to do"},"status":429}`)
}

// LoseAnswer lets the server store what was sent, and cuts the connection in place of
// its answer.
func (p *Proxy) LoseAnswer(r *http.Request, body []byte) {
	p.pass(httptest.NewRecorder(), r, body)
	panic(http.ErrAbortHandler)
}

// Halve hands the first half of the documents to the server and answers 429 for each
// of the others.
func (p *Proxy) Halve(w http.ResponseWriter, r *http.Request, body []byte) {
	lines := bytes.SplitAfter(body, []byte("\n"))
	docs := len(lines) / 2
	taken := docs - docs/2
	answer := httptest.NewRecorder()
	p.pass(answer, r, bytes.Join(lines[:2*taken], nil))
	var said struct {
		Errors bool              `json:"errors"`
		Items  []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &said); err != nil || len(said.Items) != taken {
		http.Error(w, fmt.Sprintf("%d documents of %d: %v: %s", len(said.Items), taken, err, answer.Body), http.StatusBadGateway)
		return
	}
	for range docs - taken {
		said.Items = append(said.Items, json.RawMessage(`{"create":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"too much to do"}}}`))
	}
	said.Errors = true
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(said); err != nil {
		panic(http.ErrAbortHandler)
	}
}
