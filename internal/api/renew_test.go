package api

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
	"testing"
)

// TestRenew: another token and another certificate are those of the next request.
func TestRenew(t *testing.T) {
	const first, second = "first-of-two-tokens", "second-of-two-tokens"
	cert, key, roots := certificate(t)
	s := started(t, newFake(), func(c *Config) { c.Certificate, c.Key, c.Token = cert, key, first })
	get := func(roots *x509.CertPool, token string) (int, error) {
		t.Helper()
		c := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
		r, err := http.NewRequest(http.MethodGet, s.URL()+"/api/v1/stats", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := c.Do(r)
		if err != nil {
			return 0, err
		}
		answer.Body.Close()
		return answer.StatusCode, nil
	}
	if code, err := get(roots, first); err != nil || code != http.StatusOK {
		t.Fatal(code, err)
	}
	if s.Renew(second, nil) {
		t.Error("none is told to be another certificate")
	}
	if code, err := get(roots, first); err != nil || code != http.StatusUnauthorized {
		t.Errorf("with the token of before: %d, %v", code, err)
	}
	another := Config{}
	var others *x509.CertPool
	another.Certificate, another.Key, others = certificate(t)
	pair, err := another.Pair()
	if err != nil {
		t.Fatal(err)
	}
	if !s.Renew(second, pair) || s.Renew(second, pair) {
		t.Error("it is not told whether the certificate is another one")
	}
	if code, err := get(others, second); err != nil || code != http.StatusOK {
		t.Errorf("with both: %d, %v", code, err)
	}
	if _, err := get(roots, second); err == nil {
		t.Error("the certificate of before is still shown")
	}
	another.Key = cert
	if _, err := another.Pair(); err == nil || !strings.HasPrefix(err.Error(), "http.tls.certificate: ") {
		t.Errorf("%v", err)
	}
}
