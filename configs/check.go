package configs

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// checker looks for what is wrong or unwise in a decoded configuration, across its parts. It reports everything it
// finds.
type checker struct {
	cfg           *Config
	lines         map[string]int
	faults        []Fault
	warnings      []Warning
	inlineSecrets bool
}

// check reports everything that makes the configuration unusable.
func (c *checker) check() {
	c.checkNode()
	c.checkServer()
	c.checkAdmin()
	c.checkDatabase()
	c.checkLimits()
	c.checkTrace()
	c.checkRADIUS()
	c.checkRADIUSService()
	c.checkHeadquarters()
	if c.cfg.L2TP() {
		c.checkVirtualTemplates()
		c.checkGroups()
	}
	c.checkFilters()
	c.checkDomains()
	c.checkPools()
	c.checkUsers()
}

// say adds a fault, unless one is known that explains it.
func (c *checker) say(path, format string, args ...any) {
	if !explained(c.faults, path) {
		c.faults = append(c.faults, Fault{Path: path, Message: fmt.Sprintf(format, args...)})
	}
}

// explained reports whether a fault is known at the path, inside of it or around it.
func explained(faults []Fault, path string) bool {
	return slices.ContainsFunc(faults, func(f Fault) bool {
		return f.Path == path || within(f.Path, path) || within(path, f.Path)
	})
}

// within reports whether inner is a part of outer.
func within(outer, inner string) bool {
	rest, found := strings.CutPrefix(inner, outer)
	return found && outer != "" && rest != "" && (rest[0] == '.' || rest[0] == '[')
}

// advise adds a warning.
func (c *checker) advise(path, format string, args ...any) {
	c.warnings = append(c.warnings, Warning{Path: path, Message: fmt.Sprintf(format, args...)})
}

// sorted returns the faults in the order of the file.
func (c *checker) sorted() []Fault {
	for i := range c.faults {
		c.faults[i].Line = cmp.Or(c.faults[i].Line, c.lineOf(c.faults[i].Path))
	}
	slices.SortStableFunc(c.faults, func(a, b Fault) int { return cmp.Or(a.Line-b.Line, cmp.Compare(a.Path, b.Path)) })
	return c.faults
}

func (c *checker) sortedWarnings() []Warning {
	for i := range c.warnings {
		c.warnings[i].Line = c.lineOf(c.warnings[i].Path)
	}
	slices.SortStableFunc(c.warnings, func(a, b Warning) int { return cmp.Or(a.Line-b.Line, cmp.Compare(a.Path, b.Path)) })
	return c.warnings
}

