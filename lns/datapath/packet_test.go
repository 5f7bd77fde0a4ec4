package datapath

import (
	"encoding/binary"
	"net/netip"
)

// pack describes a packet for the tests of filters.
type pack struct {
	from, to     string
	protocol     Protocol
	sport, dport uint16 // or the type of ICMP in sport's upper half
	flags        byte   // of TCP
	offset       uint16 // of a fragment, in units of 8 octets
	more         bool   // fragments
	options      []byte // of IPv4
	extensions   []byte // of IPv6, as they travel; the last one names the protocol
	firstHeader  byte   // of the extensions
}

// payload is long enough for every header that is looked at.
func (p pack) payload() []byte {
	b := make([]byte, 24)
	if p.offset != 0 {
		for i := range b { // no header here, so nothing that could be taken for one
			b[i] = 0x50
		}
		return b
	}
	binary.BigEndian.PutUint16(b, p.sport)
	binary.BigEndian.PutUint16(b[2:], p.dport)
	b[12], b[13] = 5<<4, p.flags
	return b
}

func (p pack) bytes() []byte {
	from, to := netip.MustParseAddr(p.from), netip.MustParseAddr(p.to)
	if from.Is4() {
		b := make([]byte, 20, 80)
		b[0] = 4<<4 | byte(5+len(p.options)/4)
		b[9] = byte(p.protocol)
		field := p.offset
		if p.more {
			field |= 0x2000
		}
		binary.BigEndian.PutUint16(b[6:], field)
		copy(b[12:], from.AsSlice())
		copy(b[16:], to.AsSlice())
		b = append(append(b, p.options...), p.payload()...)
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		return b
	}
	b := make([]byte, 40, 120)
	b[0], b[6] = 6<<4, byte(p.protocol)
	copy(b[8:], from.AsSlice())
	copy(b[24:], to.AsSlice())
	extensions := p.extensions
	if extensions != nil {
		b[6] = p.firstHeader
	}
	if p.offset != 0 || p.more {
		field := p.offset << 3
		if p.more {
			field |= 1
		}
		b[6], extensions = extensionFragment, []byte{byte(p.protocol), 0, byte(field >> 8), byte(field), 0, 0, 0, 1}
	}
	b = append(append(b, extensions...), p.payload()...)
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
	return b
}

// extension is an extension header of 8 octets.
func extension(next byte) []byte { return []byte{next, 0, 0, 0, 0, 0, 0, 0} }

func prefix(text string) netip.Prefix {
	if text == "" {
		return netip.Prefix{}
	}
	return netip.MustParsePrefix(text)
}
