package tun

import "encoding/binary"

// fragmenter cuts an IPv4 packet into pieces that fit an MRU (RFC 791 section 3.2). It takes nothing from the packet: the
// pieces are written to wherever the caller says.
type fragmenter struct {
	packet []byte
	header int // octets of the packet's own header
	next   int // octets of payload already taken
	mru    int
}

func newFragmenter(packet []byte, mru int) fragmenter {
	return fragmenter{packet: packet, header: headerLen(packet), mru: mru}
}

// endsTooFar says that a packet is a fragment that reaches beyond the longest packet there can be. Its pieces would have
// offsets that do not fit their field, and no host can put it together.
func endsTooFar(packet []byte) bool {
	octets := len(packet) - headerLen(packet)
	return octets > 0 && int(fragmentField(packet)&fragmentOffset)+(octets-1)/8 > fragmentOffset
}

// done says that every octet of the packet is in a piece.
func (f *fragmenter) done() bool { return f.header+f.next >= len(f.packet) }

// piece appends the next fragment to b. A piece is never longer than the MRU, which is at least 68.
func (f *fragmenter) piece(b []byte) []byte {
	start := len(b)
	first := f.next == 0
	if first {
		b = append(b, f.packet[:f.header]...)
	} else {
		b = appendCopiedHeader(b, f.packet[:f.header])
	}
	header := len(b) - start
	room := (f.mru - header) &^ 7
	payload := f.packet[f.header+f.next:]
	last := len(payload) <= f.mru-header
	if !last {
		payload = payload[:room]
	}
	b = append(b, payload...)

	field := fragmentField(f.packet)
	offset := field&fragmentOffset + uint16(f.next/8)
	field = field&^fragmentOffset | offset
	if !last { // the last piece keeps the flag of the packet, which may be a fragment itself
		field |= flagMoreFragments
	}
	out := b[start:]
	binary.BigEndian.PutUint16(out[atTotalLength:], uint16(len(out)))
	binary.BigEndian.PutUint16(out[atFragment:], field)
	writeHeaderChecksum(out)
	f.next += len(payload)
	return b
}

// appendCopiedHeader appends a header with those options only that belong into every fragment: the ones whose first bit
// is set (RFC 791 section 3.1, "Options").
func appendCopiedHeader(b, header []byte) []byte {
	const copied = 0x80
	start := len(b)
	b = append(b, header[:minHeaderLen]...)
	for options := header[minHeaderLen:]; len(options) > 0; {
		length := 1
		if options[0] != optionEnd && options[0] != optionNoOp {
			if len(options) < optionHeaderLen || int(options[1]) < optionHeaderLen || int(options[1]) > len(options) {
				break
			}
			length = int(options[1])
		}
		if options[0] == optionEnd {
			break
		}
		if options[0]&copied != 0 {
			b = append(b, options[:length]...)
		}
		options = options[length:]
	}
	for (len(b)-start)%4 != 0 {
		b = append(b, optionEnd)
	}
	b[start] = 4<<4 | byte((len(b)-start)/4)
	return b
}