// lineOf returns the line of a path, or of the nearest thing around it that is in the file.
func (c *checker) lineOf(path string) int {
	for path != "" {
		if line := c.lines[path]; line > 0 {
			return line
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 0
}

// between reports a number that is out of bounds.
func (c *checker) between(path string, value, low, high int) {
	if value < low || value > high {
		c.say(path, "%d is not between %d and %d", value, low, high)
	}
}

// names reports missing and repeated names of a list. The key says when two names are the same.
func (c *checker) names(list string, names []string, key func(string) string) {
	first := make(map[string]int)
	for i, name := range names {
		path := fmt.Sprintf("%s[%d].name", list, i)
		switch before, seen := first[key(name)]; {
		case name == "":
			c.say(path, "there is no name; every item of %s needs one", list)
		case strings.ContainsFunc(name, isBlank):
			c.say(path, "the name %q holds white space or control characters", name)
		case len(name) > longestName:
			c.say(path, "the name is longer than %d octets", longestName)
		case seen:
			c.say(path, "the name %q is taken by %s[%d]", name, list, before)
		default:
			first[key(name)] = i
		}
	}
}

// known reports a reference to something that does not exist.
func (c *checker) known(path, what, name string, existing []string) {
	if slices.Contains(existing, name) {
		return
	}
	hint := "none is configured"
	if len(existing) > 0 {
		hint = "there are " + strings.Join(existing[:min(len(existing), 10)], ", ")
	}
	c.say(path, "there is no %s named %q; %s", what, name, hint)
}

// knownAll does the same for a list, and reports what is listed twice.
func (c *checker) knownAll(path, what string, names, existing []string) {
	for i, name := range names {
		at := fmt.Sprintf("%s[%d]", path, i)
		c.known(at, what, name, existing)
		if slices.Contains(names[:i], name) {
			c.say(at, "%q is listed twice", name)
		}
	}
}

// pools checks references to pools. With a database they may be there, and only what is listed twice is at fault.
func (c *checker) pools(path string, names []string) {
	existing := c.poolNames()
	if c.cfg.Database.Given() {
		existing = names
	}
	c.knownAll(path, "pool", names, existing)
}

// servers checks addresses that are told to a subscriber, of which IPCP can carry two.
func (c *checker) servers(path string, servers []netip.Addr) {
	if len(servers) > 2 {
		c.say(path, "%d servers are listed; PPP can tell a subscriber of two", len(servers))
	}
	for i, a := range servers {
		c.host(fmt.Sprintf("%s[%d]", path, i), a)
	}
}

// notOfHosts are the networks whose addresses no host can have: this network, loopback, multicast and reserved.
var notOfHosts = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("224.0.0.0/3"),
}

// host checks that an address can be that of an IPv4 host.
func (c *checker) host(path string, a netip.Addr) {
	c.hosts(path, Range{First: a, Last: a})
}

// hosts checks that all addresses of a range can be those of IPv4 hosts.
func (c *checker) hosts(path string, r Range) {
	if !r.First.Is4() {
		c.say(path, "an IPv4 address is expected; what is for IPv6 has settings of its own (ipv6_pools, ipv6_prefix, ipv6_dns)")
		return
	}
	for _, network := range notOfHosts {
		switch {
		case !rangeOf(network).Overlaps(r):
		case r.First == r.Last:
			c.say(path, "%v cannot be the address of a host", r)
		default:
			c.say(path, "%v holds addresses of %v, which no host can have", r, network)
		}
	}
}

// mtu checks an MTU of which 0 means that none is set.
func (c *checker) mtu(path string, value int) {
	if value != 0 {
		c.between(path, value, 128, 1500)
	}
}

// interfaceName checks what Linux demands of the name of a network interface.
func (c *checker) interfaceName(path, name string) {
	switch {
	case slices.Contains([]string{".", "..", "lo", "all", "default"}, name):
		c.say(path, "%q cannot be the name of a Linux interface here: it means something else", name)
	case len(name) > 15 || strings.ContainsAny(name, "/:%") || strings.ContainsFunc(name, isBlank):
		c.say(path, "%q cannot be the name of a Linux interface: at most 15 octets, no space, slash, colon or percent sign", name)
	}
}

func exact(name string) string { return name }

// namesOf returns the names of the items of a list.
func namesOf[T any](list []T, name func(T) string) []string {
	names := make([]string, len(list))
	for i, item := range list {
		names[i] = name(item)
	}
	return names
}

func (c *checker) templateNames() []string {
	return namesOf(c.cfg.VirtualTemplates, func(t VirtualTemplate) string { return t.Name })
}

func (c *checker) poolNames() []string {
	return namesOf(c.cfg.Pools, func(p Pool) string { return p.Name })
}

func (c *checker) domainNames() []string {
	return namesOf(c.cfg.Domains, func(d Domain) string { return strings.ToLower(d.Name) })
}

// domain checks a reference to a domain, by its name or an alias, in small or capital letters alike. With a database it
// may be there.
func (c *checker) domain(path, name string) {
	if c.cfg.Database.Given() {
		return
	}
	existing := c.domainNames()
	for _, d := range c.cfg.Domains {
		for _, alias := range d.Aliases {
			existing = append(existing, strings.ToLower(alias))
		}
	}
	c.known(path, "domain", strings.ToLower(name), existing)
}
