package api

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// formList takes a list apart: of several fields, or with commas in one.
func formList(form url.Values, name string) (all []string) {
	for _, v := range form[name] {
		for w := range strings.SplitSeq(v, ",") {
			if w = strings.TrimSpace(w); w != "" {
				all = append(all, w)
			}
		}
	}
	return all
}

func setTypes(c *call) (any, error) {
	var body view.TypeNames
	form, err := c.body(&body, maxBody)
	if err != nil {
		return nil, err
	}
	if form != nil {
		body.Types = formList(form, "types")
		if !form.Has("types") {
			body.Types = nil
		} else if body.Types == nil {
			body.Types = []string{}
		}
	}
	if body.Types == nil {
		return nil, refuse(http.StatusBadRequest, "types is missing", `{"types": ["other-ok"]}`, `{"types": []} holds nothing back`)
	}
	for _, name := range body.Types {
		if _, ok := event.ParseType(name); !ok {
			return nil, refuse(http.StatusBadRequest, fmt.Sprintf("%q is no event type", cut(name)), typeNames()...)
		}
	}
	if err := c.s.program.SetTypes(body.Types, c.who); err != nil {
		return nil, err
	}
	return types(c)
}

// switchTypes sets single types, all of them or none.
func switchTypes(c *call) (any, error) {
	var on, off []string
	for _, name := range typeNames() {
		if b := c.flag(name); b != nil && *b {
			on = append(on, name)
		} else if b != nil {
			off = append(off, name)
		}
	}
	if len(on)+len(off) == 0 {
		return nil, refuse(http.StatusBadRequest, "no event type is named", "other-ok=1 holds other-ok back, other-ok=0 lets it leave", "types: "+strings.Join(typeNames(), ", "))
	}
	for _, name := range on {
		if err := c.s.program.SetType(name, true, c.who); err != nil {
			return nil, err
		}
	}
	for _, name := range off {
		if err := c.s.program.SetType(name, false, c.who); err != nil {
			return nil, err
		}
	}
	return types(c)
}

func setLimits(c *call) (any, error) {
	var l view.Limits
	form, err := c.body(&l, maxBody)
	if err != nil {
		return nil, err
	}
	if form != nil {
		if l, err = limitsOf(form); err != nil {
			return nil, err
		}
	}
	if l.Limits == nil && l.Intervals == nil && l.ReportMin == nil && l.ReportMax == nil {
		return nil, refuse(http.StatusBadRequest, "nothing is to be changed", fieldsOf(c.row.Body)...)
	}
	if err := c.s.program.SetLimits(l, c.who); err != nil {
		return nil, err
	}
	c.values = url.Values{}
	return rateList(c)
}

func limitsOf(form url.Values) (l view.Limits, err error) {
	l.Intervals = formList(form, "intervals")
	for _, w := range formList(form, "limits") {
		n, err := strconv.ParseFloat(w, 64)
		if err != nil {
			return l, refuse(http.StatusBadRequest, fmt.Sprintf("limits: %q is not allowed", cut(w)), "numbers, 0 measures only")
		}
		l.Limits = append(l.Limits, n)
	}
	for name, to := range map[string]**uint64{"report_min": &l.ReportMin, "report_max": &l.ReportMax} {
		if w := form.Get(name); w != "" {
			n, err := strconv.ParseUint(w, 10, 64)
			if err != nil {
				return l, refuse(http.StatusBadRequest, fmt.Sprintf("%s: %q is not allowed", name, cut(w)), "a whole number")
			}
			*to = &n
		}
	}
	return l, nil
}

func forgetRate(c *call) (any, error) {
	if err := c.s.program.ForgetRate(c.text("type"), c.text("source"), c.who); err != nil {
		return nil, err
	}
	return view.Done{Done: fmt.Sprintf("the rate of %s from %s begins anew", c.text("type"), c.text("source"))}, nil
}

// maxReason is how long the reason for an entry of the blacklist may be.
const maxReason = 256

