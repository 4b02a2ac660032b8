package doctor

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
)

// Verdict is how bad a finding is.
type Verdict uint8

// The verdicts.
const (
	Fine Verdict = iota
	Note         // worth knowing
	Bad          // calls are missing or wrong because of it
)

// String is the word in front of a finding.
func (v Verdict) String() string { return [...]string{"ok", "note", "BAD"}[v] }

// Finding is one line of the report, and what to do about it.
type Finding struct {
	Verdict Verdict
	About   string
	Text    string
	Advice  string
}

// Losses are what a capture has lost.
type Losses struct{ Kernel, Interface uint64 }

// Report says what was seen in so long, the same lines for the same traffic.
func (x *Exam) Report(took time.Duration, lost Losses) []Finding {
	x.stream.Flush()
	x.units(false)
	var all []Finding
	add := func(v Verdict, about, advice, format string, args ...any) {
		all = append(all, Finding{v, about, fmt.Sprintf(format, args...), advice})
	}
	if x.frames == 0 {
		add(Bad, "packets", "is it the right interface (sipcmbeat devices), is it up, does the mirror port send?", "none in %v", round(took))
		return all
	}
	add(Fine, "packets", "", "%d in %v", x.frames, round(took))
	if lost.Kernel+lost.Interface > 0 {
		add(Bad, "losses", "raise pcap_buf_kb or workers; look at the card's ring (ethtool -g)",
			"%d by the kernel (the program was too slow), %d by the interface", lost.Kernel, lost.Interface)
	} else {
		add(Fine, "losses", "", "none")
	}
	x.signalling(add)
	if x.reports > 0 {
		add(Fine, "HEP", "", "%d packets with reports, logs or other things than SIP", x.reports)
	}
	if x.sip > 0 {
		x.directions(add)
		x.coverage(add)
	}
	x.layers(add)
	return all
}

type adder = func(v Verdict, about, advice, format string, args ...any)

// signalling is about how much SIP there is.
func (x *Exam) signalling(add adder) {
	switch {
	case x.sip == 0:
		advice := "no phone may have sent anything: wait for a registration, or try -i any"
		if x.content > 0 {
			advice = "what is on the SIP ports is something else; see TLS below, or the ports key"
		}
		add(Bad, "SIP", advice, "no message; %d packets with content on the SIP ports", x.content)
	case x.answers == 0 || x.requests == 0:
		add(Bad, "SIP", "a mirror of one direction only: see below", "%d requests and %d answers", x.requests, x.answers)
	default:
		text := fmt.Sprintf("%d messages: %d requests, %d answers; %d over TCP", x.sip, x.requests, x.answers, x.over[byTCP])
		for _, way := range []struct {
			n    uint64
			name string
		}{{x.over[byWebSocket], "WebSocket"}, {x.over[bySCTP], "SCTP"}} {
			if way.n > 0 {
				text += fmt.Sprintf(", %d over %s", way.n, way.name)
			}
		}
		add(Fine, "SIP", "", "%s", text)
	}
	if x.probes > 0 {
		add(Note, "no SIP", "", "%d datagrams on SIP ports are neither SIP nor keep-alives", x.probes)
	}
}

// host names a host.
func (x *Exam) host(a netip.Addr) string {
	if x.mask != nil {
		if a = x.mask(a); !a.IsValid() {
			return "a private address"
		}
	}
	return a.String()
}

// end names a host and its port.
func (x *Exam) end(a netip.AddrPort) string {
	if x.mask != nil {
		if a = netip.AddrPortFrom(x.mask(a.Addr()), a.Port()); !a.Addr().IsValid() {
			return fmt.Sprintf("port %d of a private address", a.Port())
		}
	}
	return a.String()
}

// enough messages one way and none back are more than chance.
const enough = 5

func (x *Exam) directions(add adder) {
	var oneWay []string
	both := 0
	for k, t := range x.pairs {
		switch {
		case t.there > 0 && t.back > 0:
			both++
		case t.there >= enough:
			oneWay = append(oneWay, fmt.Sprintf("%s to %s (%d messages)", x.host(k.a), x.host(k.b), t.there))
		case t.back >= enough:
			oneWay = append(oneWay, fmt.Sprintf("%s to %s (%d messages)", x.host(k.b), x.host(k.a), t.back))
		}
	}
	slices.Sort(oneWay)
	if len(oneWay) == 0 {
		add(Fine, "directions", "", "both, between %d pairs of hosts", both)
		return
	}
	add(Bad, "directions", "mirror both directions (rx and tx) of the port; without the answers no call succeeds",
		"one only: %s; both between %d pairs", some(oneWay), both)
}

// coverage is about what the program would not see, or see twice.
func (x *Exam) coverage(add adder) {
	if len(x.otherPorts) > 0 {
		var ports []string
		for _, p := range byCount(x.otherPorts, cmp.Compare) {
			ports = append(ports, fmt.Sprintf("%d (%d messages)", p, x.otherPorts[p]))
		}
		add(Bad, "ports", "add them to ports", "SIP on ports that are not listed: %s", some(ports))
	} else {
		add(Fine, "ports", "", "all SIP is on listed ports")
	}
	var unlisted uint64
	for _, n := range x.otherPorts {
		unlisted += n
	}
	if x.hidden > unlisted { // said already
		add(Bad, "filter", "the key bpf: leave it empty, and a filter is made from ports", "the kernel's filter hides %d of the %d messages", x.hidden, x.sip)
	}
	if x.repeated*5 > x.sip {
		add(Note, "duplicates", "a mirror of several ports, or any: recognised within dedup_window, but each costs time",
			"%d of %d messages came twice within 100ms", x.repeated, x.sip)
	}
}

func (x *Exam) layers(add adder) {
	if len(x.tls) > 0 {
		var servers []string
		for _, s := range byCount(x.tls, netip.AddrPort.Compare) {
			servers = append(servers, x.end(s))
		}
		add(Note, "TLS", "it can't be read; take it behind the server that decrypts, or as HEP from it", "signalling that is encrypted, at %s", some(servers))
	}
	if len(x.vlans) > 0 {
		var ids []string
		for _, id := range byCount(x.vlans, cmp.Compare) {
			ids = append(ids, fmt.Sprint(id))
		}
		add(Fine, "VLANs", "", "SIP in %s", some(ids))
	}
	if len(x.encaps) > 0 {
		add(Fine, "tunnels", "", "SIP in %s", some(byCount(x.encaps, cmp.Compare)))
	}
	whole, pieces := x.fragmented, x.drops[packet.Fragment]
	st := x.dec.Stats()
	if pieces > 0 || whole > 0 {
		verdict, advice := Fine, ""
		if st.Held > int(st.Assembled) {
			verdict, advice = Note, "the rest of them does not come: the mirror or a firewall drops fragments"
		}
		add(verdict, "fragments", advice, "%d; %d datagrams put together, %d of them SIP, %d incomplete", st.Fragments, st.Assembled, whole, st.Held)
	}
}

// some is the first few of a list, in order.
func some(all []string) string {
	const shown = 5
	if len(all) <= shown {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:shown], ", "), len(all)-shown)
}

// byCount gives the keys, the most frequent first.
func byCount[K comparable](m map[K]uint64, compare func(a, b K) int) []K {
	return slices.SortedFunc(maps.Keys(m), func(a, b K) int {
		return cmp.Or(cmp.Compare(m[b], m[a]), compare(a, b))
	})
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }
