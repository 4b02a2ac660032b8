package beater

import (
	"net/netip"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
	"github.com/sipcmbeat/sipcmbeat/internal/recent"
)

// What leaves besides events while something is private: lines of the log, records of
// indicators, messages. Where nothing is, run.sealer is nil, and all of it is as it is. A
// reload may change that at any time.

// rewriter makes messages unreadable; nil where nothing is private.
func (r *run) rewriter() *privacy.Rewriter {
	s := r.sealer.Load()
	if s == nil {
		return nil
	}
	w := r.writer.Load()
	if w == nil || !w.Of(s) {
		w = privacy.NewRewriter(s)
		r.writer.Store(w)
	}
	return w
}

// fileMask is the rewriter as capture files take it.
func (r *run) fileMask() recent.Mask {
	if w := r.rewriter(); w != nil {
		return w
	}
	return nil
}

// masker is what masks, nil where nothing is private.
func (r *run) masker() event.Masker {
	if s := r.sealer.Load(); s != nil {
		return s
	}
	return nil
}

// isTrue tells whether a key was set, and to true.
func isTrue(b *bool) bool { return b != nil && *b }

// hidden stands in a line of the log for what is left out.
const hidden = "(private)"

// sayNet says an address or a network of somebody in the log.
func (r *run) sayNet(p netip.Prefix) string {
	if m := r.masker(); m != nil {
		if p = privacy.Network(m, p); !p.IsValid() {
			return hidden
		}
	}
	return string(event.AppendSource(nil, p))
}

// sayEnd says an address with its port.
func (r *run) sayEnd(a netip.AddrPort) string {
	if m := r.masker(); m != nil {
		if a = netip.AddrPortFrom(m.Addr(a.Addr()), a.Port()); !a.Addr().IsValid() {
			return hidden
		}
	}
	return a.String()
}

// sayLine says the start line of a message.
func (r *run) sayLine(line string) string {
	if m := r.masker(); m != nil {
		return string(privacy.NewRewriter(m).AppendLine(nil, []byte(line)))
	}
	return line
}
