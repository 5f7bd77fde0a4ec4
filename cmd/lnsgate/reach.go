package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"

	"lnsgate/aaa"
	"lnsgate/configs"
	"lnsgate/lns/host"
)

// reach makes the addresses of the pools reachable from the networks of this host: routes into the virtual templates, and
// proxy ARP where a pool lies inside a network of the headquarters. It is safe for concurrent use once made.
type reach struct {
	host    *host.Host
	log     *slog.Logger
	proxies []proxyNetwork
}

// proxyNetwork is a network on whose interface we answer ARP for peers inside it.
type proxyNetwork struct {
	network netip.Prefix
	proxy   *host.Proxy
}

func newReach(h *host.Host, c *configs.Config, log *slog.Logger) (*reach, error) {
	r := &reach{host: h, log: log}
	if err := r.configure(c); err != nil {
		return nil, err
	}
	return r, r.openProxies(c)
}

// check says whether every pool can be routed.
func (r *reach) check(c *configs.Config) error {
	_, err := routes(c)
	return err
}

// configure routes every pool, and every account's own address, into its virtual template.
func (r *reach) configure(c *configs.Config) error {
	byTemplate, err := routes(c)
	if err != nil {
		return err
	}
	var faults []error
	for _, t := range c.VirtualTemplates {
		faults = append(faults, r.host.Configure(host.VirtualTemplate{
			Name: t.Name, Address: t.Address, MTU: t.MRU, Routes: byTemplate[t.Name],
		}))
	}
	return errors.Join(faults...)
}

// openProxies finds the interfaces on which peers have neighbours.
func (r *reach) openProxies(c *configs.Config) error {
	networks, err := r.segments(c)
	if err != nil {
		return err
	}
	for _, s := range networks {
		proxy, err := r.host.NewProxy(s.Interface)
		if err != nil {
			return err
		}
		r.log.Info("proxy ARP for peers inside the network", "interface", s.Interface, "network", s.Network)
		r.proxies = append(r.proxies, proxyNetwork{network: s.Network, proxy: proxy})
	}
	return nil
}

// segments lists the networks that need proxy ARP: those that hold a pool, unless the file says off, and those for which it
// says on.
func (r *reach) segments(c *configs.Config) ([]host.Segment, error) {
	wanted := []netip.Prefix{}
	for _, p := range c.Pools {
		for _, run := range p.Ranges {
			wanted = append(wanted, host.Aggregate(run.First, run.Last)...)
		}
	}
	var found []host.Segment
	for _, prefix := range wanted {
		segments, err := r.host.Segments(prefix, templateNames(c)...)
		if err != nil {
			return nil, err
		}
		for _, s := range segments {
			if !slices.Contains(found, s) && !proxySwitchedOff(c, s) {
				found = append(found, s)
			}
		}
	}
	for _, h := range c.Headquarters {
		s := host.Segment{Interface: h.Interface, Network: h.Network}
		if h.ProxyARP == configs.On && h.Interface != "" && !slices.Contains(found, s) {
			found = append(found, s)
		}
	}
	return found, nil
}

func proxySwitchedOff(c *configs.Config, s host.Segment) bool {
	for _, h := range c.Headquarters {
		if h.ProxyARP == configs.Off && h.Network.Overlaps(s.Network) && (h.Interface == "" || h.Interface == s.Interface) {
			return true
		}
	}
	return false
}

// Attach makes the address of an open session answered for.
func (r *reach) Attach(_ string, address netip.Addr) error {
	var faults []error
	for _, p := range r.proxies {
		if p.network.Contains(address) {
			faults = append(faults, p.proxy.AddProxy(address))
		}
	}
	return errors.Join(faults...)
}

// Detach undoes Attach.
func (r *reach) Detach(_ string, address netip.Addr) error {
	var faults []error
	for _, p := range r.proxies {
		if p.network.Contains(address) {
			faults = append(faults, p.proxy.RemoveProxy(address))
		}
	}
	return errors.Join(faults...)
}

// routes says which networks lead into which virtual template. A pool leads into the template of the domains that use it;
// two different ones cannot both have it, because a route leads to one interface.
func routes(c *configs.Config) (map[string][]netip.Prefix, error) {
	byTemplate := make(map[string][]netip.Prefix)
	var faults []error
	for _, p := range c.Pools {
		templates := poolTemplates(c, p.Name)
		if len(templates) > 1 {
			faults = append(faults, fmt.Errorf("pool %s is used on the virtual templates %v: a route leads to one interface only, "+
				"so give each its own pool (domains[].virtual_template, domains[].pools)", p.Name, templates))
			continue
		}
		for _, run := range p.Ranges {
			for _, t := range templates {
				byTemplate[t] = append(byTemplate[t], host.Aggregate(run.First, run.Last)...)
			}
		}
	}
	for _, u := range c.Users {
		if !u.Address.IsValid() {
			continue
		}
		templates := domainTemplates(c, domainOf(c, u.Name))
		if len(templates) > 0 && !covered(byTemplate[templates[0]], u.Address) {
			t := templates[0]
			byTemplate[t] = append(byTemplate[t], netip.PrefixFrom(u.Address, u.Address.BitLen()))
		}
	}
	return byTemplate, errors.Join(faults...)
}

func covered(prefixes []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// poolTemplates lists the virtual templates on which sessions with an address of the pool may be.
func poolTemplates(c *configs.Config, pool string) []string {
	var templates []string
	add := func(domain string) {
		for _, t := range domainTemplates(c, domain) {
			if !slices.Contains(templates, t) {
				templates = append(templates, t)
			}
		}
	}
	for _, d := range c.Domains {
		if slices.Contains(d.Pools, pool) {
			add(d.Name)
		}
	}
	for _, u := range c.Users {
		if slices.Contains(u.Pools, pool) {
			add(domainOf(c, u.Name))
		}
	}
	return templates
}

// domainTemplates lists the virtual templates on which sessions of a domain may be: its own, or those of the l2tp groups.
func domainTemplates(c *configs.Config, domain string) []string {
	for _, d := range c.Domains {
		if (d.Name == domain || slices.Contains(d.Aliases, domain)) && d.VirtualTemplate != "" {
			return []string{d.VirtualTemplate}
		}
	}
	var templates []string
	for _, g := range c.L2TPGroups {
		if !slices.Contains(templates, g.VirtualTemplate) {
			templates = append(templates, g.VirtualTemplate)
		}
	}
	return templates
}

// domainOf is the domain of an account by its name.
func domainOf(c *configs.Config, name string) string {
	id, err := aaa.ParseIdentity(name)
	if err != nil || id.Domain == "" {
		return c.DefaultDomain
	}
	return id.Domain
}
