package ppp

// Frame is one PPP packet on its way to or from a peer. Packet begins behind
// the protocol number. It is memory of its own: the one who receives a Frame
// may keep it.
type Frame struct {
	Protocol Protocol
	Packet   []byte
}

// Framing says which short forms WE may use towards the peer. They are options
// that the PEER asked for, so they never restrict what we accept.
type Framing struct {
	PFC  bool // one-octet protocol numbers, RFC 1661 section 6.5
	ACFC bool // no address and control octets, RFC 1661 section 6.6
}

// address and control are the constant HDLC octets in front of an uncompressed
// frame, RFC 1662 section 3.1.
const (
	address = 0xff
	control = 0x03
)

// ParseFrame splits a frame as it travels in an L2TP data message:
//
//	+---------+---------+----------------+-------------+
//	| 0xff    | 0x03    | protocol       | packet ...  |
//	| both or neither   | 1 or 2 octets  |             |
//	+---------+---------+----------------+-------------+
//
// Every form is accepted, whatever was negotiated: peers send FF 03 after
// having asked for its compression and leave it out without having asked. The
// packet is a view into b.
func ParseFrame(b []byte) (Protocol, []byte, error) {
	if len(b) >= 2 && b[0] == address && b[1] == control {
		b = b[2:]
	}
	if len(b) == 0 {
		return 0, nil, ErrTruncated
	}
	if b[0]&1 == 1 {
		return Protocol(b[0]), b[1:], nil
	}
	if len(b) < 2 {
		return 0, nil, ErrTruncated
	}
	p := Protocol(b[0])<<8 | Protocol(b[1])
	if !p.Valid() {
		return 0, nil, ErrProtocol
	}
	return p, b[2:], nil
}

// AppendFrameHeader appends what stands in front of a packet of protocol p. LCP
// is always sent in full, because it has to be understood while the options
// are being changed (RFC 1661 sections 6.5 and 6.6).
func AppendFrameHeader(b []byte, p Protocol, f Framing) []byte {
	if p == LCP || !f.ACFC {
		b = append(b, address, control)
	}
	if f.PFC && p < 0x100 {
		return append(b, byte(p))
	}
	return append(b, byte(p>>8), byte(p))
}
