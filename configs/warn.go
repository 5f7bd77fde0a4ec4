package configs

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// largestWhole is the largest MTU of a session whose packets fit into an Ethernet frame on the outside: 1500 octets
// less 20 for IP, 8 for UDP, 8 for L2TP with its length and 2 for PPP.
const largestWhole = 1462

// warn reports everything that is allowed and probably unwise. It looks only at a configuration without faults.
func (c *checker) warn() {
	c.warnOfServer()
	c.warnOfAdmin()
	c.warnOfDatabase()
	c.warnOfRADIUS()
	c.warnOfRADIUSService()
	c.warnOfReferences()
	c.warnOfOverlaps()
	c.warnOfSizes()
	c.warnOfUnused()
	c.warnOfMethods()
	c.warnOfUsers()
	c.warnOfFilters()
}

func (c *checker) warnOfServer() {
	for i, a := range c.cfg.Listen {
		if a.Port() == 0 {
			c.advise(fmt.Sprintf("listen[%d]", i), "with port 0 every start listens on another port; peers call 1701")
		}
	}
	keepsRecords := c.cfg.Database.Given() || slices.ContainsFunc(c.cfg.Domains, func(d Domain) bool { return len(d.Accounting) > 0 })
	if keepsRecords && strings.HasPrefix(c.cfg.Spool(), "/run/") {
		c.advise("spool_dir", "accounting records that wait are kept in %s, which a reboot empties; set a folder that lasts, such as /var/lib/lnsgate", c.cfg.Spool())
	}
	if setup, check := c.cfg.Limits.SetupTimeout, c.cfg.Limits.AuthenticationTimeout; setup < check {
		c.advise("limits.setup_timeout", "%v is shorter than authentication_timeout, %v: a call ends before a slow check of its login does", setup, check)
	}
}

// warnOfReferences reports what must be in the database because it is not in the file. This program does not ask there.
func (c *checker) warnOfReferences() {
	if !c.cfg.Database.Given() {
		return
	}
	byName, poolNames := c.domainsByName(), c.poolNames()
	domain := func(path, name string) {
		if name != "" && byName[strings.ToLower(name)] == nil {
			c.advise(path, "the domain %s is not in this file, so it must be in the database; see lnsgate domain list", name)
		}
	}
	pools := func(path string, names []string) {
		for i, name := range names {
			if !slices.Contains(poolNames, name) {
				c.advise(fmt.Sprintf("%s[%d]", path, i), "the pool %s is not in this file, so it must be in the database; see lnsgate pool list", name)
			}
		}
	}
	for i, g := range c.cfg.L2TPGroups {
		domain(fmt.Sprintf("l2tp_groups[%d].domain", i), g.Domain)
		domain(fmt.Sprintf("l2tp_groups[%d].default_domain", i), g.DefaultDomain)
	}
	for i, d := range c.cfg.Domains {
		pools(fmt.Sprintf("domains[%d].pools", i), d.Pools)
	}
	for i, u := range c.cfg.Users {
		pools(fmt.Sprintf("users[%d].pools", i), u.Pools)
	}
}

func (c *checker) warnOfOverlaps() {
	for i, p := range c.cfg.Pools {
		for j, r := range p.Ranges {
			at := fmt.Sprintf("pools[%d].ranges[%d]", i, j)
			for _, t := range c.cfg.VirtualTemplates {
				switch network := rangeOf(t.Address); {
				case r.Contains(t.Address.Addr()):
					c.advise(at, "it contains %v, the address of virtual template %s, which is never given away", t.Address.Addr(), t.Name)
				case network.First != network.Last && network.Overlaps(r):
					c.advise(at, "it lies in %v, the network of virtual template %s; every subscriber still gets a route of their own", t.Address.Masked(), t.Name)
				}
			}
			for _, h := range c.cfg.Headquarters {
				if rangeOf(h.Network).Overlaps(r) {
					c.advise(at, "%s", insideHeadquarters(h))
				}
			}
		}
	}
	for i, t := range c.cfg.VirtualTemplates {
		for _, h := range c.cfg.Headquarters {
			if h.Network.Overlaps(t.Address) {
				c.advise(fmt.Sprintf("virtual_templates[%d].address", i),
					"%v overlaps headquarters network %s (%v); take an address outside of it, or hosts there will look for it on their own wire",
					t.Address, h.Name, h.Network)
			}
		}
	}
	for i, h := range c.cfg.Headquarters {
		for _, before := range c.cfg.Headquarters[:i] {
			if h.Network.Overlaps(before.Network) {
				c.advise(fmt.Sprintf("headquarters[%d].network", i), "%v overlaps %s (%v)", h.Network, before.Name, before.Network)
			}
		}
	}
}

