package web

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// states are those of calls that a filter is most often asked for, docs/states.md.
var states = []string{"calling", "proceeding", "challenged", "cancelling", "failed", "confirmed", "ending", "ended"}

func calls(a asked, answer any) any {
	p := answer.(view.CallPage)
	return struct {
		List   listing
		Calls  []view.Call
		States []string
	}{a.list(p.Page, len(p.Calls), "calls and attempts", "No call is in memory. One shows up here with the first INVITE; whether packets come is under Health."), p.Calls, states}
}

// Bounds of a page of one call.
const (
	ladderRows  = 80 // messages
	ladderHosts = 10 // columns; with more the table alone has them
	mostParts   = 20
)

func oneCall(a asked, answer any) any {
	d := answer.(view.CallDetail)
	at, _ := strconv.Atoi(a.query.Get("cursor"))
	at = max(0, min(at, len(d.Messages)-1))
	body := struct {
		Call           view.CallDetail
		Parts          []view.Call
		PartsLeft      int
		Legs           []string
		LegsLeft       int
		Ladder         ladder
		Earlier, Later string
	}{Call: d, Ladder: draw(d.Messages, at)}
	body.Parts, body.PartsLeft = part(d.Parts, mostParts)
	body.Legs, body.LegsLeft = part(d.Legs, mostParts)
	if at > 0 {
		body.Earlier = link(a.path, "cursor", strconv.Itoa(max(0, at-ladderRows)))
	}
	if at+ladderRows < len(d.Messages) {
		body.Later = link(a.path, "cursor", strconv.Itoa(at+ladderRows))
	}
	return body
}

// ladder is a part of a call's messages as a drawing: a column for each host, an arrow
// for each message, downwards in time.
type ladder struct {
	First, Last, Of       int // messages: the numbers of those shown, and how many there are
	Hosts                 []host
	Arrows                []arrow
	Drawn                 bool
	Width, Height, Bottom int
}

// host is a column.
type host struct {
	X             int
	Name          string // address and port
	Address, Port string
}

// arrow is a message, and where it stands.
type arrow struct {
	view.Message
	No           int
	Delta        time.Duration // after the message before
	Kind         string        // of colour
	Y, X1, X2    int
	TextX, TextY int
	Tip          string // the arrow's head
	Loop         bool   // from a host to itself
	Label, Clock string
	Title        string
}

// Measures of the drawing, in pixels.
const (
	ladderLeft   = 170 // of the first column's middle: the time stands before it
	ladderColumn = 270
	ladderTop    = 74
	ladderRow    = 38
)

// draw places the messages from one on.
func draw(all []view.Message, from int) ladder {
	l := ladder{Of: len(all)}
	if len(all) == 0 {
		return l
	}
	to := min(from+ladderRows, len(all))
	l.First, l.Last = from+1, to
	at := map[string]int{}
	for _, m := range all[from:to] {
		for _, name := range []string{m.Source, m.Dest} {
			if _, ok := at[name]; !ok {
				at[name] = len(l.Hosts)
				h := host{X: ladderLeft + ladderColumn*len(l.Hosts), Name: name, Address: fit(34, name).Short}
				if a, err := netip.ParseAddrPort(name); err == nil {
					h.Address, h.Port = a.Addr().String(), "port "+strconv.Itoa(int(a.Port()))
				}
				l.Hosts = append(l.Hosts, h)
			}
		}
	}
	for i, m := range all[from:to] {
		a := arrow{Message: m, No: from + i + 1, Kind: colour(m), Y: ladderTop + ladderRow*i, Clock: m.Time.UTC().Format("15:04:05.000")}
		if from+i > 0 {
			a.Delta = m.Time.Sub(all[from+i-1].Time)
		}
		a.place(l.Hosts[at[m.Source]].X, l.Hosts[at[m.Dest]].X)
		l.Arrows = append(l.Arrows, a)
	}
	l.Drawn = len(l.Hosts) <= ladderHosts
	l.Bottom = ladderTop + ladderRow*(to-from) - 10
	l.Width, l.Height = l.Hosts[len(l.Hosts)-1].X+ladderColumn/2, l.Bottom+12
	for _, a := range l.Arrows {
		if a.Loop {
			l.Width = max(l.Width, a.TextX+ladderColumn/2)
		}
	}
	return l
}

// colour names the colour of a message; its text says the same.
func colour(m view.Message) string {
	switch {
	case m.Code == 0:
		return "ask"
	case m.Code < 200:
		return "part"
	case m.Code < 300:
		return "ok"
	case m.Code == 401 || m.Code == 407:
		return "auth"
	}
	return "fail"
}

// place puts an arrow between two columns.
func (a *arrow) place(from, to int) {
	a.X1, a.X2 = from, to
	a.TextY = a.Y - 7
	room := abs(to - from)
	switch {
	case from == to:
		a.Loop, room = true, ladderColumn
		a.TextX, a.Tip = from+ladderColumn/2+12, fmt.Sprintf("M%d %dl9 -4v8z", from, a.Y+12)
	case from < to:
		a.TextX, a.Tip = (from+to)/2, fmt.Sprintf("M%d %dl-9 -4v8z", to, a.Y)
	default:
		a.TextX, a.Tip = (from+to)/2, fmt.Sprintf("M%d %dl9 -4v8z", to, a.Y)
	}
	note := ""
	if a.SDP {
		note += " (SDP)"
	}
	if a.Repeat {
		note += " (again)"
	}
	// A character is some 7 pixels wide.
	a.Label = fit(max(room/7-3-len(note), 12), short(a.Line)).Short + note
	a.Title = fmt.Sprintf("%d. %s → %s: %s", a.No, fit(48, a.Source).Short, fit(48, a.Dest).Short, fit(100, a.Line).Short)
}

// short leaves the version out of a start line: it is always the same.
func short(line string) string {
	line = strings.TrimSuffix(line, " SIP/2.0")
	return strings.TrimPrefix(line, "SIP/2.0 ")
}

func abs(n int) int { return max(n, -n) }
