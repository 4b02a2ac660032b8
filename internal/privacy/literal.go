package privacy

import (
	"bytes"
	"net/netip"

	"github.com/sipcmbeat/sipcmbeat/internal/sip"
)

// canonical reads an address that is written as netip writes it, so that what is mapped
// opens to the same text. Everything else that names an address is sealed as a text.
func canonical(b []byte) (netip.Addr, bool) {
	if a, ok := quad(b, '.', true); ok {
		return a, true
	}
	if len(b) < 2 || len(b) > len("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff") {
		return netip.Addr{}, false
	}
	colons := 0
	for _, c := range b {
		switch {
		case c == ':':
			colons++
		case c-'0' > 9 && c-'a' > 5:
			return netip.Addr{}, false
		}
	}
	if colons < 2 {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(string(b))
	var again [40]byte
	return a, err == nil && !a.Is4In6() && string(a.AppendTo(again[:0])) == string(b)
}

// quad reads four decimal numbers below 256 with a separator between them; strict allows
// no leading zeros.
func quad(b []byte, separator byte, strict bool) (netip.Addr, bool) {
	var four [4]byte
	part, digits, n := 0, 0, 0
	for i := 0; i <= len(b); i++ {
		if i < len(b) && b[i]-'0' <= 9 {
			if n = 10*n + int(b[i]-'0'); n > 255 || digits == 3 || strict && digits > 0 && n < 10 {
				return netip.Addr{}, false
			}
			digits++
			continue
		}
		if digits == 0 || part == 4 || i < len(b) && (b[i] != separator || part == 3) {
			return netip.Addr{}, false
		}
		four[part] = byte(n)
		part, digits, n = part+1, 0, 0
	}
	return netip.AddrFrom4(four), part == 4
}

// isAddress tells whether a host names an address, in whatever notation a resolver may
// take: with colons, or with a number at the end (0x7f.1, 3232235777, 192.0.2.1.), or
// behind escapes, or as the names of dynamic addresses do (192-0-2-1.example.net).
func isAddress(host []byte) bool {
	end := len(host)
	if end > 0 && host[end-1] == '.' {
		end--
	}
	start := end
	for start > 0 && host[start-1] != '.' {
		if c := host[start-1]; c == ':' || c == '%' {
			return true
		}
		start--
	}
	if isNumeral(host[start:end]) {
		return true
	}
	for _, c := range host[:start] {
		if c == ':' || c == '%' {
			return true
		}
	}
	return holdsAddress(host)
}

// isNumeral: decimal, or hexadecimal behind 0x.
func isNumeral(b []byte) bool {
	hex := len(b) > 1 && b[0] == '0' && b[1]|0x20 == 'x'
	if hex {
		b = b[2:]
	}
	for _, c := range b {
		if c-'0' > 9 && !(hex && c|0x20-'a' <= 5) {
			return false
		}
	}
	return hex || len(b) > 0
}

// holdsAddress looks for an address within a text, escaped or not: four numbers with dots,
// hyphens or underscores between them, or what reads as an IPv6 address.
func holdsAddress(b []byte) bool {
	var room [256]byte
	return showsAddress(b) || isEscaped(b) && showsAddress(sip.AppendUnescaped(room[:0], b))
}

// holdsNumber looks for as many digits as a number has, visual separators between them.
func holdsNumber(b []byte) bool {
	var room [256]byte
	return showsNumber(b) || isEscaped(b) && showsNumber(sip.AppendUnescaped(room[:0], b))
}

// holdsPlus looks for a number that begins with a plus.
func holdsPlus(b []byte) bool {
	for {
		at := bytes.IndexByte(b, '+')
		if at < 0 {
			return false
		}
		b = b[at+1:]
		if showsNumber(b[:min(len(b), manyDigits+4)]) {
			return true
		}
	}
}

func isEscaped(b []byte) bool { return bytes.IndexByte(b, '%') >= 0 }

func showsAddress(b []byte) bool {
	for i := 0; i < len(b); {
		if c := b[i]; !isHexColon(c) {
			i++
			continue
		}
		start := i
		for i < len(b) && isHexColon(b[i]) {
			i++
		}
		if run := b[start:i]; isSix(run) || isSixName(run) || holdsQuad(run) || i < len(b) && isHexFour(b[i-1:]) {
			return true
		}
	}
	return false
}

// isHexColon is for what an address may be written with, and the separators that stand in
// for dots and colons.
func isHexColon(c byte) bool {
	return c-'0' <= 10 /* and the colon */ || c|0x20-'a' <= 5 || c == '.' || c == '-' || c == '_'
}

// isHexFour tells whether a text begins with 0x and the digits of an address of IPv4.
func isHexFour(b []byte) bool {
	const digits = 8
	return len(b) >= 2+digits && b[0] == '0' && b[1]|0x20 == 'x' && only(b[2:2+digits], isHex)
}

// isSix tells whether a run of such signs holds an IPv6 address: it has the double colon, of
// which one may stand before it, or the colons of eight groups, of which the first may have
// been taken for a scheme. Words beside it may end with hexadecimal digits, so the groups are
// not looked at.
func isSix(b []byte) bool {
	last, colons := -2, 0
	for i, c := range b {
		if c != ':' {
			continue
		}
		if colons++; colons == 6 || last == i-1 || colons == 3 && b[0] == ':' {
			return true
		}
		last = i
	}
	return false
}

// isSixName is isSix with hyphens or underscores in place of the colons, as names of hosts
// have them (2001-db8--1.ipv6-literal.net). Other names have these too: all groups but the
// outer two, beside which something may stand, have to be ones.
func isSixName(b []byte) bool {
	const least = 3 // separators of the shortest that is taken for one
	separators, doubled, digits, empty := 0, false, 0, false
	for i := 0; i <= len(b); i++ {
		end := i == len(b) || b[i] == '.'
		if !end && b[i] != '-' && b[i] != '_' {
			digits++
			continue
		}
		third := empty && digits == 0
		empty = digits == 0 && separators > 0
		if end || separators > 0 && digits > 4 || empty && doubled {
			if separators >= 7 || doubled && separators >= least && !third {
				return true
			}
			separators, doubled, empty = 0, false, false
		}
		doubled = doubled || empty
		if digits = 0; !end && (separators > 0 || i > 0 && b[i-1] != '-' && b[i-1] != '_') {
			separators++
		}
	}
	return false
}

// colon is never written to.
var colon = []byte{':'}

// holdsQuad looks for four numbers in a run of digits and separators. Other digits may
// stand right before and behind, as in branches that some user agents make.
func holdsQuad(b []byte) bool {
	for i := 0; i < len(b); i++ {
		if b[i]-'0' > 9 {
			continue
		}
		end, parts := i, 0
		var separator byte
		for end < len(b) {
			from := end
			for end < len(b) && b[end]-'0' <= 9 {
				end++
			}
			if parts == 3 && end > from {
				end = from + 1
			}
			if end == from || end-from > 3 {
				break
			}
			if parts++; parts == 4 {
				if _, ok := quad(b[i:end], separator, false); ok {
					return true
				}
				break
			}
			if end == len(b) || separator != 0 && b[end] != separator {
				break
			}
			separator = b[end]
			if separator != '.' && separator != '-' && separator != '_' {
				break
			}
			end++
		}
	}
	return false
}

// isNumber tells whether a user is a telephone number or a service code: digits with
// visual separators (RFC 3966 §3), a plus before, parameters behind, escaped or not.
func isNumber(b []byte) bool {
	var room [64]byte
	digits := 0
	for i, c := range sip.AppendUnescaped(room[:0], b) {
		switch {
		case c-'0' <= 9:
			digits++
		case c == ';':
			return digits > 0
		case i == 0 && c == '+':
		default:
			if !isVisual(c) && c != '*' && c != '#' {
				return false
			}
		}
	}
	return digits > 0
}

// isVisual: visual-separator of RFC 3966 §3, and the blank that people write.
func isVisual(c byte) bool {
	return c == '-' || c == '.' || c == '(' || c == ')' || c == ' '
}

// manyDigits in a text may be a number with something around it.
const manyDigits = 7

func showsNumber(b []byte) bool {
	digits := 0
	for _, c := range b {
		switch {
		case c-'0' <= 9:
			if digits++; digits == manyDigits {
				return true
			}
		case !isVisual(c):
			digits = 0
		}
	}
	return false
}

// kept is how much of a number truncate leaves behind the country code, and hidden how
// much it cuts at least: short numbers lose all.
const (
	kept   = 3
	hidden = 4
)

// truncateNumber appends the country code and the first digits behind it, nothing for a
// number that is too short, or none. A number that does not say its country keeps its
// first digits.
func truncateNumber(dst, b []byte) []byte {
	var room [64]byte
	b = sip.AppendUnescaped(room[:0], b)
	start, n := len(dst), 0
	plus := len(b) > 0 && b[0] == '+'
	for _, c := range b {
		if c == ';' {
			break
		}
		if c-'0' <= 9 {
			dst = append(dst, c)
		}
	}
	digits := dst[start:]
	switch {
	case plus:
		n = countryCode(digits)
	case len(digits) > 2 && digits[0] == '0' && digits[1] == '0':
		n = 2 + countryCode(digits[2:])
	}
	if n = min(n+kept, len(digits)-hidden); n <= 0 {
		return dst[:start]
	}
	dst = dst[:start+n]
	if plus {
		dst = append(dst, 0)
		copy(dst[start+1:], dst[start:])
		dst[start] = '+'
	}
	return dst
}

// countryCode is how many digits the country code has (ITU-T E.164, list of assigned
// codes): zones 1 and 7 one, these two, all others three.
func countryCode(digits []byte) int {
	if len(digits) < 2 {
		return len(digits)
	}
	if digits[0] == '1' || digits[0] == '7' {
		return 1
	}
	switch string(digits[:2]) {
	case "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48", "49",
		"51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66",
		"81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98":
		return 2
	}
	return min(3, len(digits))
}
