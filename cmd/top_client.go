package cmd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// topClient asks the pages of a running program, in their JSON form (docs/http.md). What
// comes is not trusted: its length is bounded, and whoever shows a text of it makes it
// plain first.
type topClient struct {
	place string // as the user wrote it, without what follows the port
	token string
	http  *http.Client
}

// Bounds of one answer.
const (
	patient   = 5 * time.Second
	maxAnswer = 8 << 20
)

func newTopClient(place, token, ca string) (*topClient, error) {
	u, err := url.Parse(place)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, fmt.Errorf("--url: %q is not allowed; allowed: such as http://127.0.0.1:8080 or https://probe.example.com:8443", place)
	}
	t := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	if ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--ca: %s holds no certificate in PEM form", ca)
		}
	}
	return &topClient{place: u.Scheme + "://" + u.Host, token: token, http: &http.Client{
		Transport: t, Timeout: patient,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the token stays here
	}}, nil
}

// answers are what the program said at one moment.
type answers struct {
	at       time.Time // by the clock of this machine
	overview topOverview
	rates    view.RatePage
	stats    topStats
	queue    topQueue  // libbeat's
	output   topOutput // libbeat's
}

// topOverview is what is shown of /api/v1/overview.
type topOverview struct {
	Time     time.Time         `json:"time"`
	Health   view.Health       `json:"health"`
	Calls    int               `json:"calls"`
	Up       *int              `json:"calls_up"`
	AORs     int               `json:"aors"`
	Bindings int               `json:"bindings"`
	Offended int               `json:"offenders"`
	Types    []view.TypeSwitch `json:"types"`
	Losses   []topCounter      `json:"losses"`
	Version  string            `json:"version"`
}

type topCounter struct {
	Group string   `json:"group"`
	Name  string   `json:"name"`
	Value string   `json:"label_value"`
	N     float64  `json:"value"`
	Rate  *float64 `json:"per_second"`
}

// topStats is what is shown of /api/v1/stats.
type topStats struct {
	Uptime  float64         `json:"uptime_seconds"`
	Libbeat json.RawMessage `json:"libbeat"` // its own counters, which may have other names one day
}

// topQueue is how full a queue is.
type topQueue struct {
	Filled struct {
		Events float64 `json:"events"`
		Share  float64 `json:"pct"` // 0 to 1
	} `json:"filled"`
	Max float64 `json:"max_events"`
}

// topOutput counts events at the output.
type topOutput struct {
	Active     float64 `json:"active"`
	Acked      float64 `json:"acked"`
	Failed     float64 `json:"failed"` // and sent again
	Dropped    float64 `json:"dropped"`
	Duplicates float64 `json:"duplicates"`
}

// ask asks for everything.
func (c *topClient) ask(ctx context.Context) (*answers, error) {
	a := &answers{}
	for _, x := range []struct {
		path string
		to   any
	}{{"/api/v1/overview", &a.overview}, {"/api/v1/evrateblst?limit=50", &a.rates}, {"/api/v1/stats", &a.stats}} {
		if err := c.get(ctx, x.path, x.to); err != nil {
			return nil, err
		}
	}
	var libbeat struct {
		Libbeat struct {
			Output struct {
				Events topOutput `json:"events"`
			} `json:"output"`
			Pipeline struct {
				Queue topQueue `json:"queue"`
			} `json:"pipeline"`
		} `json:"libbeat"`
	}
	if json.Unmarshal(a.stats.Libbeat, &libbeat) == nil {
		a.queue, a.output = libbeat.Libbeat.Pipeline.Queue, libbeat.Libbeat.Output.Events
	}
	return a, nil
}

func (c *topClient) get(ctx context.Context, path string, to any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.place+path, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "application/json")
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return c.unreachable(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return c.unreachable(err)
	case len(body) > maxAnswer:
		return c.stranger(path, fmt.Errorf("more than %d MiB", maxAnswer>>20))
	case answer.StatusCode != http.StatusOK:
		return c.refused(answer.StatusCode, body)
	}
	if err := json.Unmarshal(body, to); err != nil {
		return c.stranger(path, err)
	}
	return nil
}

// unreachable says why nobody answers, and what to do.
func (c *topClient) unreachable(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var unknown x509.UnknownAuthorityError
	var slow net.Error
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("%s: %s; --ca names the file of the authority", c.place, plain(err.Error()))
	case errors.As(err, &slow) && slow.Timeout():
		return fmt.Errorf("%s does not answer within %v", c.place, patient)
	}
	return fmt.Errorf("%s does not answer: %s; the pages of a running program are at its http_addr and http_port (0 is off), and --url says where", c.place, plain(err.Error()))
}

// refused says what the program said.
func (c *topClient) refused(status int, body []byte) error {
	var said struct{ Detail string }
	_ = json.Unmarshal(body, &said) // or it says nothing
	detail := ""
	if said.Detail != "" {
		detail = ": " + plain(said.Detail)
	}
	switch status {
	case http.StatusUnauthorized:
		return fmt.Errorf("%s asks for its token (http.auth.token): give it by --token, or in %s%s", c.place, tokenVariable, detail)
	case http.StatusForbidden:
		return fmt.Errorf("%s refuses%s; --url names the program by the address or one of http.names, --token the token", c.place, detail)
	case http.StatusNotFound:
		return c.stranger("", errors.New("404 Not Found"))
	}
	return fmt.Errorf("%s answers %d %s%s", c.place, status, http.StatusText(status), detail)
}

// stranger says that it is not what was expected.
func (c *topClient) stranger(path string, err error) error {
	return fmt.Errorf("what answers at %s%s is no sipcmbeat of this version: %s; --url says where it is", c.place, path, plain(err.Error()))
}

// plain makes a text harmless in a terminal.
func plain(text string) string { return string(cut(appendPlain(nil, []byte(text)), maxText)) }

// maxText is the longest text that is shown, in characters.
const maxText = 300
