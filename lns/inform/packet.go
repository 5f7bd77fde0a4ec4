package inform

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

const (
	clientPort = 68
	serverPort = 67
	udp        = 17
	ttl        = 64
)

// unwrap takes the UDP payload out of an IPv4 packet to port 67. A checksum is left to the tunnel's own.
func unwrap(packet []byte) ([]byte, error) {
	if len(packet) < headers || packet[0]>>4 != 4 || packet[9] != udp {
		return nil, fmt.Errorf("%w: it is no UDP over IPv4", ErrNotInform)
	}
	n, total := int(packet[0]&0x0f)*4, int(binary.BigEndian.Uint16(packet[2:]))
	if n < 20 || total > len(packet) || total < n+8 {
		return nil, fmt.Errorf("%w: the IPv4 header does not fit", ErrNotInform)
	}
	datagram := packet[n:total]
	size := int(binary.BigEndian.Uint16(datagram[4:]))
	if binary.BigEndian.Uint16(datagram[2:]) != serverPort || size < 8 || size > len(datagram) {
		return nil, fmt.Errorf("%w: the UDP header does not fit", ErrNotInform)
	}
	return datagram[8:size], nil
}

// wrap puts a payload into a UDP datagram from our port 67 to the peer's port 68, and that into an IPv4 packet.
func wrap(from, to netip.Addr, payload []byte) []byte {
	size := 8 + len(payload)
	b := make([]byte, 20, 20+size)
	b[0], b[8], b[9] = 0x45, ttl, udp
	binary.BigEndian.PutUint16(b[2:], uint16(20+size))
	copy(b[12:], from.AsSlice())
	copy(b[16:], to.AsSlice())
	binary.BigEndian.PutUint16(b[10:], ^sum(b, 0))
	for _, n := range []int{serverPort, clientPort, size, 0} {
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	}
	b = append(b, payload...)
	pseudo := sum(b[12:20], udp+uint16(size)) // RFC 768
	check := ^sum(b[20:], pseudo)
	if check == 0 {
		check = 0xffff
	}
	binary.BigEndian.PutUint16(b[26:], check)
	return b
}

// sum adds octets to a ones' complement sum (RFC 1071).
func sum(b []byte, start uint16) uint16 {
	total := uint32(start)
	for ; len(b) >= 2; b = b[2:] {
		total += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		total += uint32(b[0]) << 8
	}
	for total > 0xffff {
		total = total>>16 + total&0xffff
	}
	return uint16(total)
}