// insideHeadquarters says what happens when a pool lies inside a network behind the LNS.
func insideHeadquarters(h Headquarters) string {
	place := fmt.Sprintf("it lies in headquarters network %s (%v)", h.Name, h.Network)
	if h.ProxyARP == Off {
		return place + ", where proxy_arp is off: hosts there will not find the subscribers; set proxy_arp to auto or choose other addresses"
	}
	return place + ": lnsgate answers ARP there for every subscriber (proxy ARP); make sure that no host of that network has one of these addresses"
}

func (c *checker) warnOfSizes() {
	advise := func(path string, mtu int) {
		if mtu > largestWhole {
			c.advise(path, "%d octets and the headers of the tunnel do not fit into 1500; outer packets will be fragmented, %d or less is better", mtu, largestWhole)
		}
	}
	for i, t := range c.cfg.VirtualTemplates {
		advise(fmt.Sprintf("virtual_templates[%d].mru", i), t.MRU)
	}
	for i, d := range c.cfg.Domains {
		advise(fmt.Sprintf("domains[%d].mtu", i), d.MTU)
	}
	for i, u := range c.cfg.Users {
		advise(fmt.Sprintf("users[%d].mtu", i), u.MTU)
	}
}

func (c *checker) warnOfUnused() {
	usedTemplates, usedPools := make(map[string]bool), make(map[string]bool)
	for _, g := range c.cfg.L2TPGroups {
		usedTemplates[g.VirtualTemplate] = true
	}
	use := func(pools []string) {
		for _, name := range pools {
			usedPools[name] = true
		}
	}
	for _, d := range c.cfg.Domains {
		usedTemplates[d.VirtualTemplate] = true
		use(slices.Concat(d.Pools, d.IPv6Pools, d.DelegatedPools))
	}
	for _, u := range c.cfg.Users {
		use(u.Pools)
	}
	if c.cfg.Database.Given() {
		return // who uses what is told there
	}
	for i, t := range c.cfg.VirtualTemplates {
		if !usedTemplates[t.Name] {
			c.advise(fmt.Sprintf("virtual_templates[%d]", i), "no l2tp group and no domain uses %s", t.Name)
		}
	}
	for i, p := range c.cfg.Pools {
		if !usedPools[p.Name] {
			c.advise(fmt.Sprintf("pools[%d]", i), "no domain and no user gets addresses from %s", p.Name)
		}
	}
}

// domainsByName finds every domain by its name and its aliases, in small letters.
func (c *checker) domainsByName() map[string]*Domain {
	byName := make(map[string]*Domain)
	for i := range c.cfg.Domains {
		d := &c.cfg.Domains[i]
		for _, name := range append([]string{d.Name}, d.Aliases...) {
			byName[strings.ToLower(name)] = d
		}
	}
	return byName
}

