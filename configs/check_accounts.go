package configs

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

func (c *checker) checkDomains() {
	c.names("domains", c.domainNames(), strings.ToLower)
	if len(c.cfg.Domains) == 0 && !c.cfg.Database.Given() {
		c.say("domains", "there is no domain; nobody could be checked")
	} else {
		c.domain("default_domain", c.cfg.DefaultDomain)
	}
	taken := make(map[string]string)
	for i, d := range c.cfg.Domains {
		taken[strings.ToLower(d.Name)] = fmt.Sprintf("domains[%d]", i)
	}
	for i, d := range c.cfg.Domains {
		path := fmt.Sprintf("domains[%d]", i)
		if fault := faultInDomainName(d.Name); fault != "" {
			c.say(path+".name", "%s", fault)
		}
		for j, alias := range d.Aliases {
			at := fmt.Sprintf("%s.aliases[%d]", path, j)
			if before, found := taken[strings.ToLower(alias)]; found {
				c.say(at, "the name %q is taken by %s", alias, before)
			} else if fault := faultInDomainName(alias); fault != "" {
				c.say(at, "%s", fault)
			}
			taken[strings.ToLower(alias)] = path
		}
		if len(d.Authentication) == 0 {
			c.say(path+".authentication", "nothing is listed that could check a user; write [local]")
		}
		c.checkBackends(path+".authentication", d.Authentication)
		c.checkAccounting(path+".accounting", d.Accounting)
		c.atLeastOrOff(path+".accounting_interval", d.AccountingInterval, time.Second)
		c.methods(path+".methods", d.Methods)
		c.addressPools(path+".pools", d.Pools)
		c.prefixPools(path+".ipv6_pools", d.IPv6Pools, true)
		c.prefixPools(path+".delegated_pools", d.DelegatedPools, false)
		c.ipv6Servers(path+".ipv6_dns", d.IPv6DNS)
		if d.VirtualTemplate != "" {
			c.known(path+".virtual_template", "virtual template", d.VirtualTemplate, c.templateNames())
		}
		if d.Filter != "" {
			c.known(path+".filter", "filter", d.Filter, c.filterNames())
		}
		c.servers(path+".dns", d.DNS)
		c.servers(path+".nbns", d.NBNS)
		c.clientRoutes(path+".client_routes", d.ClientRoutes)
		c.suffix(path+".dns_suffix", d.DNSSuffix)
		c.timeouts(path, d.SessionTimeout, d.IdleTimeout)
		c.mtu(path+".mtu", d.MTU)
		c.between(path+".max_sessions", d.MaxSessions, 0, 1<<24)
		c.between(path+".max_account_sessions", d.MaxAccountSessions, 0, 1<<24)
	}
}

func (c *checker) timeouts(path string, session, idle time.Duration) {
	c.atLeastOrOff(path+".session_timeout", session, time.Second)
	c.atLeastOrOff(path+".idle_timeout", idle, time.Second)
}

func (c *checker) checkPools() {
	c.names("pools", c.poolNames(), exact)
	type part struct {
		path string
		span Range
	}
	var parts []part
	for i, p := range c.cfg.Pools {
		c.checkPoolFamily(fmt.Sprintf("pools[%d]", i), p)
		path := fmt.Sprintf("pools[%d].ranges", i)
		if len(p.Ranges) == 0 {
			c.say(path, "there is no range; write one such as 10.10.1.10-10.10.1.250")
		}
		left := 0
		for j, r := range p.Ranges {
			at := fmt.Sprintf("%s[%d]", path, j)
			switch {
			case !r.First.IsValid():
			case p.IPv6():
				c.sixes(at, r)
			default:
				c.hosts(at, r)
			}
			for _, span := range subtract(r, p.Exclude) {
				if k := slices.IndexFunc(parts, func(o part) bool { return o.span.Overlaps(span) }); k >= 0 {
					c.say(at, "%v overlaps %s, which has %v", span, parts[k].path, parts[k].span)
				}
				left++
				parts = append(parts, part{path: at, span: span})
			}
		}
		if left == 0 && len(p.Ranges) > 0 {
			c.say(fmt.Sprintf("pools[%d].exclude", i), "the exclusions leave no address in the pool")
		}
	}
}

