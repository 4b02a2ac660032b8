package packet

// IP in IP, RFC 2003, RFC 4213 and RFC 2473, has no header of its own: the rows of
// these functions only say that a second IP header follows.

func ipv4Inside(_ *Decoder, b []byte) (Layer, []byte, Drop) { return LayerIPv4, b, OK }

func ipv6Inside(_ *Decoder, b []byte) (Layer, []byte, Drop) { return LayerIPv6, b, OK }
