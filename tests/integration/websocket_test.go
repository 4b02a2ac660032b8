package integration

import (
	"bufio"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestWebSocket: phones that speak SIP over WebSocket (RFC 7118) to Kamailio: they
// register, send messages, call and are called by a SIPp that speaks UDP, and leave.
// Both legs are watched on lo.
func TestWebSocket(t *testing.T) {
	t.Parallel()
	const phones, called = 8, 4
	r := newRoom(t)
	k := r.kamailio("kamailio", []string{"WITH_WS"}, "udp:127.0.0.1:5060", "tcp:127.0.0.1:8080")
	for port, name := range map[int]string{5200: "proxied-answer", 5221: "proxied-message"} {
		r.await(r.sippServer("127.0.0.3", port, "-sf", scenario(name)), fmt.Sprintf("udp/%d", port))
	}
	b := r.watch("iface: lo\nports: [5060]\n", "127.0.0.1:5060")

	done := make(chan error, phones)
	var ready sync.WaitGroup
	ready.Add(phones)
	for i := range phones {
		p := &phone{user: fmt.Sprintf("w%d", i), room: r}
		if i < called {
			p.awaits = 1
		}
		go func() { done <- p.live(&ready) }()
	}
	ready.Wait() // all are registered, or failed
	var rows []string
	for i := range called {
		user := fmt.Sprintf("c%d", i)
		rows = append(rows, row(user, "pw"+user, fmt.Sprintf("w%d", i)))
	}
	in := r.sipp("127.0.0.2", 5300, "127.0.0.1:5060", called, "-sf", scenario("proxy-call"), "-inf", r.file("calls", rows)).done()
	for range phones {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if in != called {
		t.Errorf("%d of %d calls to a phone", in, called)
	}
	b.judge("phones and SIPp", k, counts{"reg-new": phones, "reg-del": phones, "other-ok": phones, "call-start": phones + called, "call-end": phones + called})
}

// phone is a SIP client on a WebSocket.
type phone struct {
	user   string
	room   *room
	awaits int // calls that come

	conn net.Conn
	in   *bufio.Reader
	host string
	tag  string
	seq  int
}

// live is the phone's whole life.
func (p *phone) live(ready *sync.WaitGroup) (err error) {
	registered := false
	defer func() {
		if !registered {
			ready.Done()
		}
		if err != nil {
			err = fmt.Errorf("phone %s: %w", p.user, err)
		}
	}()
	p.host, p.tag = p.user+".invalid", random(6)
	if err := p.connect(); err != nil {
		return err
	}
	defer p.conn.Close()
	if err := p.register(600); err != nil {
		return err
	}
	registered = true
	ready.Done()
	for ; p.awaits > 0; p.awaits-- {
		if err := p.answer(); err != nil {
			return err
		}
	}
	if err := p.message(); err != nil {
		return err
	}
	if err := p.call(); err != nil {
		return err
	}
	return p.register(0)
}

// connect opens the WebSocket (RFC 6455 §4.1, RFC 7118 §4).
func (p *phone) connect() error {
	if err := p.room.inside(func() (err error) {
		p.conn, err = net.DialTCP("tcp", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080})
		return err
	}); err != nil {
		return err
	}
	p.conn.SetDeadline(time.Now().Add(time.Minute))
	p.in = bufio.NewReader(p.conn)
	key := base64.StdEncoding.EncodeToString([]byte(random(16))[:16])
	fmt.Fprintf(p.conn, "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\nOrigin: http://example.com\r\n\r\n", key)
	resp, err := http.ReadResponse(p.in, nil)
	if err != nil {
		return err
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	if resp.StatusCode != 101 || resp.Header.Get("Sec-WebSocket-Accept") != base64.StdEncoding.EncodeToString(sum[:]) {
		return fmt.Errorf("no WebSocket: %s", resp.Status)
	}
	return nil
}

// Operation codes of frames (RFC 6455 §5.2).
const (
	opText, opBinary, opClose, opPing, opPong = 1, 2, 8, 9, 10
)

// write sends one masked frame.
func (p *phone) write(op byte, data []byte) error {
	b := []byte{0x80 | op}
	switch n := len(data); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	default:
		b = append(b, 0x80|126)
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	}
	var mask [4]byte
	rand.Read(mask[:])
	b = append(b, mask[:]...)
	for i, c := range data {
		b = append(b, c^mask[i%4])
	}
	_, err := p.conn.Write(b)
	return err
}

// read takes the next message, and answers pings on the way.
func (p *phone) read() (string, error) {
	for {
		var head [2]byte
		if _, err := io.ReadFull(p.in, head[:]); err != nil {
			return "", err
		}
		n := int(head[1] & 0x7f)
		if n == 126 {
			var long [2]byte
			if _, err := io.ReadFull(p.in, long[:]); err != nil {
				return "", err
			}
			n = int(binary.BigEndian.Uint16(long[:]))
		}
		data := make([]byte, n)
		if _, err := io.ReadFull(p.in, data); err != nil {
			return "", err
		}
		switch head[0] & 0xf {
		case opText, opBinary:
			return string(data), nil
		case opPing:
			if err := p.write(opPong, data); err != nil {
				return "", err
			}
		case opClose:
			return "", errors.New("the server closed")
		}
	}
}

// send sends a SIP message, every other one in a binary frame.
func (p *phone) send(message string) error {
	p.seq++
	op := byte(opText)
	if p.seq%2 == 0 {
		op = opBinary
	}
	return p.write(op, []byte(message))
}

// final reads until the final response.
func (p *phone) final() (string, error) {
	for {
		m, err := p.read()
		if err != nil {
			return "", err
		}
		if strings.HasPrefix(m, "SIP/2.0 ") && m[8] != '1' {
			return m, nil
		}
	}
}

// request writes a request; more are header lines, each with its end.
func (p *phone) request(method, uri, to, callID string, cseq int, more, body string) string {
	return fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/WS %s;branch=z9hG4bK%s\r\nMax-Forwards: 70\r\nFrom: <sip:%s@example.com>;tag=%s\r\n"+
		"To: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n%sContent-Length: %d\r\n\r\n%s",
		method, uri, p.host, random(8), p.user, p.tag, to, callID, cseq, method, more, len(body), body)
}

