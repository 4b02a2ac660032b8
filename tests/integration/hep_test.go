package integration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestProxy: calls through Kamailio, whose two legs are watched on lo: what the
// tests below have to equal without seeing the calls themselves.
func TestProxy(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	k := r.kamailio("kamailio", nil, "udp:127.0.0.1:5060")
	b := r.watch("iface: lo\nports: [5060]\n", "127.0.0.1:5060")
	b.judge("SIPp", k, r.proxied(40))
}

// judge holds those who called, Kamailio and the program to each other.
func (b *beat) judge(who string, k *kamailio, want counts) {
	t := b.room.t
	t.Helper()
	have := b.settle(want)
	k.stop(b.room)
	by := k.counts()
	t.Logf("%s: %s | Kamailio: %s | sipcmbeat: %s", who, want, by, have)
	if by.String() != want.String() {
		t.Errorf("Kamailio and %s do not agree\n%s", who, tail(k.said()))
	}
	if have.String() != want.String() {
		t.Errorf("the counts differ\n%s", tail(b.said()))
	}
}

// hepKey is the authentication key of these tests.
const hepKey = "3-words-for-HEP"

// tracing are the definitions that make Kamailio send HEP of a version to a place.
func tracing(version int, uri string, more ...string) []string {
	return append([]string{"WITH_TRACE", fmt.Sprintf("HEPVER %d", version), "CAPID 77", fmt.Sprintf("TRACE_URI %q", uri)}, more...)
}

// TestSiptrace: Kamailio sends each message that it receives and sends to the
// program, in every version of HEP that it knows, or as a copy with X-Siptrace
// headers. Nothing is captured.
func TestSiptrace(t *testing.T) {
	udp, tcp := "sip:127.0.0.1:9060", "sip:127.0.0.1:9060;transport=tcp"
	const hepInput = "inputs: [{type: hep, listen: ['udp:127.0.0.1:9060', 'tcp:127.0.0.1:9060']}]\n"
	for _, c := range []struct {
		name        string
		definitions []string
		input       string
		layers      string // of the events
	}{
		{"hep1-udp", tracing(1, udp), hepInput, "hep1"},
		{"hep2-udp", tracing(2, udp), hepInput, "hep2"},
		{"hep3-udp", tracing(3, udp), hepInput, "hep3"},
		{"hep3-tcp", tracing(3, tcp), hepInput, "hep3"},
		{"hep3-key", tracing(3, udp, fmt.Sprintf("TRACE_KEY %q", hepKey)),
			"inputs: [{type: hep, listen: ['udp:127.0.0.1:9060'], auth_keys: [another, " + hepKey + "]}]\n", "hep3"},
		{"hep3-tcp-key", tracing(3, tcp, fmt.Sprintf("TRACE_KEY %q", hepKey)),
			"inputs: [{type: hep, listen: ['tcp:127.0.0.1:9060'], auth_keys: [" + hepKey + "]}]\n", "hep3"},
		{"hep3-tls", tracing(3, "sip:127.0.0.1:9060;transport=tls", "WITH_TLS"),
			"inputs: [{type: hep, listen: ['tls:127.0.0.1:9060'], cert: CERT, key: KEY}]\n", "hep3"},
		{"copies", []string{"WITH_TRACE", "WITH_COPY", fmt.Sprintf("TRACE_URI %q", udp)},
			"inputs: [{type: siptrace, listen: ['udp:127.0.0.1:9060']}]\n", "siptrace"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRoom(t)
			network := "udp/9060"
			if !strings.Contains(c.input, "udp:") {
				network = "tcp/9060"
			}
			sockets := []string{"udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"}
			if cert, key := filepath.Join(r.dir, "cert.pem"), filepath.Join(r.dir, "key.pem"); strings.Contains(c.name, "tls") {
				certificate(t, cert, key)
				c.input = strings.NewReplacer("CERT", cert, "KEY", key).Replace(c.input)
				c.definitions = append(c.definitions, fmt.Sprintf("CERT %q", cert), fmt.Sprintf("KEY %q", key))
				sockets = append(sockets, "tls:127.0.0.1:5061")
			}
			b := r.watch(c.input, network)
			k := r.kamailio("kamailio", c.definitions, sockets...)
			b.judge("SIPp", k, r.proxied(40))
			if have := b.around(); have != c.layers {
				t.Errorf("the events name %q around the messages, want %q", have, c.layers)
			}
			for _, e := range b.events() {
				// All begins at the callers; version 1 has no capture id, nor has a copy.
				if id := e.Sip.HEP.CaptureID; e.Source.IP != "127.0.0.2" || (id == 77) != (c.layers == "hep2" || c.layers == "hep3") {
					t.Fatalf("%s is from %s by the agent %d", e.Event.Action, e.Source.IP, id)
				}
			}
		})
	}
}

// certificate writes a certificate for 127.0.0.1 that signs itself, and its key.
func certificate(t *testing.T, cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct {
		path string
		pem.Block
	}{{cert, pem.Block{Type: "CERTIFICATE", Bytes: signed}}, {key, pem.Block{Type: "PRIVATE KEY", Bytes: secret}}} {
		if err := os.WriteFile(f.path, pem.EncodeToMemory(&f.Block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSiptraceRefused: HEP of a wrong key, and of none where one is asked for, gives
// no event. It is counted, and the program says once who sent it.
func TestSiptraceRefused(t *testing.T) {
	const refused = "refused 127.0.0.1: wrong key"
	for name, key := range map[string][]string{"wrong": {`TRACE_KEY "guess"`}, "none": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRoom(t)
			b := r.watch("inputs: [{type: hep, listen: ['udp:127.0.0.1:9060'], auth_keys: ["+hepKey+"]}]\n", "udp/9060")
			k := r.kamailio("kamailio", tracing(3, "sip:127.0.0.1:9060", key...), "udp:127.0.0.1:5060", "tcp:127.0.0.1:5060")
			sipp := r.proxied(8)
			within(t, 30*time.Second, func() bool { return strings.Contains(b.said(), refused) })
			have := b.settle(counts{})
			k.stop(r)
			var dropped int
			if m := wrongKeys.FindStringSubmatch(b.said()); m != nil {
				dropped, _ = strconv.Atoi(m[1])
			}
			t.Logf("SIPp: %s | sipcmbeat: %d packets refused, events: %s", sipp, dropped, have)
			if len(have) > 0 {
				t.Error("there are events of packets with a wrong key")
			}
			// A call has 8 messages on one of the proxy's legs alone.
			if dropped < 8*sipp["call-start"] || strings.Count(b.said(), refused) != 1 {
				t.Errorf("the refusal is not counted, or not said once\n%s", tail(b.said()))
			}
			if strings.Contains(b.said(), hepKey) {
				t.Error("the log has the key")
			}
		})
	}
}

// wrongKeys is what the program's last line says of them.
var wrongKeys = regexp.MustCompile(`lost: (\d+) HEP packets with a wrong key`)