// warnOfMethods reports domains that accept nothing of what their people are offered. The offer is made before the name is
// known, so it is that of the l2tp group's virtual template, whatever the domain says.
func (c *checker) warnOfMethods() {
	if c.cfg.RADIUSService.Given() { // another NAS may offer anything
		return
	}
	domainOf, templates := c.domainsByName(), make(map[string]VirtualTemplate)
	for _, t := range c.cfg.VirtualTemplates {
		templates[t.Name] = t
	}
	for i := range c.cfg.Domains {
		d := &c.cfg.Domains[i]
		offered := slices.ContainsFunc(c.cfg.L2TPGroups, func(g L2TPGroup) bool {
			leadsHere := g.Domain == "" || domainOf[strings.ToLower(g.Domain)] == d
			return leadsHere && slices.ContainsFunc(templates[g.VirtualTemplate].PPPAuthentication, func(m Method) bool {
				return slices.Contains(d.Methods, m)
			})
		})
		if len(d.Methods) > 0 && !offered {
			c.advise(fmt.Sprintf("domains[%d].methods", i),
				"no l2tp group offers any of these to people of %s (ppp_authentication of its virtual template): nobody can log in", d.Name)
		}
	}
}

func (c *checker) warnOfUsers() {
	domainOf := c.domainsByName()
	offersCHAP := slices.ContainsFunc(c.cfg.VirtualTemplates, func(t VirtualTemplate) bool {
		return slices.Contains(t.PPPAuthentication, CHAP)
	})
	inDatabase := c.cfg.Database.Given()
	if len(c.cfg.Users) == 0 && len(c.cfg.RADIUS) == 0 && !inDatabase {
		c.advise("users", "there is no user; nobody can log in")
	}
	behind := make(map[netip.Prefix]string)
	for i, u := range c.cfg.Users {
		path := fmt.Sprintf("users[%d]", i)
		typed, _ := splitName(u.Name)
		name := cmp.Or(typed, c.cfg.DefaultDomain)
		switch d := domainOf[strings.ToLower(name)]; {
		case d == nil && inDatabase: // the domain is there, or its absence is told at the login
		case d == nil:
			c.advise(path+".name", "there is no domain named %q, so nobody can log in by this name", name)
		case c.givesAddresses() && len(d.Pools) == 0 && len(u.Pools) == 0 && !u.Address.IsValid() && len(d.IPv6Pools) == 0 && !u.IPv6Prefix.IsValid():
			c.advise(path, "%s gets no address: the user has no address and no pools, and neither has domain %s", u.Name, d.Name)
		}
		if offersCHAP && !u.NTHash.IsZero() {
			c.advise(path+".nt_hash", "chap is offered and cannot be checked with an NT hash; a peer of %s that takes chap is refused", u.Name)
		}
		c.warnOfRoutes(path+".routes", u, behind)
	}
}

// warnOfRoutes reports networks that cannot be led to the user while they are somewhere else. behind says whose they are
// so far.
func (c *checker) warnOfRoutes(path string, u User, behind map[netip.Prefix]string) {
	for i, r := range u.Routes {
		at := fmt.Sprintf("%s[%d]", path, i)
		if other, taken := behind[r]; taken {
			c.advise(at, "%v is behind %s too; of the two only who comes first gets in", r, other)
		}
		behind[r] = u.Name
		for _, h := range c.cfg.Headquarters {
			if c.cfg.L2TP() && h.Network.Overlaps(r) {
				c.advise(at, "%v overlaps headquarters network %s (%v): %s cannot log in over L2TP", r, h.Name, h.Network, u.Name)
			}
		}
	}
}

// givesAddresses says whether anybody is given an address: not by a server of Wi-Fi alone.
func (c *checker) givesAddresses() bool {
	return c.cfg.L2TP() || c.cfg.Database.Given() ||
		slices.ContainsFunc(c.cfg.RADIUSService.Clients, func(n RADIUSClient) bool { return n.Addresses != NoAddresses })
}

// warnOfReadableFile reports secrets that others on this machine can read in the file itself.
func (c *checker) warnOfReadableFile(name string) {
	info, err := os.Stat(name)
	if err == nil && c.inlineSecrets && info.Mode().Perm()&0o044 != 0 {
		c.advise("", "%s holds secrets and can be read by other users (mode %04o); chmod 600 it, or move the secrets to files of their own", name, info.Mode().Perm())
	}
}
