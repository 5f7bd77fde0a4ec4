package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"lnsgate/aaa"
	"lnsgate/configs"
	"lnsgate/lns/host"
)

// routes says which networks lead into which virtual template: every pool, and every account's own address, into the one on
// which the sessions are. Two different ones cannot both have it, because a route leads to one interface. The error joins
// one configs.Fault for each fault.
func routes(c *configs.Config) (map[string][]netip.Prefix, error) {
	p := newPlacement(c)
	byTemplate := make(map[string][]netip.Prefix)
	faults := p.faults()
	for i, pool := range c.Pools {
		templates := p.ofPool(pool.Name)
		if len(templates) > 1 {
			faults = append(faults, configs.Fault{Path: fmt.Sprintf("pools[%d]", i), Message: fmt.Sprintf(
				"pool %s is used on the virtual templates %v: a route leads to one interface only, so give each its own pool "+
					"(domains[].virtual_template, domains[].pools)", pool.Name, templates)})
			continue
		}
		for _, run := range pool.Ranges {
			for _, t := range templates {
				if run.First.Is6() && !p.speaksIPv6(t) {
					continue
				}
				byTemplate[t] = append(byTemplate[t], host.Aggregate(run.First, run.Last)...)
			}
		}
	}
	pools := maps.Clone(byTemplate)
	for i, u := range c.Users {
		if !u.Address.IsValid() {
			continue
		}
		templates := p.ofAccount(u.Name)
		if len(templates) > 1 {
			faults = append(faults, configs.Fault{Path: fmt.Sprintf("users[%d].address", i), Message: fmt.Sprintf(
				"%v of %s can come up on the virtual templates %v: a route leads to one interface only, so give the domain one "+
					"of its own (domains[].virtual_template) or the account no address", u.Address, u.Name, templates)})
			continue
		}
		for _, t := range templates {
			if !covered(pools[t], u.Address) {
				byTemplate[t] = append(byTemplate[t], netip.PrefixFrom(u.Address, u.Address.BitLen()))
			}
		}
	}
	return byTemplate, errors.Join(faults...)
}

func covered(prefixes []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// placement tells on which virtual templates sessions of a configuration may be. It follows the rules by which aaa.Gateway
// chooses a domain, and the engine a template.
type placement struct {
	config  *configs.Config
	domains map[string]*configs.Domain // by folded name and alias
}

func newPlacement(c *configs.Config) placement {
	p := placement{config: c, domains: make(map[string]*configs.Domain)}
	for i := range c.Domains {
		d := &c.Domains[i]
		for _, name := range append([]string{d.Name}, d.Aliases...) {
			p.domains[aaa.FoldDomain(name)] = d
		}
	}
	return p
}

// faults are the l2tp groups and domains whose virtual template does not exist. A file by itself never has one, but a
// reload keeps the virtual templates of the start.
func (p placement) faults() (faults []error) {
	existing := templateNames(p.config)
	check := func(path, what, template string) {
		if template != "" && !slices.Contains(existing, template) {
			faults = append(faults, configs.Fault{Path: path + ".virtual_template", Message: fmt.Sprintf(
				"%s is on the virtual template %s, which does not exist: a new one is made at the next start", what, template)})
		}
	}
	for i, g := range p.config.L2TPGroups {
		check(fmt.Sprintf("l2tp_groups[%d]", i), "l2tp group "+g.Name, g.VirtualTemplate)
	}
	for i, d := range p.config.Domains {
		check(fmt.Sprintf("domains[%d]", i), "domain "+d.Name, d.VirtualTemplate)
	}
	return faults
}

// ofPool lists the virtual templates on which sessions with an address of the pool may be.
func (p placement) ofPool(pool string) (templates []string) {
	for i := range p.config.Domains {
		if d := &p.config.Domains[i]; slices.Contains(slices.Concat(d.Pools, d.IPv6Pools, d.DelegatedPools), pool) {
			templates = join(templates, p.ofDomain(d))
		}
	}
	for _, u := range p.config.Users {
		if slices.Contains(u.Pools, pool) && !u.Address.IsValid() {
			templates = join(templates, p.ofAccount(u.Name))
		}
	}
	return templates
}

// speaksIPv6 says whether a virtual template carries IPv6.
func (p placement) speaksIPv6(template string) bool {
	return slices.ContainsFunc(p.config.VirtualTemplates, func(t configs.VirtualTemplate) bool { return t.Name == template && t.IPv6 })
}

// ofDomain lists the virtual templates on which sessions of a domain may be: its own, or those of the l2tp groups that do
// not force their subscribers into another domain.
func (p placement) ofDomain(d *configs.Domain) (templates []string) {
	if d.VirtualTemplate != "" {
		return []string{d.VirtualTemplate}
	}
	for _, g := range p.config.L2TPGroups {
		if g.Domain == "" || p.domain(g.Domain) == d {
			templates = join(templates, []string{g.VirtualTemplate})
		}
	}
	return templates
}

// ofAccount lists the virtual templates on which sessions of an account may be: through each l2tp group it may come into
// another domain.
func (p placement) ofAccount(name string) (templates []string) {
	id, err := aaa.ParseIdentity(name)
	if err != nil {
		return nil
	}
	for _, g := range p.config.L2TPGroups {
		if d := p.domain(cmp.Or(g.Domain, id.Domain, g.DefaultDomain, p.config.DefaultDomain)); d != nil {
			templates = join(templates, []string{cmp.Or(d.VirtualTemplate, g.VirtualTemplate)})
		}
	}
	return templates
}

func (p placement) domain(name string) *configs.Domain { return p.domains[aaa.FoldDomain(name)] }

// join adds to a list what it does not have yet.
func join(list, more []string) []string {
	for _, item := range more {
		if !slices.Contains(list, item) {
			list = append(list, item)
		}
	}
	return list
}
