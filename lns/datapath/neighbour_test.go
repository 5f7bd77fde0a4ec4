package datapath

import (
	"net/netip"
	"testing"
)

// sixPacket is a packet with a payload of 8 octets, of which the first four are given.
func sixPacket(source, destination string, protocol byte, payload ...byte) []byte {
	b := []byte{0x60, 0, 0, 0, 0, 8, protocol, 255}
	s, d := netip.MustParseAddr(source).As16(), netip.MustParseAddr(destination).As16()
	b = append(append(b, s[:]...), d[:]...)
	return append(b, append(payload, make([]byte, 8-len(payload))...)...)
}

func TestPacketsOfOneLink(t *testing.T) {
	for _, c := range []struct {
		name                string
		packet              []byte
		scoped, toNeighbour bool
	}{
		{"router solicitation", sixPacket("fe80::2", "ff02::2", 58, 133), true, true},
		{"router solicitation from nobody yet", sixPacket("::", "ff02::2", 58, 133), true, true},
		{"router advertisement", sixPacket("fe80::1", "ff02::1", 58, 134), true, true},
		{"neighbour solicitation from a global address", sixPacket("2001:db8::2", "fe80::1", 58, 135), true, true},
		{"redirect", sixPacket("fe80::2", "fe80::1", 58, 137), true, false},
		{"ping of the neighbour", sixPacket("fe80::2", "fe80::1", 58, 128), true, true},
		{"ping of a group", sixPacket("fe80::2", "ff02::1", 58, 128), true, false},
		{"ping of a host", sixPacket("2001:db8::2", "2001:db8::1", 58, 128), false, false},
		{"DHCPv6", sixPacket("fe80::2", "ff02::1:2", 17, 2, 34, 2, 35), true, true},
		{"DHCPv6 to a client", sixPacket("fe80::1", "fe80::2", 17, 2, 35, 2, 34), true, true},
		{"DHCPv6 to a host", sixPacket("2001:db8::2", "2001:db8::1", 17, 2, 34, 2, 35), false, false},
		{"mDNS", sixPacket("fe80::2", "ff02::fb", 17, 20, 233, 20, 233), true, false},
		{"TCP to the neighbour", sixPacket("fe80::2", "fe80::1", 6), true, false},
		{"a group on other links", sixPacket("2001:db8::2", "ff0e::1", 17), true, false},
		{"from a group", sixPacket("ff02::1", "2001:db8::1", 17), true, false},
		{"to nobody", sixPacket("2001:db8::2", "::", 17), true, false},
		{"not quite of the link", sixPacket("fec0::2", "2001:db8::1", 17), false, false},
	} {
		if LinkScoped(c.packet) != c.scoped || ForNeighbour(c.packet) != c.toNeighbour {
			t.Errorf("%s: of the link %v, for the neighbour %v", c.name, LinkScoped(c.packet), ForNeighbour(c.packet))
		}
		for n := ipv6HeaderLen; n < len(c.packet); n++ {
			if ForNeighbour(c.packet[:n]) {
				t.Errorf("%s: cut to %d octets", c.name, n)
			}
		}
	}
	if n := testing.AllocsPerRun(100, func() { ForNeighbour(sixPacketOnce) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

var sixPacketOnce = sixPacket("fe80::2", "ff02::2", 58, 133)