// ask sends a request, and again with credentials when it is challenged.
func (p *phone) ask(method, uri, to, callID string, cseq int, more, body string) (string, error) {
	if err := p.send(p.request(method, uri, to, callID, cseq, more, body)); err != nil {
		return "", err
	}
	m, err := p.final()
	if err != nil {
		return "", err
	}
	header := map[string]string{"401": "WWW-Authenticate", "407": "Proxy-Authenticate"}[m[8:11]]
	if header == "" {
		return "", fmt.Errorf("%s was not challenged: %s", method, m)
	}
	if method == "INVITE" {
		if err := p.ack(uri, m, callID, cseq); err != nil {
			return "", err
		}
	}
	credentials := strings.Replace(header, "WWW-Authenticate", "Authorization", 1)
	credentials = strings.Replace(credentials, "Proxy-Authenticate", "Proxy-Authorization", 1)
	more += credentials + ": " + p.digest(field(m, header), method, uri) + "\r\n"
	if err := p.send(p.request(method, uri, to, callID, cseq+1, more, body)); err != nil {
		return "", err
	}
	if m, err = p.final(); err == nil && m[8:11] != "200" {
		err = fmt.Errorf("%s: %s", method, m)
	}
	return m, err
}

// digest are the credentials for a challenge (RFC 2617 without qop).
func (p *phone) digest(challenge, method, uri string) string {
	nonce := regexp.MustCompile(`nonce="([^"]*)"`).FindStringSubmatch(challenge)[1]
	hash := func(s string) string {
		sum := md5.Sum([]byte(s))
		return hex.EncodeToString(sum[:])
	}
	response := hash(hash(p.user+":example.com:pw"+p.user) + ":" + nonce + ":" + hash(method+":"+uri))
	return fmt.Sprintf("Digest username=%q, realm=%q, nonce=%q, uri=%q, response=%q", p.user, "example.com", nonce, uri, response)
}

