package sip

import (
	"math/bits"
	"strings"
)

// Problem is why a message cannot be used; OK when it can.
type Problem uint8

// The outcomes of Message.Parse.
const (
	OK                Problem = iota
	Truncated                 // the snap length cut the header section
	NoEnd                     // no empty line after the headers, RFC 3261 §7
	BadStartLine              // neither Request-Line nor Status-Line, RFC 3261 §7.1, §7.2
	BadMethod                 // the method is no token
	NoVersion                 // a request line that ends with its URI
	BadVersion                // a version that is not SIP/2.0, RFC 3261 §21.5.6
	BadStatus                 // a status that is not three digits
	StatusRange               // a status outside 100-699
	BadRequestURI             // RFC 3261 §19.1.1, RFC 5118 §4.2
	SpaceInRequestURI         // RFC 3261 §7.1, RFC 4475 §3.1.2.8
	BracketsAroundURI         // RFC 3261 §7.1, RFC 4475 §3.1.2.7
	NoColon                   // a header line without colon, RFC 3261 §7.3
	NoName                    // a header line that starts with its colon, or a folded start line
	MissingHeader             // one of those that RFC 3261 §8.1.1 makes mandatory
	EmptyHeader               // one of them is there, without a value
	BrokenHeader              // one of them does not follow its grammar
	OpenQuote                 // a quoted string without end in From or To, RFC 4475 §3.1.2.6
	RepeatedHeader            // a header that may come once only, RFC 4475 §3.3.8
	CSeqNotNumber             // RFC 3261 §20.16
	CSeqTooLarge              // 2^32 or more, RFC 4475 §3.1.2.4
	CSeqMethod                // not the request's method, RFC 3261 §8.1.1.5
	LengthNotNumber           // RFC 4475 §3.1.2.3
	LengthConflict            // RFC 4475 §3.3.9
	AmbiguousContact          // a REGISTER Contact with ? but without <>, RFC 4475 §3.1.2.13
	NumProblems
)

// problems: the counter's name, who is to blame where no header is, the reason.
var problems = [NumProblems]struct{ keyword, subject, reason string }{
	OK:                {"ok", "message", "no problem"},
	Truncated:         {"truncated", "header section", "cut by the snap length"},
	NoEnd:             {"no-end", "header section", "no empty line at its end"},
	BadStartLine:      {"bad-start-line", "start line", "neither a request line nor a status line"},
	BadMethod:         {"bad-method", "start line", "method is not a token"},
	NoVersion:         {"no-version", "start line", "no SIP version"},
	BadVersion:        {"bad-version", "start line", "version is not SIP/2.0"},
	BadStatus:         {"bad-status", "start line", "status is not three digits"},
	StatusRange:       {"status-range", "start line", "status is outside 100-699"},
	BadRequestURI:     {"bad-request-uri", "start line", "Request-URI is broken"},
	SpaceInRequestURI: {"space-in-request-uri", "start line", "white space in the Request-URI"},
	BracketsAroundURI: {"brackets-around-uri", "start line", "Request-URI in angle brackets"},
	NoColon:           {"no-colon", "header line", "no colon"},
	NoName:            {"no-name", "header line", "no name before the value"},
	MissingHeader:     {"missing-header", "header", "missing"},
	EmptyHeader:       {"empty-header", "header", "empty"},
	BrokenHeader:      {"broken-header", "header", "broken"},
	OpenQuote:         {"open-quote", "header", "quoted string without end"},
	RepeatedHeader:    {"repeated-header", "header", "more than one"},
	CSeqNotNumber:     {"cseq-not-number", "header", "number is no number"},
	CSeqTooLarge:      {"cseq-too-large", "header", "number is 2^32 or more"},
	CSeqMethod:        {"cseq-method", "header", "method is not the request's"},
	LengthNotNumber:   {"length-not-number", "header", "not a number"},
	LengthConflict:    {"length-conflict", "header", "two different values"},
	AmbiguousContact:  {"ambiguous-contact", "header", "question mark in a URI without angle brackets"},
}

// String gives the keyword under which the problem is counted.
func (p Problem) String() string {
	if p >= NumProblems {
		return "unknown"
	}
	return problems[p].keyword
}

// appendProblem writes what an operator reads, such as
// "CSeq: number is 2^32 or more".
func appendProblem(dst []byte, p Problem, h Header) []byte {
	subject := problems[p].subject
	if h != HeaderOther {
		subject = h.String()
	}
	dst = append(dst, subject...)
	dst = append(dst, ": "...)
	return append(dst, problems[p].reason...)
}

// Oddity is a set of what does not comply in a message that can be used. A
// caller walks it bit by bit: for o != 0 { bit := o & -o; ...; o &^= bit }.
type Oddity uint32

// The single oddities.
const (
	OddLFOnly             Oddity = 1 << iota // a header line ends with a bare LF, RFC 3261 §7
	OddJunkBefore                            // something else than CRLF before the start line, RFC 3261 §7.5
	OddStartLineSpace                        // more, less or other white space in the start line than one SP, RFC 3261 §7.1, §7.2
	OddNoBranch                              // the top Via has no branch, or only the magic cookie, RFC 3261 §8.1.1.7
	OddNoFromTag                             // RFC 3261 §8.1.1.3
	OddControlChar                           // a byte below 0x20 that is neither TAB nor line end, even where a quoted-pair allows it
	OddContentLengthShort                    // bytes after the body, RFC 3261 §18.3
	OddNoContentLength                       // over TCP or TLS by the top Via, RFC 3261 §20.14
	OddDisplayName                           // From or To: an unquoted display name that is not tokens, RFC 3261 §25.1
	OddSpaceInURI                            // From or To: white space in an addr-spec, RFC 4475 §3.1.2.14
	OddParam                                 // From, To, top Via: an empty or malformed parameter, RFC 3261 §25.1
	OddHeaderName                            // a header name that is no token, RFC 3261 §7.3.1
	OddURIHeaders                            // headers in the Request-URI, RFC 3261 §19.1.1, RFC 4475 §3.1.2.11
	OddDate                                  // a Date whose zone is not GMT, RFC 3261 §20.17
	OddNoMaxForwards                         // a request without Max-Forwards, RFC 3261 §8.1.1.6
	OddCSeqLarge                             // a CSeq of 2^31 or more, RFC 3261 §8.1.1.5
	OddCallID                                // white space inside the Call-ID, RFC 3261 §20.8
	endOfOddities
)

// NumOddities is how many single oddities there are.
const NumOddities = 17

var oddities = [NumOddities]string{
	"lf-only", "junk-before", "start-line-space", "no-branch", "no-from-tag", "control-char",
	"content-length-short", "no-content-length", "display-name", "space-in-uri",
	"param", "header-name", "uri-headers", "date", "no-max-forwards", "cseq-large", "call-id",
}

// String gives a single oddity's keyword; of a set, the keywords with commas
// between; "" of none.
func (o Oddity) String() string {
	o &= endOfOddities - 1
	if o == 0 {
		return ""
	}
	if o&(o-1) == 0 {
		return oddities[bits.TrailingZeros32(uint32(o))]
	}
	var all []string
	for ; o != 0; o &= o - 1 {
		all = append(all, oddities[bits.TrailingZeros32(uint32(o))])
	}
	return strings.Join(all, ",")
}
