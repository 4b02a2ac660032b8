package engine

import (
	"github.com/sipcmbeat/sipcmbeat/internal/hep"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/qos"
)

// report takes what a HEP sender tells besides SIP: quality reports are joined to
// their calls, logs and more are counted.
func (l *lane) report(p *packet.Packet) {
	switch p.HEP.Type {
	case hep.TypeRTCP, hep.TypeRTPAgent, hep.TypeRTCPXR, hep.TypeHoraclix:
	default:
		l.stats.HEPTypes[p.HEP.Type]++
		l.stats.Datagrams[OtherHEP]++
		return
	}
	if l.again(p) {
		l.stats.Datagrams[MirrorDuplicate]++
		return
	}
	l.stats.HEPTypes[p.HEP.Type]++
	l.stats.Datagrams[Report]++
	outcome := l.rep.Parse(p.Payload, p.Src, p.Dst)
	l.stats.Quality[outcome]++
	if outcome == qos.OK {
		l.rep.CallIDs[2] = p.HEP.CorrelationID
		c := l.core
		l.lock()
		c.send(c.track.Report(c.events[:0], p, &l.rep))
		l.unlock()
	}
}
