package dump

import (
	"net/netip"
	"strconv"
	"strings"
)

var (
	alice4 = netip.MustParseAddrPort("192.0.2.1:5060")
	bob4   = netip.MustParseAddrPort("192.0.2.2:5080")
)

// options is a request with a body of n bytes.
func options(id string, n int) string {
	return "OPTIONS sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx" + "\r\nMax-Forwards: 70\r\n" +
		"From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: " + id + "\r\nCSeq: 1 OPTIONS\r\n" +
		"Content-Type: text/plain\r\nContent-Length: " + strconv.Itoa(n) + "\r\n\r\n" + strings.Repeat("x", n)
}
