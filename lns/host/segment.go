package host

import (
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// Segment is a network that an interface of this host is attached to, so that its hosts find each other by ARP.
type Segment struct {
	Interface string
	Network   netip.Prefix
}

// Segments lists the networks that share addresses with a prefix, on interfaces that speak ARP and are none of those
// excepted. When a pool lies inside one of them, its addresses need proxy ARP there.
func (h *Host) Segments(prefix netip.Prefix, except ...string) ([]Segment, error) {
	links, err := h.links.LinkList()
	if err != nil {
		return nil, failure("list interfaces", err)
	}
	var segments []Segment
	for _, link := range links {
		attributes := link.Attrs()
		if attributes.RawFlags&(unix.IFF_NOARP|unix.IFF_LOOPBACK) != 0 || slices.Contains(except, attributes.Name) {
			continue
		}
		addresses, err := h.links.AddrList(link, unix.AF_INET)
		if err != nil {
			return nil, failure("list addresses of "+attributes.Name, err)
		}
		for _, a := range addresses {
			own, ok := netip.AddrFromSlice(a.IP.To4())
			ones, _ := a.Mask.Size()
			if network := netip.PrefixFrom(own, ones).Masked(); ok && ones < 32 && network.Overlaps(prefix) {
				segments = append(segments, Segment{Interface: attributes.Name, Network: network})
			}
		}
	}
	return segments, nil
}
