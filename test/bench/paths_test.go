package main

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"lnsgate/lns/lac"
)

// What a host would drop, or a data path could not merge, would be measured as something else.
func TestDatagramsOfACrowdAreSound(t *testing.T) {
	up := lac.Up{ServerTunnel: 7, ServerSession: 9, Address: netip.MustParseAddr("10.128.0.1")}
	for _, octets := range []int{small, large} {
		b := datagramOf(up, netip.MustParseAddrPort("10.20.0.2:5001"), octets)
		if !isUserPacket(b) || tunnelOf(b) != 7 || int(binary.BigEndian.Uint16(b[2:])) != len(b) || len(b) != 12+octets {
			t.Errorf("%d octets: %x", octets, b[:12])
		}
		ip := b[12:]
		if onesSum(ip[:20]) != 0xffff {
			t.Errorf("%d octets: the checksum of the header is wrong", octets)
		}
		pseudo := slices.Concat(ip[12:20], []byte{0, 17}, ip[24:26])
		if onesSum(append(pseudo, ip[20:]...)) != 0xffff {
			t.Errorf("%d octets: the checksum of the datagram is wrong", octets)
		}
	}
	if isUserPacket([]byte{0xc8, 2}) || tunnelOf([]byte{0x40}) != 0 {
		t.Error("what is no user packet is one")
	}
}
