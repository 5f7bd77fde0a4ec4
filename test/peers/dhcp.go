package peers

import (
	"encoding/binary"
	"net/netip"
)

// DHCP options behind the message type of the DHCPINFORM that the clients send.
var (
	AppleInform   = []byte{61, 7, 8, 0, 0, 0, 1, 0, 0, 55, 6, 6, 44, 43, 1, 249, 15, 255}
	WindowsInform = []byte{61, 7, 8, 0, 0x53, 0x45, 0, 0, 0, 60, 8, 'M', 'S', 'F', 'T', ' ', '5', '.', '0', 55, 5, 6, 15, 44, 121, 249, 255}
)

// Inform is the IPv4 packet with which a client asks by DHCP from the address that it has: the options are its own.
func Inform(from netip.Addr, options ...byte) []byte {
	dhcp := make([]byte, 240)
	dhcp[0], dhcp[1], dhcp[2] = 1, 8, 6
	copy(dhcp[4:], []byte{0xde, 0xad, 0xbe, 0xef})
	copy(dhcp[12:], from.AsSlice())
	copy(dhcp[236:], []byte{0x63, 0x82, 0x53, 0x63})
	dhcp = append(append(dhcp, 53, 1, 8), options...)
	b := []byte{0x45, 0, 0, 0, 0, 1, 0, 0, 128, 17, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 0, 68, 0, 67, 0, 0, 0, 0}
	copy(b[12:], from.AsSlice())
	b = append(b, dhcp...)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	binary.BigEndian.PutUint16(b[24:], uint16(len(b)-20))
	return b
}
