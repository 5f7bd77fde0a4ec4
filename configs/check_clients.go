package configs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// clientProfiles are what l2tp_groups[].client_profile may be: those of lns/quirk, and the two words that choose.
var clientProfiles = []string{"auto", "off", "none", "windows", "apple", "android", "sleeper", "mikrotik", "xl2tpd", "dlink", "lac"}

// maxRouteOctets is what one DHCP option holds: each route takes five octets and those of its network (RFC 3442).
const maxRouteOctets = 255

// clientRoutes are IPv4 networks, none twice, as many as one DHCP option holds.
func (c *checker) clientRoutes(path string, routes []netip.Prefix) {
	octets := 0
	for i, r := range routes {
		at := fmt.Sprintf("%s[%d]", path, i)
		octets += 5 + (r.Bits()+7)/8
		switch {
		case !r.Addr().Is4():
			c.say(at, "%v is not an IPv4 network", r)
		case r != r.Masked():
			c.say(at, "%v has bits set behind the prefix; the network is %v", r, r.Masked())
		case slices.Contains(routes[:i], r):
			c.say(at, "%v stands there twice", r)
		}
	}
	if octets > maxRouteOctets {
		c.say(path, "they take %d octets and a DHCP option holds %d; use larger networks", octets, maxRouteOctets)
	}
}

// suffix is a DNS name.
func (c *checker) suffix(path, name string) {
	if name == "" {
		return
	}
	for _, label := range strings.Split(name, ".") {
		bad := strings.ContainsFunc(label, func(r rune) bool {
			return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
		})
		if bad || label == "" || len(label) > 63 || len(name) > 253 {
			c.say(path, "%q is not a DNS name such as corp.example", name)
			return
		}
	}
}
