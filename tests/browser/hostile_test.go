package browser

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"

	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
)

// marker begins every hostile value, so that the browser finds it.
const marker = "evil-"

// attacks are what a browser, a terminal or a template would act on. Each sets
// window.hacked, if it does anything.
var attacks = []string{
	`"><script>window.hacked=1</script>`,
	`'><img src=x onerror=window.hacked=1>`,
	`"onmouseover="window.hacked=1" x="`,
	`</title></textarea></script><svg onload=window.hacked=1>`,
	`javascript:window.hacked=1`,
	`{{.}}${window.hacked=1}`,
	"\x1b]0;owned\x07\x1b[31m\x1b[2J",
	"\xff\xfe\xc0\xaf\xed\xa0\x80",
	"\u202egnp.exe\u202c\u200b\u2066",
	`../../../etc/passwd?x=1#y`,
	`%3Cscript%3Ewindow.hacked=1%3C/script%3E`,
}

// writeHostile writes calls and registrations from a time on, in whose From, To,
// User-Agent and Call-ID each of the attacks stands.
func writeHostile(name string, at int64) error {
	client, server := netip.MustParseAddrPort("203.0.113.66:5060"), netip.MustParseAddrPort("192.0.2.10:5060")
	var frames []packet.Frame
	send := func(src, dst netip.AddrPort, text string) {
		at += 10e6
		data := siptest.UDPFrame(src, dst, []byte(text))
		frames = append(frames, packet.Frame{Time: at, Link: packet.LinkEthernet, Data: data, Wire: len(data)})
	}
	for i, attack := range attacks {
		value := marker + attack
		head := func(method, seq, tag string) string {
			return fmt.Sprintf("Via: SIP/2.0/UDP 203.0.113.66:5060;branch=z9hG4bK%d%s\r\nFrom: \"%s\" <sip:%s@example.com>;tag=f%d\r\nTo: <sip:%s@example.com>%s\r\nCall-ID: %s%d\r\nCSeq: %s %s\r\nUser-Agent: %s\r\nContact: <sip:%s@203.0.113.66>;expires=600\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
				i, seq, value, value, i, value, tag, value, i, seq, method, value, value)
		}
		send(client, server, "INVITE sip:"+value+"@example.com SIP/2.0\r\n"+head("INVITE", "1", ""))
		send(server, client, "SIP/2.0 200 OK "+value+"\r\n"+head("INVITE", "1", ";tag=t"))
		send(client, server, "ACK sip:"+value+"@example.com SIP/2.0\r\n"+head("ACK", "1", ";tag=t"))
		reg := func(s string) string { return string(bytes.ReplaceAll([]byte(s), []byte("Call-ID: "), []byte("Call-ID: r"))) }
		send(client, server, "REGISTER sip:example.com SIP/2.0\r\n"+reg(head("REGISTER", "2", "")))
		send(server, client, "SIP/2.0 200 OK\r\n"+reg(head("REGISTER", "2", ";tag=t")))
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return siptest.WritePcap(f, packet.LinkEthernet, frames)
}
