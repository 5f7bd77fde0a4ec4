package host

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Aggregate is the shortest list of prefixes that holds exactly the addresses from first to last. It is nil when there are
// none, or when they are of two families.
func Aggregate(first, last netip.Addr) []netip.Prefix {
	if first.Is6() && last.Is6() {
		return aggregate6(first, last)
	}
	if !first.Is4() || !last.Is4() {
		return nil
	}
	from, to := uint64(number(first)), uint64(number(last))
	var prefixes []netip.Prefix
	for from <= to {
		// The largest block that begins here, by alignment, and ends within the range.
		size := 32
		if from != 0 {
			size = bits.TrailingZeros32(uint32(from))
		}
		size = min(size, bits.Len64(to-from+1)-1)
		prefixes = append(prefixes, netip.PrefixFrom(address(uint32(from)), 32-size))
		from += 1 << size
	}
	return prefixes
}

// aggregate6 takes, from the first address on, the widest network that begins there and ends in time.
func aggregate6(first, last netip.Addr) []netip.Prefix {
	var prefixes []netip.Prefix
	for at := first; at.IsValid() && at.Compare(last) <= 0; {
		bits := at.BitLen()
		for bits > 0 {
			wider := netip.PrefixFrom(at, bits-1)
			if wider.Masked().Addr() != at || lastOf(wider).Compare(last) > 0 {
				break
			}
			bits--
		}
		prefixes = append(prefixes, netip.PrefixFrom(at, bits))
		at = lastOf(netip.PrefixFrom(at, bits)).Next()
	}
	return prefixes
}

// lastOf is the last address of an IPv6 network.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As16()
	for bit := p.Bits(); bit < 128; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom16(b)
}

func number(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

func address(n uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}
