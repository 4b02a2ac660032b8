package browser

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

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

// sender writes datagrams of SIP one after the other.
type sender struct {
	at     int64 // nanoseconds since 1970
	frames []packet.Frame
}

func (s *sender) send(src, dst netip.AddrPort, text string) {
	data := siptest.UDPFrame(src, dst, []byte(text))
	s.frames = append(s.frames, packet.Frame{Time: s.at, Link: packet.LinkEthernet, Data: data, Wire: len(data)})
}

// write puts them into a file in the order of their times.
func (s *sender) write(name string) error {
	slices.SortStableFunc(s.frames, func(a, b packet.Frame) int { return cmp.Compare(a.Time, b.Time) })
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return siptest.WritePcap(f, packet.LinkEthernet, s.frames)
}

// writeDay writes a day of calls and registrations that ends at a time, more of them by
// day than by night, so that charts have something to show. Every seventh call is refused.
func writeDay(name string, end int64) error {
	var s sender
	server := netip.MustParseAddrPort("192.0.2.10:5060")
	const calls = 1500
	for i := range calls {
		part := float64(i) / calls
		start := end - int64((24*(1-part)+1.5*math.Sin(part*4*math.Pi)+0.05)*3600e9)
		from := 1000 + i*37%200
		client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(20 + from%200)}), 5060)
		text := func(line, method, tag string, seq int) string {
			return fmt.Sprintf("%s\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%d%s%d\r\nFrom: <sip:%d@example.com>;tag=f%d\r\nTo: <sip:+4930%06d@example.com>%s\r\nCall-ID: day-%d@%s\r\nCSeq: %d %s\r\n"+
				"User-Agent: Desk phone 3.2\r\nContact: <sip:%d@%s>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n", line, client, i, method, seq, from, i, i*7919%1000000, tag, i, client.Addr(), seq, method, from, client)
		}
		say := func(after time.Duration, src, dst netip.AddrPort, text string) {
			s.at = start + int64(after)
			s.send(src, dst, text)
		}
		uri := fmt.Sprintf("sip:+4930%06d@example.com", i*7919%1000000)
		say(0, client, server, text("INVITE "+uri+" SIP/2.0", "INVITE", "", 1))
		say(30e6, server, client, text("SIP/2.0 100 Trying", "INVITE", "", 1))
		if i%7 == 0 {
			say(900e6, server, client, text("SIP/2.0 486 Busy Here", "INVITE", ";tag=t", 1))
			say(950e6, client, server, text("ACK "+uri+" SIP/2.0", "ACK", ";tag=t", 1))
			continue
		}
		say(200e6, server, client, text("SIP/2.0 180 Ringing", "INVITE", ";tag=t", 1))
		say(4e9, server, client, text("SIP/2.0 200 OK", "INVITE", ";tag=t", 1))
		say(4100e6, client, server, text("ACK "+uri+" SIP/2.0", "ACK", ";tag=t", 1))
		if talk := time.Duration(20+i*53%300) * time.Second; start+int64(talk) < end { // else it is still up
			say(talk, client, server, text("BYE "+uri+" SIP/2.0", "BYE", ";tag=t", 2))
			say(talk+20*time.Millisecond, server, client, text("SIP/2.0 200 OK", "BYE", ";tag=t", 2))
		}
	}
	for n := range 60 * 6 { // 60 phones register every four hours
		user := 1000 + n%60
		client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(20 + user%200)}), 5060)
		text := func(line string) string {
			return fmt.Sprintf("%s\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKr%d\r\nFrom: <sip:%d@example.com>;tag=r%d\r\nTo: <sip:%d@example.com>;tag=x\r\nCall-ID: reg-%d@%s\r\nCSeq: %d REGISTER\r\nUser-Agent: Desk phone 3.2\r\n"+
				"Contact: <sip:%d@%s>;expires=15000\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n", line, client, n, user, n, user, user, client.Addr(), 1+n/60, user, client)
		}
		s.at = end - int64(time.Duration(360-n)*4*time.Minute)
		s.send(client, server, strings.Replace(text("REGISTER sip:example.com SIP/2.0"), ";tag=x", "", 1))
		s.at += 15e6
		s.send(server, client, text("SIP/2.0 200 OK"))
	}
	return s.write(name)
}

// writeHostile writes calls and registrations from a time on, in whose From, To,
// User-Agent, Contact and Call-ID each of the attacks stands. Since many of them break a
// URI, each stands once more where the URIs are harmless.
func writeHostile(name string, at int64) error {
	client, server := netip.MustParseAddrPort("203.0.113.66:5060"), netip.MustParseAddrPort("192.0.2.10:5060")
	s := sender{at: at}
	send := func(src, dst netip.AddrPort, text string) {
		s.at += 10e6
		s.send(src, dst, text)
	}
	for i := range 2 * len(attacks) {
		value := marker + attacks[i/2]
		user := value
		if i%2 == 1 {
			user = fmt.Sprint(marker, i)
		}
		message := func(line, method, prefix, tag string, seq int) string {
			return fmt.Sprintf("%s\r\nVia: SIP/2.0/UDP 203.0.113.66:5060;branch=z9hG4bK%d%s\r\nFrom: \"%s\" <sip:%s@example.com>;tag=f%d\r\nTo: <sip:%s@example.com>%s\r\nCall-ID: %s%s%d\r\nCSeq: %d %s\r\n"+
				"User-Agent: %s\r\nContact: <sip:%s@203.0.113.66>;expires=600\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
				line, i, method, strings.ReplaceAll(value, `"`, `\"`), user, i, user, tag, prefix, value, i, seq, method, value, user)
		}
		send(client, server, message("INVITE sip:"+user+"@example.com SIP/2.0", "INVITE", "", "", 1))
		send(server, client, message("SIP/2.0 200 OK "+value, "INVITE", "", ";tag=t", 1))
		send(client, server, message("ACK sip:"+user+"@example.com SIP/2.0", "ACK", "", ";tag=t", 1))
		send(client, server, message("REGISTER sip:example.com SIP/2.0", "REGISTER", "r", "", 2))
		send(server, client, message("SIP/2.0 200 OK", "REGISTER", "r", ";tag=t", 2))
	}
	return s.write(name)
}
