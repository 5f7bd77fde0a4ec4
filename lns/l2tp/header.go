package l2tp

import "encoding/binary"

// Port is the UDP port of L2TP (RFC 2661 section 8.1).
const Port = 1701

// TunnelID names a tunnel within one peer. 0 is never assigned.
type TunnelID uint16

// SessionID names a session (call) within one tunnel. 0 is never assigned and means the tunnel itself.
type SessionID uint16

// Bits of the first two octets.
const (
	flagControl  = 0x8000
	flagLength   = 0x4000
	flagSequence = 0x0800
	flagOffset   = 0x0200
	flagPriority = 0x0100
	versionMask  = 0x000f
	version      = 2
)

// ControlHeaderLen is the length of every control message's header, in octets.
const ControlHeaderLen = 12

// Header is the header of a control or data message (RFC 2661 section 3.1). In a control message L and S are always
// set, O and P never.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|T|L|x|x|S|x|O|P|x|x|x|x|  Ver  |          Length (opt)         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           Tunnel ID           |           Session ID          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|             Ns (opt)          |             Nr (opt)          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|      Offset Size (opt)        |    Offset pad... (opt)
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Header struct {
	Control  bool // T: control message
	Length   bool // L: the Length field is present
	Sequence bool // S: Ns and Nr are present
	Offset   bool // O: the Offset Size field is present
	Priority bool // P: data message that should be sent first
	Tunnel   TunnelID
	Session  SessionID
	Ns, Nr   uint16 // 0 when Sequence is not set
}

// IsControl reports whether the datagram claims to be a control message. It looks at the first two octets only.
func IsControl(datagram []byte) bool {
	return len(datagram) >= 2 && datagram[0]&(flagControl>>8) != 0
}

// ParseHeader reads the header of a datagram. The payload is a view into the datagram: cut to the Length field if there
// is one, and past the offset pad. Reserved bits are ignored. Errors: ErrTruncated, VersionError, ErrHeader, ErrLength,
// ErrOffset.
func ParseHeader(datagram []byte) (h Header, payload []byte, err error) {
	if len(datagram) < 2 {
		return Header{}, nil, ErrTruncated
	}
	flags := binary.BigEndian.Uint16(datagram)
	if v := flags & versionMask; v != version {
		return Header{}, nil, VersionError(v)
	}
	h = Header{
		Control:  flags&flagControl != 0,
		Length:   flags&flagLength != 0,
		Sequence: flags&flagSequence != 0,
		Offset:   flags&flagOffset != 0,
		Priority: flags&flagPriority != 0,
	}
	if h.Control && (!h.Length || !h.Sequence || h.Offset || h.Priority) {
		return Header{}, nil, ErrHeader
	}
	n := h.size()
	if len(datagram) < n {
		return Header{}, nil, ErrTruncated
	}
	at := 2
	if h.Length {
		length := int(binary.BigEndian.Uint16(datagram[at:]))
		if length < n || length > len(datagram) {
			return Header{}, nil, ErrLength
		}
		datagram = datagram[:length]
		at += 2
	}
	h.Tunnel = TunnelID(binary.BigEndian.Uint16(datagram[at:]))
	h.Session = SessionID(binary.BigEndian.Uint16(datagram[at+2:]))
	at += 4
	if h.Sequence {
		h.Ns = binary.BigEndian.Uint16(datagram[at:])
		h.Nr = binary.BigEndian.Uint16(datagram[at+2:])
		at += 4
	}
	if h.Offset {
		pad := int(binary.BigEndian.Uint16(datagram[at:]))
		if pad > len(datagram)-n {
			return Header{}, nil, ErrOffset
		}
		n += pad
	}
	return h, datagram[n:], nil
}

// size is the number of octets of the header's fields, the offset pad not counted.
func (h Header) size() int {
	n := 6
	if h.Length {
		n += 2
	}
	if h.Sequence {
		n += 4
	}
	if h.Offset {
		n += 2
	}
	return n
}

// AppendDataHeader appends the header of a data message with payloadLen octets behind it. Control is ignored; an
// Offset Size of 0 is written if Offset is set. It allocates nothing if b has room.
func AppendDataHeader(b []byte, h Header, payloadLen int) []byte {
	flags := uint16(version)
	if h.Length {
		flags |= flagLength
	}
	if h.Sequence {
		flags |= flagSequence
	}
	if h.Offset {
		flags |= flagOffset
	}
	if h.Priority {
		flags |= flagPriority
	}
	b = binary.BigEndian.AppendUint16(b, flags)
	if h.Length {
		b = binary.BigEndian.AppendUint16(b, uint16(h.size()+payloadLen))
	}
	b = binary.BigEndian.AppendUint16(b, uint16(h.Tunnel))
	b = binary.BigEndian.AppendUint16(b, uint16(h.Session))
	if h.Sequence {
		b = binary.BigEndian.AppendUint16(b, h.Ns)
		b = binary.BigEndian.AppendUint16(b, h.Nr)
	}
	if h.Offset {
		b = binary.BigEndian.AppendUint16(b, 0)
	}
	return b
}

// AppendControl appends a whole control datagram. An empty body makes a ZLB, the bare acknowledgement of section 5.8.
// Nothing is padded: some peers compare the datagram's size with its Length field.
func AppendControl(b []byte, tunnel TunnelID, session SessionID, ns, nr uint16, body []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, flagControl|flagLength|flagSequence|version)
	b = binary.BigEndian.AppendUint16(b, uint16(ControlHeaderLen+len(body)))
	b = binary.BigEndian.AppendUint16(b, uint16(tunnel))
	b = binary.BigEndian.AppendUint16(b, uint16(session))
	b = binary.BigEndian.AppendUint16(b, ns)
	b = binary.BigEndian.AppendUint16(b, nr)
	return append(b, body...)
}
