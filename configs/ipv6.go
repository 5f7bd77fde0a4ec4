package configs

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// The prefixes that subscribers can be given. A host makes addresses of its own only of one of 64 bits (RFC 4862).
const (
	shortestPrefix = 32
	linkPrefix     = 64
)

// IPv6 says that the pool is one of prefixes and not of addresses.
func (p Pool) IPv6() bool {
	return slices.ContainsFunc(p.Ranges, func(r Range) bool { return r.First.Is6() })
}

// widenPools makes the ranges of pools of prefixes mean whole ones: who writes the first address of the last prefix means all
// of it, and a network has no addresses to leave out.
func (c *Config) widenPools() {
	for i, p := range c.Pools {
		if p.PrefixLength < shortestPrefix || p.PrefixLength > linkPrefix {
			continue
		}
		for j, r := range p.Ranges {
			c.Pools[i].Ranges[j] = r.widen(p.PrefixLength)
		}
		for j, e := range p.Exclude {
			c.Pools[i].Exclude[j] = Exclusion(Range(e).widen(p.PrefixLength))
		}
	}
}

// widen is the range of the whole prefixes that r touches.
func (r Range) widen(length int) Range {
	if !r.First.Is6() {
		return r
	}
	return Range{First: rangeOf(netip.PrefixFrom(r.First, length)).First, Last: rangeOf(netip.PrefixFrom(r.Last, length)).Last}
}

// checkPoolFamily looks at what a pool gives: IPv4 addresses, or IPv6 prefixes.
func (c *checker) checkPoolFamily(path string, p Pool) {
	switch six := p.IPv6(); {
	case six && p.PrefixLength == 0:
		c.say(path+".prefix_length", "IPv6 is given in prefixes: write 64 for the links of subscribers, or less, such as 56, to delegate")
	case !six && p.PrefixLength != 0 && len(p.Ranges) > 0:
		c.say(path+".prefix_length", "IPv4 is given in single addresses; leave prefix_length out")
	case p.PrefixLength != 0:
		c.between(path+".prefix_length", p.PrefixLength, shortestPrefix, linkPrefix)
	}
}

// sixes checks that all addresses of a range can be those of IPv6 hosts.
func (c *checker) sixes(path string, r Range) {
	for _, a := range []netip.Addr{r.First, r.Last} {
		if !a.Is6() {
			c.say(path, "%v is not IPv6, as others in the pool are", r)
		} else if !a.IsGlobalUnicast() {
			c.say(path, "%v cannot be the address of a host", a)
		}
	}
}

// ipv6Servers checks name servers that are told to a subscriber over IPv6.
func (c *checker) ipv6Servers(path string, servers []netip.Addr) {
	if len(servers) > 3 {
		c.say(path, "%d servers are listed; a subscriber uses no more than 3", len(servers))
	}
	for i, a := range servers {
		if !a.Is6() || !a.IsGlobalUnicast() {
			c.say(fmt.Sprintf("%s[%d]", path, i), "%v is not the IPv6 address of a server", a)
		}
	}
}

// checkIPv6 looks at what a virtual template says of IPv6.
func (c *checker) checkIPv6(path string, t VirtualTemplate) {
	if t.IPv6 && t.MRU < 1280 {
		c.say(path+".mru", "%d is too little for IPv6, which needs 1280", t.MRU)
	}
	if a := t.IPv6Address; a.IsValid() && (!a.Is6() || !a.IsGlobalUnicast()) {
		c.say(path+".ipv6_address", "%v is not an IPv6 address that other hosts can reach, such as 2001:db8::1", a)
	}
	if t.IPv6Address.IsValid() && !t.IPv6 {
		c.say(path+".ipv6_address", "it is of no use without ipv6: true")
	}
	c.ipv6Servers(path+".ipv6_dns", t.IPv6DNS)
}

// prefixPools checks references to pools of prefixes.
func (c *checker) prefixPools(path string, names []string, links bool) {
	c.knownAll(path, "pool of prefixes in this file", names, namesOf(c.cfg.Pools, func(p Pool) string { return p.Name }))
	for i, name := range names {
		for _, p := range c.cfg.Pools {
			switch at := fmt.Sprintf("%s[%d]", path, i); {
			case p.Name != name:
			case !p.IPv6():
				c.say(at, "pool %s gives IPv4 addresses; a pool of IPv6 prefixes has a prefix_length", name)
			case links && p.PrefixLength != 0 && p.PrefixLength != linkPrefix:
				c.say(at, "pool %s gives prefixes of /%d; hosts make addresses only of /64", name, p.PrefixLength)
			}
		}
	}
}

// addressPools reports pools of prefixes where addresses are to come from.
func (c *checker) addressPools(path string, names []string) {
	c.pools(path, names)
	for i, name := range names {
		if slices.ContainsFunc(c.cfg.Pools, func(p Pool) bool { return p.Name == name && p.IPv6() }) {
			c.say(fmt.Sprintf("%s[%d]", path, i), "pool %s gives IPv6 prefixes: list it under ipv6_pools or delegated_pools of the domain", name)
		}
	}
}

// checkPrefix looks at a prefix of a user's own.
func (c *checker) checkPrefix(path string, p netip.Prefix, link bool) {
	switch {
	case !p.IsValid():
	case !p.Addr().Is6() || !p.Addr().IsGlobalUnicast():
		c.say(path, "%v is not an IPv6 network that a user can have", p)
	case p != p.Masked():
		c.say(path, "%v has bits set behind the prefix; the network is %v", p, p.Masked())
	case link && p.Bits() != linkPrefix:
		c.say(path, "%v is not a /64, the only size of which hosts make addresses", p)
	case p.Bits() < shortestPrefix || p.Bits() > linkPrefix:
		c.say(path, "%v is not between /%d and /%d", p, shortestPrefix, linkPrefix)
	}
}

// ownPrefix is a network of one user in the file.
type ownPrefix struct {
	path   string
	prefix netip.Prefix
}

// checkOwnPrefixes says which networks of users lie within others: each packet would have two ways, and the second of two
// sessions would be refused its network.
func (c *checker) checkOwnPrefixes() {
	var all []ownPrefix
	for i, u := range c.cfg.Users {
		all = append(all, ownPrefix{fmt.Sprintf("users[%d].ipv6_prefix", i), u.IPv6Prefix}, ownPrefix{fmt.Sprintf("users[%d].delegated_prefix", i), u.Delegated})
	}
	all = slices.DeleteFunc(all, func(o ownPrefix) bool { return !o.prefix.IsValid() || o.prefix != o.prefix.Masked() })
	slices.SortStableFunc(all, func(a, b ownPrefix) int { // each directly behind those that it lies within
		return cmp.Or(a.prefix.Addr().Compare(b.prefix.Addr()), cmp.Compare(a.prefix.Bits(), b.prefix.Bits()))
	})
	var wider ownPrefix
	for _, o := range all {
		if wider.prefix.IsValid() && wider.prefix.Overlaps(o.prefix) {
			c.say(o.path, "%v overlaps %s, which has %v; no two may share addresses", o.prefix, wider.path, wider.prefix)
			continue
		}
		wider = o
	}
}
