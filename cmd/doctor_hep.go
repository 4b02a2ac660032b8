package cmd

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/sipcmbeat/sipcmbeat/config"
	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/doctor"
)

// listened says what came to a place where HEP, or copies of messages, are taken in so
// long.
func listened(name string, took time.Duration, s capture.Stats) (all []doctor.Finding) {
	say := func(v doctor.Verdict, text, advice string) {
		all = append(all, doctor.Finding{Verdict: v, About: "listening", Text: name + ": " + text, Advice: advice})
	}
	for _, row := range []struct {
		n            uint64
		text, advice string
	}{
		{s.Refused, "packets or connections of senders that are not allowed", "add them to allow, if they may send"},
		{s.WrongKey, "packets without one of the keys", "compare auth_keys with the senders' settings; HEP 1 and 2 have no key"},
		{s.Surplus, "connections too many", "raise max_connections"},
		{s.Broken, "connections that did not carry HEP to the end", "does the sender send HEP by the same transport, tcp or tls?"},
		{s.KernelDrops, "packets lost by the kernel", "raise buffer_kb, and the kernel's net.core.rmem_max"},
	} {
		if row.n > 0 {
			say(doctor.Bad, fmt.Sprintf("%d %s", row.n, row.text), row.advice)
		}
	}
	switch {
	case s.Frames > 0:
		say(doctor.Fine, fmt.Sprintf("%d packets", s.Frames), "")
	case len(all) == 0:
		say(doctor.Bad, fmt.Sprintf("nothing came in %v", took.Round(100*time.Millisecond)), "does the sender send here (docs/hep.md), does a firewall let it through?")
	}
	return all
}

// unopened says that an input could not be opened, and what may be the reason.
func unopened(in *config.Input, err error) doctor.Finding {
	f := doctor.Finding{Verdict: doctor.Bad, About: "capture", Text: err.Error()}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		f.Verdict = doctor.Note
		f.Advice = "by sipcmbeat, if it runs: then its status line says what comes; else ss -lnutp says by whom"
	case listens(in) && errors.Is(err, syscall.EACCES):
		f.Advice = "ports below 1024 need root, or setcap cap_net_bind_service+ep PROGRAM"
	}
	return f
}

// listens tells an input of sockets.
func listens(in *config.Input) bool {
	return in.Type == config.HEPInput || in.Type == config.SiptraceInput
}
