package host

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Aggregate is the shortest list of prefixes that holds exactly the IPv4 addresses from first to last. It is nil when
// there are none, or when they are not IPv4.
func Aggregate(first, last netip.Addr) []netip.Prefix {
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

func number(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

func address(n uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}