func (c *checker) checkUsers() {
	c.names("users", namesOf(c.cfg.Users, func(u User) string { return u.Name }), exact)
	owner := make(map[netip.Addr]string)
	for i, t := range c.cfg.VirtualTemplates {
		owner[t.Address.Addr()] = fmt.Sprintf("virtual_templates[%d]", i)
	}
	for i, u := range c.cfg.Users {
		path := fmt.Sprintf("users[%d]", i)
		if _, fault := splitName(u.Name); fault != "" {
			c.say(path+".name", "%s", fault)
		}
		c.checkCredential(path, u)
		if u.Address.IsValid() {
			c.host(path+".address", u.Address)
			if before, taken := owner[u.Address]; taken {
				c.say(path+".address", "%v is the address of %s", u.Address, before)
			}
			owner[u.Address] = path
		}
		c.addressPools(path+".pools", u.Pools)
		c.checkPrefix(path+".ipv6_prefix", u.IPv6Prefix, true)
		c.checkPrefix(path+".delegated_prefix", u.Delegated, false)
		c.servers(path+".dns", u.DNS)
		c.servers(path+".nbns", u.NBNS)
		c.timeouts(path, u.SessionTimeout, u.IdleTimeout)
		c.mtu(path+".mtu", u.MTU)
		c.checkRoutes(path+".routes", u.Routes)
	}
	c.checkOwnPrefixes()
}

// mostRoutes is how many networks may be behind one user: that many fit into an Access-Accept beside all else.
const mostRoutes = 32

// checkRoutes looks at the networks behind one user.
func (c *checker) checkRoutes(path string, routes []netip.Prefix) {
	if len(routes) > mostRoutes {
		c.say(path, "%d networks are listed; there is room for %d", len(routes), mostRoutes)
	}
	for i, r := range routes {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case !r.IsValid(): // told where it was read
		case !r.Addr().Is4():
			c.say(at, "%v is not an IPv4 network", r)
		case r.Bits() == 0:
			c.say(at, "%v is everything: all traffic to other places would go to this user; list the networks behind it", r)
		case r != r.Masked():
			c.say(at, "%v has bits set behind the prefix; the network is %v", r, r.Masked())
		case !r.Addr().IsGlobalUnicast():
			c.say(at, "%v is no network that a user can have", r)
		case slices.Contains(routes[:i], r):
			c.say(at, "%v is listed twice", r)
		}
	}
}

// checkCredential wants exactly one of password, password_file and nt_hash. A password that stands beside its file is
// reported when the file is read.
func (c *checker) checkCredential(path string, u User) {
	hasPassword, hasHash := !u.Password.IsZero() || u.PasswordFile != "", !u.NTHash.IsZero()
	switch {
	case !hasPassword && !hasHash:
		c.say(path+".password", "there is no password; write password, password_file or nt_hash")
	case hasPassword && hasHash:
		c.say(path+".nt_hash", "the password is given twice; keep nt_hash or the password")
	}
	if fault := faultInPassword(u.Password.Reveal()); fault != "" && u.PasswordFile == "" {
		c.say(path+".password", "%s", fault)
	} else if fault != "" {
		c.say(path+".password_file", "%s", fault)
	}
	if b, err := hex.DecodeString(u.NTHash.Reveal()); hasHash && (err != nil || len(b) != 16) {
		c.say(path+".nt_hash", "an NT hash has 32 hexadecimal digits")
	}
	if strings.EqualFold(u.NTHash.Reveal(), emptyNTHash) {
		c.say(path+".nt_hash", "this is the NT hash of the empty password: everybody could log in")
	}
}
