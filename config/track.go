package config

import (
	"github.com/sipcmbeat/sipcmbeat/internal/enrich"
	"github.com/sipcmbeat/sipcmbeat/internal/track"
)

// composeTrack says how calls and registrations are followed.
func (c *Config) composeTrack(t *track.Config) error {
	k := &c.Keys
	to := &k.CallsTimeouts
	t.Invite, t.Proceeding, t.Request, t.Bye = to.Invite, to.Proceeding, to.Request, to.Bye
	t.Established, t.AuthLinger, t.RetryLinger = to.Established, to.AuthLinger, to.RetryLinger
	t.Early, t.Completed, t.Warmup = to.Early, to.Completed, to.Warmup
	t.RegExpDelta, t.RegDelDelay = k.RegExpDelta, k.RegDelDelay
	t.ContactIgnorePort, t.Alive = k.ContactIgnorePort, k.CallAliveInterval
	t.MaxCalls = orDefault(k.CallsMaxEntries, t.MaxCalls)
	t.MaxRegs = orDefault(k.RegsMaxEntries, t.MaxRegs)
	t.MaxCallsMem = orDefault(int64(k.CallsMaxMem), quarter())
	t.MaxRegsMem = orDefault(int64(k.RegsMaxMem), quarter())

	var err error
	if k.Numbers.Emergency, err = list("numbers.emergency", k.Numbers.Emergency, true); err != nil {
		return err
	}
	if t.Emergency, err = numbers(k.Numbers.Emergency); err != nil {
		return err
	}
	if k.Numbers.Country == none {
		k.Numbers.Country = ""
	}
	if c := k.Numbers.Country; c != "" && !enrich.IsCountry(c) {
		return refuse("numbers.country", quote(c), "a country as ISO 3166-1 has it, such as DE, with Norway in quotes, as \"NO\"; none")
	}
	if k.AuthFailedCodes, err = list("auth_failed_codes", k.AuthFailedCodes, true); err != nil {
		return err
	}
	if t.AuthFailedCodes, err = authFailedCodes(k.AuthFailedCodes); err != nil {
		return err
	}
	if k.CorrelationHeaders, err = list("correlation_headers", k.CorrelationHeaders, true); err != nil {
		return err
	}
	t.CorrelationHeaders = k.CorrelationHeaders
	if k.Headers, err = list("headers", k.Headers, true); err != nil {
		return err
	}
	t.Headers = k.Headers
	return nil
}
