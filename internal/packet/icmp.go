package packet

// icmp4 refuses all of ICMP, RFC 792. An error quotes the packet it is about,
// which was seen, or never arrived: the SIP in it is no message.
func icmp4(d *Decoder, b []byte) (Layer, []byte, Drop) {
	if len(b) < 4 {
		return LayerNone, nil, ShortHeader
	}
	switch b[0] {
	case 3, 4, 5, 11, 12: // unreachable, source quench, redirect, time exceeded, parameter problem
		return LayerNone, nil, ICMPError
	}
	return LayerNone, nil, NotTransport
}

// icmp6 refuses all of ICMPv6. Types below 128 are errors, RFC 4443 §2.1.
func icmp6(d *Decoder, b []byte) (Layer, []byte, Drop) {
	if len(b) < 4 {
		return LayerNone, nil, ShortHeader
	}
	if b[0] < 128 {
		return LayerNone, nil, ICMPError
	}
	return LayerNone, nil, NotTransport
}
