package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/sipcmbeat/sipcmbeat/internal/relay"
)

// composeRelay fills the Config of the HEP output.
func (c *Config) composeRelay() (err error) {
	k := &c.Keys.HEPOutput
	r := relay.Config{Transport: k.Transport, Version: k.Version, AuthKey: k.AuthKey, CaptureID: uint32(k.CaptureID),
		Node: k.Node, Received: k.Relay, Buffer: int(k.Buffer)}
	if k.Targets, err = list("hep_output.targets", k.Targets, true); err != nil {
		return err
	}
	if k.Methods, err = list("hep_output.methods", k.Methods, true); err != nil {
		return err
	}
	if k.Sources, err = list("hep_output.sources", k.Sources, true); err != nil {
		return err
	}
	r.Targets = k.Targets
	for _, m := range k.Methods {
		if strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return refuse("hep_output.methods", quote(m), "methods in capitals, such as INVITE")
		}
	}
	r.Methods = k.Methods
	if r.Sources, err = prefixes("hep_output.sources", k.Sources); err != nil {
		return err
	}
	if r.Node == "" {
		r.Node, _ = os.Hostname()
	}
	if len(r.Targets) > 0 && r.Transport == "tls" {
		if r.TLS, err = c.relayTLS(); err != nil {
			return err
		}
	}
	c.Relay = r
	return nil
}

// relayTLS reads the files that it names.
func (c *Config) relayTLS() (*tls.Config, error) {
	k := &c.Keys.HEPOutput.TLS
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	switch k.Verify {
	case "full":
	case "none":
		t.InsecureSkipVerify = true
		c.Warnings = append(c.Warnings, Section+".hep_output.tls.verify is none: whoever answers at a target gets the messages")
	default:
		return nil, refuse("hep_output.tls.verify", quote(k.Verify), "full, none")
	}
	if k.CA != "" {
		text, err := os.ReadFile(k.CA)
		if err != nil {
			return nil, fmt.Errorf("%s.hep_output.tls.ca: %w", Section, err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s.hep_output.tls.ca: %s holds no certificate in PEM form", Section, k.CA)
		}
	}
	if (k.Certificate == "") != (k.Key == "") {
		return nil, fmt.Errorf("%s.hep_output.tls: certificate and key are set together, or neither", Section)
	}
	if k.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(k.Certificate, k.Key)
		if err != nil {
			return nil, fmt.Errorf("%s.hep_output.tls.certificate: %w", Section, err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

// prefixes reads networks; an address alone is one of itself.
func prefixes(key string, items []string) (all []netip.Prefix, err error) {
	for _, item := range items {
		p, err := netip.ParsePrefix(item)
		if a, wrong := netip.ParseAddr(item); wrong == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, refuse(key, quote(item), "addresses, or networks such as 192.0.2.0/24")
		}
		all = append(all, p.Masked())
	}
	return all, nil
}