func offend(c *call) (any, error) {
	var o view.NewOffender
	form, err := c.body(&o, maxBody)
	if err != nil {
		return nil, err
	}
	if form != nil {
		o = view.NewOffender{Source: form.Get("source"), Reason: form.Get("reason"), Lasts: form.Get("lasts")}
	}
	if !isNetwork(o.Source) {
		return nil, refuse(http.StatusBadRequest, fmt.Sprintf("source: %q is not allowed", cut(o.Source)), "an address, or a network such as 192.0.2.0/24")
	}
	if len(o.Reason) > maxReason {
		return nil, refuse(http.StatusBadRequest, "reason is too long", fmt.Sprintf("at most %d bytes", maxReason))
	}
	var lasts time.Duration
	if o.Lasts != "" {
		if lasts, err = time.ParseDuration(o.Lasts); err != nil || lasts <= 0 {
			return nil, refuse(http.StatusBadRequest, fmt.Sprintf("lasts: %q is not allowed", cut(o.Lasts)), "a duration such as 24h", "nothing: until it is taken off")
		}
	}
	if err := c.s.program.Offend(o.Source, strings.ToValidUTF8(o.Reason, "\uFFFD"), lasts, c.who); err != nil {
		return nil, err
	}
	c.values = url.Values{}
	return offenders(c)
}

func forgive(c *call) (any, error) {
	if err := c.s.program.Forgive(c.text("source"), c.who); err != nil {
		return nil, err
	}
	return view.Done{Done: c.text("source") + " is off the blacklist"}, nil
}

func reload(c *call) (any, error) {
	done, err := c.s.program.Reload(c.who)
	if err != nil {
		return nil, refuse(http.StatusUnprocessableEntity, err.Error(), "what runs goes on as it was; mend the file and reload again")
	}
	done.Changed, done.Restart = some(done.Changed), some(done.Restart)
	return done, nil
}

func inject(c *call) (any, error) {
	if !c.s.cfg.Inject {
		return nil, refuse(http.StatusForbidden, "putting messages in is switched off", "http.inject: true in the configuration")
	}
	if !c.local() {
		return nil, refuse(http.StatusForbidden, "messages are taken from this machine alone", "a request from 127.0.0.1 that nobody passed on")
	}
	var m view.Injected
	form, err := c.body(&m, maxMessage)
	if err != nil {
		return nil, err
	}
	if form != nil {
		m = view.Injected{Message: form.Get("message"), Source: form.Get("source"), Destination: form.Get("destination"), Transport: form.Get("transport")}
	}
	if m.Transport == "" {
		m.Transport = "udp"
	}
	if m.Transport != "udp" && m.Transport != "tcp" {
		return nil, refuse(http.StatusBadRequest, fmt.Sprintf("transport: %q is not allowed", cut(m.Transport)), "udp", "tcp")
	}
	if m.Message == "" {
		return nil, refuse(http.StatusBadRequest, "message is missing", "a whole SIP message")
	}
	for name, v := range map[string]string{"source": m.Source, "destination": m.Destination} {
		if _, err := netip.ParseAddrPort(v); err != nil {
			return nil, refuse(http.StatusBadRequest, fmt.Sprintf("%s: %q is not allowed", name, cut(v)), "an address and a port, such as 192.0.2.1:5060")
		}
	}
	if err := c.s.program.Inject(m, c.who); err != nil {
		return nil, err
	}
	return view.Done{Done: "the message was taken; its events say that it was put in by hand"}, nil
}

// local tells whether this machine asks. A proxy beside this program asks for others: it
// says for whom, or sends on the name by which they know it.
func (c *call) local() bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"} {
		if c.r.Header.Get(name) != "" {
			return false
		}
	}
	a, err := netip.ParseAddrPort(c.r.RemoteAddr)
	return err == nil && a.Addr().Unmap().IsLoopback() && (c.r.Host == "" || isLoopback(c.r.Host))
}
