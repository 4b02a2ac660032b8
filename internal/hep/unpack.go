package hep

import (
	"bytes"
	"compress/flate"
	"io"
	"unicode/utf8"
)

// Bounds of what a compressed payload may become: 256 KiB, and a hundred times its
// own size. SIP shrinks to a third; a bomb grows a thousandfold.
const (
	maxInflated = 256 << 10
	maxRatio    = 100
)

// An unpacker turns payloads that are not plain into plain ones. Its reader and its
// buffers are made when the first one comes, and kept.
type unpacker struct {
	in      bytes.Reader
	reader  io.ReadCloser
	out     []byte
	scratch []byte
}

// inflate puts the inflated b into out. What wraps it shows in its first bytes:
// gzip (RFC 1952), zlib (RFC 1950), else it is plain deflate (RFC 1951). Checksums
// are not looked at.
func (u *unpacker) inflate(b []byte) Problem {
	limit := min(maxInflated, maxRatio*len(b))
	switch {
	case len(b) > 1 && b[0] == 0x1f && b[1] == 0x8b:
		if b = behindGzip(b); b == nil {
			return BadDeflate
		}
	case len(b) > 1 && b[0] == 0x78 && (int(b[0])<<8|int(b[1]))%31 == 0:
		if b[1]&0x20 != 0 { // a dictionary that only the sender has
			return BadDeflate
		}
		b = b[2:]
	}
	u.in.Reset(b)
	if u.reader == nil {
		u.reader = flate.NewReader(&u.in)
	} else if u.reader.(flate.Resetter).Reset(&u.in, nil) != nil {
		return BadDeflate
	}
	defer u.in.Reset(nil) // b is borrowed
	u.out = u.out[:0]
	for {
		if len(u.out) == cap(u.out) {
			u.out = append(u.out, make([]byte, max(4096, min(cap(u.out), maxInflated)))...)[:len(u.out)]
		}
		n, err := u.reader.Read(u.out[len(u.out):min(cap(u.out), limit+1)])
		u.out = u.out[:len(u.out)+n]
		switch {
		case len(u.out) > limit:
			return TooLarge
		case err == io.EOF:
			return OK
		case err != nil:
			return BadDeflate
		}
	}
}

// behindGzip skips the header of gzip, RFC 1952 §2.3; nil if it does not end.
func behindGzip(b []byte) []byte {
	const header, hcrc, extra, name, comment = 10, 2, 4, 8, 16
	if len(b) < header || b[2] != 8 {
		return nil
	}
	flags := b[3]
	b = b[header:]
	if flags&extra != 0 {
		if len(b) < 2 || len(b) < 2+int(b[0])+int(b[1])<<8 {
			return nil
		}
		b = b[2+int(b[0])+int(b[1])<<8:]
	}
	for _, text := range [...]byte{name, comment} {
		if flags&text != 0 {
			i := bytes.IndexByte(b, 0)
			if i < 0 {
				return nil
			}
			b = b[i+1:]
		}
	}
	if flags&hcrc != 0 {
		if len(b) < 2 {
			return nil
		}
		b = b[2:]
	}
	return b
}

// sipText looks for SIP among the strings of the JSON text b and puts the first one
// that begins like it into out. Where it stands differs from sender to sender, so
// names and nesting are not looked at. b may be out itself.
func (u *unpacker) sipText(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '"')
		if i < 0 {
			return false
		}
		b = b[i+1:]
		n, whole := stringEnd(b)
		if sipStart(b[:n]) {
			u.scratch = appendUnescaped(u.scratch[:0], b[:n])
			u.out, u.scratch = u.scratch, u.out
			return true
		}
		if !whole {
			return false
		}
		b = b[n+1:]
	}
}

// stringEnd is the place of the quote that ends a JSON string.
func stringEnd(b []byte) (n int, whole bool) {
	for n < len(b) {
		switch b[n] {
		case '"':
			return n, true
		case '\\':
			n++
		}
		n++
	}
	return len(b), false
}

// sipStart reports whether a JSON string begins as a SIP message: its first line
// starts or ends with the version. The slash may be escaped.
func sipStart(b []byte) bool {
	line := b
	if i := bytes.Index(b, []byte(`\r`)); i >= 0 {
		line = b[:i]
	} else if i := bytes.Index(b, []byte(`\n`)); i >= 0 {
		line = b[:i]
	}
	if len(line) > 4096 {
		return false
	}
	for _, version := range [...]string{`SIP/2.0`, `SIP\/2.0`} {
		if bytes.HasPrefix(line, []byte(version+" ")) || bytes.HasSuffix(line, []byte(" "+version)) {
			return true
		}
	}
	return false
}

// appendUnescaped copies a JSON string to the end of dst, RFC 8259 §7. An escape that
// is none is kept as it stands, half of a surrogate pair becomes U+FFFD.
func appendUnescaped(dst, b []byte) []byte {
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' || i+1 == len(b) {
			dst = append(dst, b[i])
			continue
		}
		i++
		if at := bytes.IndexByte([]byte(`"\/bfnrt`), b[i]); at >= 0 {
			dst = append(dst, "\"\\/\b\f\n\r\t"[at])
			continue
		}
		r, ok := hex4(b[i:])
		if !ok {
			dst = append(dst, '\\', b[i])
			continue
		}
		i += 4
		if r >= 0xd800 && r < 0xdc00 && i+2 < len(b) && b[i+1] == '\\' {
			if low, ok := hex4(b[i+2:]); ok && low >= 0xdc00 && low < 0xe000 {
				r = (r-0xd800)<<10 + (low - 0xdc00) + 0x10000
				i += 6
			}
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

// hex4 reads the u and the four digits of an escape.
func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 5 || b[0] != 'u' {
		return 0, false
	}
	for _, c := range b[1:5] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
