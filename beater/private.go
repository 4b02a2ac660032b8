package beater

import (
	"net/netip"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
	"github.com/sipcmbeat/sipcmbeat/internal/recent"
)

// What leaves besides events while something is private: lines of the log, records of
// indicators, messages. Where nothing is, run.private is nil, and all of it is as it is.

// rewriter makes messages unreadable; nil where they leave as they are.
func (r *run) rewriter(clear bool) recent.Mask {
	if r.private == nil || clear {
		return nil
	}
	return privacy.NewRewriter(r.private)
}

// hidden stands in a line of the log for what is left out.
const hidden = "(private)"

// sayNet says an address or a network of somebody in the log.
func (r *run) sayNet(p netip.Prefix) string {
	if r.private != nil {
		if p = privacy.Network(r.private, p); !p.IsValid() {
			return hidden
		}
	}
	return string(event.AppendSource(nil, p))
}

// sayEnd says an address with its port.
func (r *run) sayEnd(a netip.AddrPort) string {
	if r.private != nil {
		if a = netip.AddrPortFrom(r.private.Addr(a.Addr()), a.Port()); !a.Addr().IsValid() {
			return hidden
		}
	}
	return a.String()
}

// sayLine says the start line of a message.
func (r *run) sayLine(line string) string {
	if r.private == nil {
		return line
	}
	return string(privacy.NewRewriter(r.private).AppendLine(nil, []byte(line)))
}

// masker is what masks, without the pitfall of an interface that holds a nil pointer.
func (r *run) masker() event.Masker {
	if r.private == nil {
		return nil
	}
	return r.private
}
