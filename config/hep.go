package config

import (
	"strings"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
)

// composeHEP makes the configuration of an input that listens on sockets.
func (in *Input) composeHEP(path func(string) string) (err error) {
	c := capture.DefaultHEPConfig()
	c.Siptrace = in.Type == SiptraceInput
	if in.Listen, err = list(path("listen"), in.Listen, true); err != nil {
		return err
	}
	if len(in.Listen) == 0 && !c.Siptrace {
		in.Listen = c.Listen
	}
	if len(in.AuthKeys) == 1 && in.AuthKeys[0] == none {
		in.AuthKeys = nil // an empty key is refused, since a variable that is empty would let everybody in
	}
	c.Listen, c.Cert, c.Key, c.AuthKeys = in.Listen, in.Cert, in.CertKey, in.AuthKeys
	c.MaxConns, c.IdleTimeout, c.BufferKB = in.MaxConnections, in.IdleTimeout, in.BufferKB
	if in.Allow, err = list(path("allow"), in.Allow, true); err != nil {
		return err
	}
	if c.Allow, err = prefixes(path("allow"), in.Allow); err != nil {
		return err
	}
	in.HEP, in.Name = c, strings.Join(in.Listen, ", ")
	return nil
}
