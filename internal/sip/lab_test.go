package sip

import (
	"encoding/binary"
	"encoding/json"
	"testing"
)

// payloads gives the UDP payloads, with their source ports, of a classic
// little-endian pcap file of Ethernet and IPv4 without options.
func payloads(t *testing.T, b []byte) (all [][]byte, ports []uint16) {
	t.Helper()
	const file, packet, headers = 24, 16, 14 + 20 + 8
	for b = b[file:]; len(b) > packet; {
		n := int(binary.LittleEndian.Uint32(b[8:]))
		frame := b[packet : packet+n]
		b = b[packet+n:]
		all = append(all, frame[headers:])
		ports = append(ports, binary.BigEndian.Uint16(frame[34:]))
	}
	return all, ports
}

// TestLabBadMessages holds the malformed messages that the laboratory sent to
// a real proxy against the rule each of them breaks.
func TestLabBadMessages(t *testing.T) {
	const sip, probe = KindSIP, KindProbe
	verdicts := map[string]struct {
		kind    Kind
		problem Problem
		header  Header
		odd     Oddity
	}{
		"header without colon":            {sip, NoColon, 0, OddNoMaxForwards},
		"no To":                           {sip, MissingHeader, HeaderTo, 0},
		"5000 byte header":                {sip, OK, 0, 0},
		"CSeq too large":                  {sip, CSeqTooLarge, HeaderCSeq, 0},
		"no end of headers":               {sip, NoEnd, 0, 0},
		"two Content-Length":              {sip, LengthConflict, HeaderContentLength, 0},
		"bad URI in request line":         {sip, BadRequestURI, 0, 0},
		"folded header (legal)":           {sip, OK, 0, 0},
		"no Call-ID":                      {sip, MissingHeader, HeaderCallID, 0},
		"CSeq not a number":               {sip, CSeqNotNumber, HeaderCSeq, 0},
		"NUL in header":                   {sip, OK, 0, OddControlChar},
		"no Via":                          {sip, MissingHeader, HeaderVia, 0},
		"Content-Length negative":         {sip, LengthNotNumber, HeaderContentLength, 0},
		"lower-case method":               {sip, CSeqMethod, HeaderCSeq, 0},
		"binary junk":                     {probe, 0, 0, 0},
		"compact headers (legal)":         {sip, OK, 0, 0},
		"Content-Length larger than body": {sip, OK, 0, 0},
		"empty Call-ID":                   {sip, EmptyHeader, HeaderCallID, 0},
		"From with open quote":            {sip, OpenQuote, HeaderFrom, 0},
		"Via without branch":              {sip, OK, 0, OddNoBranch},
		"no CSeq":                         {sip, MissingHeader, HeaderCSeq, 0},
		"lone LF line ends":               {sip, OK, 0, OddLFOnly},
		"response 99":                     {sip, StatusRange, 0, 0},
		"HTTP request on the SIP port":    {probe, 0, 0, 0},
		"CSeq method differs":             {sip, CSeqMethod, HeaderCSeq, 0},
		"request line without version":    {sip, NoVersion, 0, 0},
		"version SIP/3.0":                 {sip, BadVersion, 0, 0},
		"no From":                         {sip, MissingHeader, HeaderFrom, 0},
	}
	var truth struct {
		Facts struct {
			Sent []struct{ Defect string }
			Good int `json:"good_after"`
		}
	}
	if err := json.Unmarshal(shared(t, "lab/19-badmsgs-a/truth.json"), &truth); err != nil {
		t.Fatal(err)
	}
	all, ports := payloads(t, shared(t, "lab/19-badmsgs-a/capture.pcap"))
	var sent [][]byte
	for i, p := range all {
		if ports[i] == 5079 { // the answers repeat what was wrong
			sent = append(sent, p)
		}
	}
	if len(sent) != len(truth.Facts.Sent)+truth.Facts.Good {
		t.Fatalf("%d messages sent, want %d and %d", len(sent), len(truth.Facts.Sent), truth.Facts.Good)
	}
	for i, s := range truth.Facts.Sent {
		t.Run(s.Defect, func(t *testing.T) {
			v, ok := verdicts[s.Defect]
			if !ok {
				t.Fatal("no verdict")
			}
			if kind, what := Classify(sent[i]); kind != v.kind {
				t.Fatalf("Classify = %s %s, want %s", kind, what, v.kind)
			}
			if v.kind != KindSIP {
				return
			}
			var m Message
			if why := m.Parse(sent[i], false); why != v.problem || m.ProblemHeader() != v.header {
				t.Errorf("%s in %s, want %s in %s", why, m.ProblemHeader(), v.problem, v.header)
			}
			if m.Oddities() != v.odd {
				t.Errorf("oddities %q, want %q", m.Oddities(), v.odd)
			}
		})
	}
	for _, p := range sent[len(truth.Facts.Sent):] {
		parsed(t, p)
	}
}
