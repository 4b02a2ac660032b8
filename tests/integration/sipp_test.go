package integration

import (
	"encoding/csv"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// scenario is the path of a SIPp scenario of ours.
func scenario(name string) string {
	path, err := filepath.Abs("testdata/" + name + ".xml")
	if err != nil {
		panic(err)
	}
	return path
}

// traffic is what SIPp sends straight to SIPp: calls, refused calls, and phones
// that register, refresh and leave.
type traffic struct {
	caller, callee *room
	from, to       string // addresses
	transport      string // as SIPp writes it: u1, t1 (one connection), tn (one a call)
	n              int    // calls; half as many refused ones and phones
	big            bool   // an INVITE and a 200 of more than 2,000 bytes
}

// The ports of traffic.
const (
	uas, registrar, busy = 5060, 5080, 5082
	sipPorts             = "ports: [5060, 5080, 5082]\n"
)

// serve starts the called side.
func (o traffic) serve() {
	answer := []string{"-sn", "uas"}
	if o.big {
		answer = []string{"-sf", scenario("big-answer")}
	}
	for port, args := range map[int][]string{
		uas: answer, registrar: {"-sf", scenario("registrar")}, busy: {"-sf", scenario("busy")},
	} {
		network := "udp"
		if o.transport[0] == 't' {
			network = "tcp"
		}
		p := o.callee.sippServer(o.to, port, append(args, "-t", o.transport[:1]+"1")...)
		o.callee.await(p, fmt.Sprintf("%s/%d", network, port))
	}
}

// run runs the calling side to its end and returns the events that it stands for
// by SIPp's own count.
func (o traffic) run(t *testing.T) counts {
	t.Helper()
	call := []string{"-sn", "uac", "-d", "300"}
	if o.big {
		call = []string{"-sf", scenario("big-call")}
	}
	at := func(port int) string { return net.JoinHostPort(o.to, strconv.Itoa(port)) }
	jobs := []*client{
		o.caller.sipp(o.from, 5090, at(uas), o.n, append(call, "-t", o.transport)...),
		o.caller.sipp(o.from, 5092, at(registrar), o.n/2, "-sf", scenario("register"), "-t", o.transport),
		o.caller.sipp(o.from, 5094, at(busy), o.n/2, "-sf", scenario("refused"), "-t", o.transport),
	}
	calls, phones, refused := jobs[0].done(), jobs[1].done(), jobs[2].done()
	return counts{"call-start": calls, "call-end": calls, "call-attempt": refused, "reg-new": phones, "reg-del": phones}
}

// sippServer starts a SIPp that answers.
func (r *room) sippServer(ip string, port int, args ...string) *process {
	r.t.Helper()
	return r.start(append([]string{"sipp", "-i", sippAddress(ip), "-p", strconv.Itoa(port), "-nostdin", "-buff_size", "212992"}, args...)...)
}

// sippAddress is how SIPp wants it: an IPv6 address in brackets.
func sippAddress(ip string) string {
	if net.ParseIP(ip).To4() == nil {
		return "[" + ip + "]"
	}
	return ip
}

// client is a SIPp that calls n times.
type client struct {
	*process
	room  *room
	n     int
	stats string
}

// sipp starts n calls.
func (r *room) sipp(from string, port int, to string, n int, args ...string) *client {
	r.t.Helper()
	c := &client{room: r, n: n, stats: filepath.Join(r.dir, fmt.Sprintf("stats-%d.csv", port))}
	c.process = r.start(append([]string{"sipp", to, "-i", sippAddress(from), "-p", strconv.Itoa(port), "-nostdin",
		"-m", strconv.Itoa(n), "-r", "50", "-max_socket", "1000", "-buff_size", "212992", "-trace_stat", "-stf", c.stats, "-fd", "1"}, args...)...)
	return c
}

// done waits for the end of the calls and returns how many succeeded by SIPp's own
// count, which have to be all.
func (c *client) done() int {
	t := c.room.t
	t.Helper()
	c.wait(t, time.Minute)
	f, err := os.Open(c.stats)
	if err != nil {
		t.Fatalf("SIPp's statistics: %v\n%s", err, tail(c.said()))
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.FieldsPerRecord = ';', -1
	rows, err := r.ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("SIPp's statistics: %v", err)
	}
	for i, column := range rows[0] {
		if column != "SuccessfulCall(C)" {
			continue
		}
		n, err := strconv.Atoi(rows[len(rows)-1][i])
		if err != nil || n != c.n {
			t.Errorf("SIPp did %d of %d calls: %v\n%s", n, c.n, err, tail(c.said()))
		}
		return n
	}
	t.Fatal("SIPp's statistics have no SuccessfulCall(C)")
	return 0
}
