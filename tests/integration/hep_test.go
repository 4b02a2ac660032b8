package integration

import (
	"fmt"
	"testing"
)

// TestProxyLive: the proxy's two legs watched on lo, without HEP: what the tests
// below are held to.
func TestProxyLive(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	k := r.kamailio("kamailio", nil, "udp:127.0.0.1:5060")
	b := r.watch("iface: lo\nports: [5060]\n", "127.0.0.1:5060")
	judge(b, k, r.proxied(40))
}

// judge holds SIPp, Kamailio and the program to each other.
func judge(b *beat, k *kamailio, sipp counts) {
	t := b.room.t
	t.Helper()
	have := b.settle(sipp)
	k.stop(b.room)
	t.Logf("SIPp: %s | Kamailio: %s | sipcmbeat: %s", sipp, k.counts(), have)
	if by := k.counts().String(); by != sipp.String() {
		t.Errorf("Kamailio and SIPp do not agree: %s\n%s", by, tail(k.said()))
	}
	if have.String() != sipp.String() {
		t.Errorf("the counts differ\n%s", tail(b.said()))
	}
}

var _ = fmt.Sprint
