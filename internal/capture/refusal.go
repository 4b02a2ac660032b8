package capture

import (
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// A RefusalReason says why something was not taken from a sender.
type RefusalReason uint8

// The reasons.
const (
	WrongAddress RefusalReason = iota // not in Allow
	WrongKey                          // none of AuthKeys
	TooMany                           // more connections than MaxConns
	NotHEP                            // something else on the connection
	Unfinished                        // the connection ended, or went silent, within a packet
	NoHandshake                       // TLS was not agreed on
)

// String says it for the log.
func (r RefusalReason) String() string {
	return [...]string{"address not allowed", "wrong key", "too many connections", "not HEP", "packet not finished", "no TLS handshake"}[r]
}

// A Refusal is what is told of a sender.
type Refusal struct {
	Peer  netip.Addr // not valid: several, of which there were too many to tell apart
	Why   RefusalReason
	Count uint64 // of this sender since it was last told of
}

// String says it in a line for the log.
func (r Refusal) String() string {
	from := "many senders"
	if r.Peer.IsValid() {
		from = r.Peer.String()
	}
	if r.Count == 1 {
		return fmt.Sprintf("refused %s: %v", from, r.Why)
	}
	return fmt.Sprintf("refused %s %d times: last %v", from, r.Count, r.Why)
}

// refusals tells of each sender once a minute. The number of senders that it knows
// is bounded; those beyond it are told of together.
type refusals struct {
	tell func(Refusal)

	mu    sync.Mutex
	known map[netip.Addr]*refused
	rest  refused
	swept time.Time // by forget
}

type refused struct {
	told  time.Time // the zero value: never
	count uint64
}

const (
	tellEvery    = time.Minute
	maxRefused   = 256
	forgetBehind = 2 * tellEvery
)

// note counts one refusal.
func (r *refusals) note(peer netip.Addr, why RefusalReason, now time.Time) {
	if r.tell == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	one, ok := r.known[peer]
	if !ok && len(r.known) >= maxRefused {
		r.forget(now)
	}
	switch {
	case ok:
	case len(r.known) < maxRefused:
		if r.known == nil {
			r.known = map[netip.Addr]*refused{}
		}
		one = &refused{}
		r.known[peer] = one
	default:
		one, peer = &r.rest, netip.Addr{}
	}
	if one.count++; !one.told.IsZero() && now.Sub(one.told) < tellEvery {
		return
	}
	r.tell(Refusal{Peer: peer, Why: why, Count: one.count})
	one.told, one.count = now, 0
}

// forget makes room: those that were told of long ago. It looks at all, so it does
// not do that for each packet of a flood.
func (r *refusals) forget(now time.Time) {
	if now.Sub(r.swept) < time.Second {
		return
	}
	r.swept = now
	for peer, one := range r.known {
		if now.Sub(one.told) >= forgetBehind {
			delete(r.known, peer)
		}
	}
}
