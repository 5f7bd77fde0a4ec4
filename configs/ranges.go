package configs

import (
	"fmt"
	"net/netip"
	"strings"
)

// Range is an inclusive run of addresses: a-b, one address, or a network without its network and broadcast address.
type Range struct {
	First, Last netip.Addr
}

// Exclusion is a run of addresses that a pool does not give away. A network means all of its addresses.
type Exclusion Range

// UnmarshalText reads 10.10.1.10-10.10.1.250, 10.10.1.0/24 (without the first and the last address of an IPv4 network
// shorter than /31) or 10.10.1.7.
func (r *Range) UnmarshalText(b []byte) error {
	parsed, network, err := parseRange(string(b))
	if err != nil {
		return err
	}
	if network && parsed.First != parsed.Last && parsed.First.Next() != parsed.Last {
		parsed.First = parsed.First.Next()
		if parsed.First.Is4() {
			parsed.Last = parsed.Last.Prev()
		}
	}
	*r = parsed
	return nil
}

// UnmarshalText reads the same forms as [Range].
func (e *Exclusion) UnmarshalText(b []byte) error {
	parsed, _, err := parseRange(string(b))
	*e = Exclusion(parsed)
	return err
}

func parseRange(text string) (r Range, network bool, err error) {
	if strings.Contains(text, "/") {
		p, err := parsePrefix(text)
		if err != nil {
			return Range{}, false, err
		}
		if p != p.Masked() {
			return Range{}, false, fmt.Errorf("%q has bits set behind the prefix; the network is %v", text, p.Masked())
		}
		return rangeOf(p), true, nil
	}
	first, last, found := strings.Cut(text, "-")
	if !found {
		last = first
	}
	if r.First, err = parseAddress(strings.TrimSpace(first)); err != nil {
		return Range{}, false, err
	}
	if r.Last, err = parseAddress(strings.TrimSpace(last)); err != nil {
		return Range{}, false, err
	}
	if r.First.BitLen() != r.Last.BitLen() {
		return Range{}, false, fmt.Errorf("%q mixes IPv4 and IPv6", text)
	}
	if r.Last.Less(r.First) {
		return Range{}, false, fmt.Errorf("%q ends before it begins", text)
	}
	return r, false, nil
}

func parseAddress(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("%q is not an IP address", text)
	}
	if a.Is4In6() {
		return netip.Addr{}, fmt.Errorf("%q: write it as an IPv4 address", text)
	}
	return a, nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if a, bad := netip.ParseAddr(text); bad == nil && a.Zone() == "" && !a.Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q is not a network like 192.168.1.0/24; this address alone is %s/%d", text, a, a.BitLen())
	}
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not a network like 192.168.1.0/24", text)
	}
	if p.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q: write it as an IPv4 network", text)
	}
	return p, nil
}

// rangeOf returns all addresses of the network that p lies in.
func rangeOf(p netip.Prefix) Range {
	first := p.Masked().Addr()
	b := first.AsSlice()
	for i := range b {
		switch keep := p.Bits() - 8*i; {
		case keep <= 0:
			b[i] = 0xff
		case keep < 8:
			b[i] |= 0xff >> keep
		}
	}
	last, _ := netip.AddrFromSlice(b)
	return Range{First: first, Last: last}
}

// Contains reports whether a lies in r.
func (r Range) Contains(a netip.Addr) bool {
	return a.BitLen() == r.First.BitLen() && !a.Less(r.First) && !r.Last.Less(a)
}

// Overlaps reports whether r and o have an address in common.
func (r Range) Overlaps(o Range) bool { return r.Contains(o.First) || o.Contains(r.First) }

// String prints a-b, or the one address.
func (r Range) String() string {
	if r.First == r.Last {
		return r.First.String()
	}
	return r.First.String() + "-" + r.Last.String()
}

// String prints a-b, or the one address.
func (e Exclusion) String() string { return Range(e).String() }

// subtract returns what is left of r without the exclusions.
func subtract(r Range, exclude []Exclusion) []Range {
	left := []Range{r}
	for _, e := range exclude {
		cut := Range(e)
		var next []Range
		for _, piece := range left {
			if !piece.Overlaps(cut) {
				next = append(next, piece)
				continue
			}
			if piece.First.Less(cut.First) {
				next = append(next, Range{First: piece.First, Last: cut.First.Prev()})
			}
			if cut.Last.Less(piece.Last) {
				next = append(next, Range{First: cut.Last.Next(), Last: piece.Last})
			}
		}
		left = next
	}
	return left
}
