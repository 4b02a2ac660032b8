package api

import (
	"strings"
	"sync/atomic"

	"github.com/sipcmbeat/sipcmbeat/internal/metric"
)

// refused says why a request or a connection was turned away.
type refused uint8

const (
	tooManyConnections refused = iota
	wrongHost
	noToken
	crossOrigin
	tooManyStreams
	numRefused
)

var refusedWords = [numRefused]string{"connections", "host", "token", "origin", "streams"}

// counts are the server's own.
type counts struct {
	routes      []string // the paths, in the order of requests
	of          map[*Route]int
	requests    []atomic.Uint64
	answers     [6]atomic.Uint64 // by the first digit of the status
	refused     [numRefused]atomic.Uint64
	faults      atomic.Uint64
	connections atomic.Int64
	streams     atomic.Int64
	leftOut     atomic.Uint64
}

func (c *counts) init(routes []Route) {
	c.of = map[*Route]int{}
	at := map[string]int{}
	for i := range routes {
		p := routes[i].PlainPath()
		if _, ok := at[p]; !ok {
			at[p] = len(c.routes)
			c.routes = append(c.routes, p)
		}
		c.of[&routes[i]] = at[p]
	}
	c.requests = make([]atomic.Uint64, len(c.routes))
}

func (c *counts) request(row *Route) { c.requests[c.of[row]].Add(1) }

func (c *counts) answer(status int) {
	if class := status / 100; class > 0 && class < len(c.answers) {
		c.answers[class].Add(1)
	}
}

const httpGroup = "http"

// The families of the server's own counters.
var (
	descRequests    = &metric.Desc{Group: httpGroup, Name: "http_requests", Kind: metric.Counter, Label: "path", Help: "Requests by the path that they asked for."}
	descAnswers     = &metric.Desc{Group: httpGroup, Name: "http_answers", Kind: metric.Counter, Label: "class", Help: "Answers by the class of their status."}
	descRefused     = &metric.Desc{Group: httpGroup, Name: "http_refused", Kind: metric.Counter, Label: "reason", Help: "What was turned away: connections beyond http.max_connections, other host names, a wrong token, changes from other origins, too many streams."}
	descFaults      = &metric.Desc{Group: httpGroup, Name: "http_faults", Kind: metric.Counter, Help: "Requests that this program failed on."}
	descConnections = &metric.Desc{Group: httpGroup, Name: "http_connections", Kind: metric.Gauge, Help: "Connections that are open."}
	descStreams     = &metric.Desc{Group: httpGroup, Name: "http_streams", Kind: metric.Gauge, Help: "Streams of events that are open."}
	descLeftOut     = &metric.Desc{Group: httpGroup, Name: "http_stream_events_left_out", Kind: metric.Counter, Help: "Events that streams left out, because there were more than they carry."}
)

// Metrics are the families of the server's own counters, for the documents.
var Metrics = []*metric.Desc{descRequests, descAnswers, descRefused, descFaults, descConnections, descStreams, descLeftOut}

// Samples gives the server's own counters.
func (s *Server) Samples(add metric.Adder) {
	c := &s.count
	for i, path := range c.routes {
		add(descRequests, path, float64(c.requests[i].Load()))
	}
	for class := 1; class < len(c.answers); class++ {
		add(descAnswers, string(rune('0'+class))+"xx", float64(c.answers[class].Load()))
	}
	for i := range c.refused {
		add(descRefused, refusedWords[i], float64(c.refused[i].Load()))
	}
	add(descFaults, "", float64(c.faults.Load()))
	add(descConnections, "", float64(c.connections.Load()))
	add(descStreams, "", float64(c.streams.Load()))
	add(descLeftOut, "", float64(c.leftOut.Load()))
}

// without leaves out the rows below a path.
func without(routes []Route, prefix string) (kept []Route) {
	for _, row := range routes {
		if !strings.HasPrefix(row.Path, prefix) {
			kept = append(kept, row)
		}
	}
	return kept
}