func (p *phone) register(expires int) error {
	contact := fmt.Sprintf("Contact: <sip:%s@%s;transport=ws>\r\nExpires: %d\r\n", p.user, p.host, expires)
	_, err := p.ask("REGISTER", "sip:example.com", fmt.Sprintf("<sip:%s@example.com>", p.user), random(12), 1, contact, "")
	return err
}

func (p *phone) message() error {
	uri := "sip:7221" + p.user[1:] + "@example.com"
	_, err := p.ask("MESSAGE", uri, "<"+uri+">", random(12), 1, "Content-Type: text/plain\r\n", "Hello from "+p.user)
	return err
}

// call calls SIPp, talks for a moment and hangs up. The offer is long enough for a
// frame with a long length, and for several segments.
func (p *phone) call() error {
	uri, callID := "sip:7200"+p.user[1:]+"@example.com", random(12)
	contact := fmt.Sprintf("Contact: <sip:%s@%s;transport=ws>\r\n", p.user, p.host)
	sdp := "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n" +
		strings.Repeat("a=candidate:1 1 UDP 2130706431 127.0.0.1 40000 typ host generation 0\r\n", 30)
	m, err := p.ask("INVITE", uri, "<"+uri+">", callID, 1, contact+"Content-Type: application/sdp\r\n", sdp)
	if err != nil {
		return err
	}
	target, route := p.remote(m)
	if err := p.send(p.request("ACK", target, field(m, "To"), callID, 2, route, "")); err != nil {
		return err
	}
	<-time.After(200 * time.Millisecond)
	if err := p.send(p.request("BYE", target, field(m, "To"), callID, 3, route, "")); err != nil {
		return err
	}
	if m, err = p.final(); err == nil && m[8:11] != "200" {
		err = fmt.Errorf("BYE: %s", m)
	}
	return err
}

// ack acknowledges a final response above 299: with the Via of the request.
func (p *phone) ack(uri, response, callID string, cseq int) error {
	return p.send(fmt.Sprintf("ACK %s SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d ACK\r\nContent-Length: 0\r\n\r\n",
		uri, field(response, "Via"), field(response, "From"), field(response, "To"), callID, cseq))
}

// remote is where requests of the dialog go that the response to an INVITE made.
func (p *phone) remote(response string) (target, route string) {
	target = strings.Trim(field(response, "Contact"), "<>")
	records := fields(response, "Record-Route")
	for i := len(records) - 1; i >= 0; i-- {
		route += "Route: " + records[i] + "\r\n"
	}
	return target, route
}

// answer takes a call and waits until the caller hangs up.
func (p *phone) answer() error {
	for {
		m, err := p.read()
		if err != nil {
			return err
		}
		contact := fmt.Sprintf("Contact: <sip:%s@%s;transport=ws>\r\n", p.user, p.host)
		switch method, _, _ := strings.Cut(m, " "); method {
		case "INVITE":
			if err := p.reply(m, "180 Ringing", contact); err != nil {
				return err
			}
			if err := p.reply(m, "200 OK", contact); err != nil {
				return err
			}
		case "BYE":
			return p.reply(m, "200 OK", "")
		}
	}
}

func (p *phone) reply(request, status, more string) error {
	b := "SIP/2.0 " + status + "\r\n"
	for _, name := range []string{"Via", "Record-Route", "From", "To", "Call-ID", "CSeq"} {
		for _, value := range fields(request, name) {
			if name == "To" && !strings.Contains(value, ";tag=") {
				value += ";tag=" + p.tag
			}
			b += name + ": " + value + "\r\n"
		}
	}
	return p.send(b + more + "Content-Length: 0\r\n\r\n")
}

// fields are the values of a header, field the first.
func fields(message, name string) (values []string) {
	head, _, _ := strings.Cut(message, "\r\n\r\n")
	for _, line := range strings.Split(head, "\r\n") {
		if n, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(n, name) {
			values = append(values, strings.TrimSpace(value))
		}
	}
	return values
}

func field(message, name string) string { return append(fields(message, name), "")[0] }

// random are 2n hexadecimal digits.
func random(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}
