package siptest

import (
	"fmt"
	"strconv"
	"strings"
)

// body makes the body that the words of a message ask for, and its Content-Type; both
// are empty without one.
func (m *message) body(w *world) (kind, body string) {
	switch {
	case m.has("frag"):
		code, _ := strconv.Atoi(m.words["frag"])
		return "message/sipfrag;version=2.0", fmt.Sprintf("SIP/2.0 %d %s\r\n", code, reason(code))
	case m.has("sdp"):
		at, direction := w.addr(m.src, 0).Addr().String(), m.words["sdp"]
		if strings.Contains(direction, ".") {
			at, direction = direction, ""
		}
		lines := []string{"v=0", "o=- 1 1 IN IP4 " + at, "s=-", "c=IN IP4 " + at, "t=0 0", "m=audio 20000 RTP/AVP 8"}
		if direction != "" {
			lines = append(lines, "a="+direction)
		}
		return "application/sdp", strings.Join(lines, "\r\n") + "\r\n"
	}
	return "", ""
}
