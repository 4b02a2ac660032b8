package beater

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// Inject puts a message into the engine, as if it had come now. The error says what is
// wrong with it. The server asks whether that is switched on, and who may. Any goroutine
// may call it.
func (r *run) Inject(m view.Injected, who string) error {
	src, err := endOf("source", m.Source)
	if err != nil {
		return err
	}
	dst, err := endOf("destination", m.Destination)
	if err != nil {
		return err
	}
	carriers := map[string]packet.Transport{"": packet.UDP, "udp": packet.UDP, "tcp": packet.TCP}
	carrier, ok := carriers[strings.ToLower(m.Transport)]
	if !ok {
		return fmt.Errorf("transport: %q is not allowed; allowed: udp, tcp", m.Transport)
	}
	text := m.Message
	if !strings.Contains(text, "\r\n") { // as an editor writes it
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	line, _, _ := strings.Cut(text, "\r\n")
	switch r.engine.Inject([]byte(text), src, dst, carrier) {
	case engine.InjectTooLong:
		return fmt.Errorf("message: %d bytes are not allowed; allowed: up to %d", len(text), engine.MaxInject)
	case engine.InjectNoSIP:
		return fmt.Errorf("message: what begins with %.40q is not allowed; allowed: a whole SIP message, such as OPTIONS sip:a@b SIP/2.0 and its headers", line)
	case engine.InjectNoClock:
		return fmt.Errorf("message: not yet: it would have the time of the last packet, and none has come since the start")
	case engine.InjectedBroken:
		r.log.Warnf("put in by hand (%s), from %s to %s, and cannot be used: %.200q", who, r.sayEnd(src), r.sayEnd(dst), r.sayLine(line))
	case engine.Injected:
		r.log.Infof("put in by hand (%s), from %s to %s: %.200q", who, r.sayEnd(src), r.sayEnd(dst), r.sayLine(line))
	}
	return nil
}

// endOf reads an address with its port.
func endOf(key, text string) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(text)
	if err != nil || a.Addr().Zone() != "" {
		return a, fmt.Errorf("%s: %q is not allowed; allowed: an address and a port, such as 192.0.2.1:5060 or [2001:db8::1]:5060", key, text)
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), nil
}
