package capture

import (
	"encoding/binary"
	"time"
)

// Blocks, options and link type of the pcapng format (draft-ietf-opsawg-pcapng), and the byte order that this package writes.
const (
	blockSection    = 0x0a0d0d0a
	blockInterface  = 1
	blockStatistics = 5
	blockPacket     = 6

	byteOrderMagic = 0x1a2b3c4d
	linkRaw        = 101 // IPv4 or IPv6, without a frame around it
	nanoseconds    = 9   // the resolution of times, as a negative power of ten

	optionEnd          = 0
	optionComment      = 1
	sectionProgram     = 4 // shb_userappl
	interfaceName      = 2 // if_name
	interfaceWords     = 3 // if_description
	interfaceTime      = 9 // if_tsresol
	packetFlags        = 2 // epb_flags
	statisticsReceived = 4 // isb_ifrecv
	statisticsDropped  = 5 // isb_ifdrop

	inbound, outbound = 1, 2
)

var order = binary.LittleEndian

// maxComment keeps an option far below the 64 KB that it can hold.
const maxComment = 8 << 10

// appendStart begins a file: which program wrote it, and the one interface that its packets passed.
func appendStart(b []byte, program, name, words string) []byte {
	b, at := openBlock(b, blockSection)
	b = order.AppendUint32(b, byteOrderMagic)
	b = order.AppendUint16(b, 1) // version 1.0
	b = order.AppendUint16(b, 0)
	b = order.AppendUint64(b, ^uint64(0)) // the length is not known in advance
	b = appendOption(b, sectionProgram, program)
	b = closeBlock(b, at)

	b, at = openBlock(b, blockInterface)
	b = order.AppendUint16(b, linkRaw)
	b = order.AppendUint16(b, 0)
	b = order.AppendUint32(b, 0) // no bound on the length of packets
	b = appendOption(b, interfaceName, name)
	b = appendOption(b, interfaceWords, words)
	b = appendOption(b, interfaceTime, string([]byte{nanoseconds}))
	return closeBlock(b, at)
}

// record is one packet of the file.
type record struct {
	at       time.Time
	incoming bool
	octets   []byte // as much of it as is shown
	whole    int    // its length on the wire
	comment  string // empty: none
}

func appendRecord(b []byte, r record) []byte {
	b, at := openBlock(b, blockPacket)
	b = order.AppendUint32(b, 0) // the interface
	b = appendTime(b, r.at)
	b = order.AppendUint32(b, uint32(len(r.octets)))
	b = order.AppendUint32(b, uint32(r.whole))
	b = pad(append(b, r.octets...))
	if r.comment != "" {
		b = appendOption(b, optionComment, r.comment)
	}
	direction := uint32(outbound)
	if r.incoming {
		direction = inbound
	}
	b = appendOption(b, packetFlags, string(order.AppendUint32(nil, direction)))
	return closeBlock(b, at)
}

// appendEnd tells how many packets there were, and how many did not find their way into the file.
func appendEnd(b []byte, now time.Time, written, dropped uint64) []byte {
	b, at := openBlock(b, blockStatistics)
	b = order.AppendUint32(b, 0)
	b = appendTime(b, now)
	b = appendOption(b, statisticsReceived, string(order.AppendUint64(nil, written+dropped)))
	b = appendOption(b, statisticsDropped, string(order.AppendUint64(nil, dropped)))
	return closeBlock(b, at)
}

// openBlock begins a block, whose length is filled in when it is closed.
func openBlock(b []byte, kind uint32) (_ []byte, at int) {
	at = len(b)
	b = order.AppendUint32(b, kind)
	return order.AppendUint32(b, 0), at
}

// closeBlock ends a block and its options. Its length stands in front and behind.
func closeBlock(b []byte, at int) []byte {
	b = order.AppendUint32(b, optionEnd)
	length := uint32(len(b) - at + 4)
	order.PutUint32(b[at+4:], length)
	return order.AppendUint32(b, length)
}

func appendOption(b []byte, code uint16, value string) []byte {
	value = value[:min(len(value), maxComment)]
	b = order.AppendUint16(b, code)
	b = order.AppendUint16(b, uint16(len(value)))
	return pad(append(b, value...))
}

func appendTime(b []byte, t time.Time) []byte {
	n := uint64(t.UnixNano())
	b = order.AppendUint32(b, uint32(n>>32))
	return order.AppendUint32(b, uint32(n))
}

// pad fills up to a multiple of four octets, which everything in front of it has.
func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}
