package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"

	"lnsgate/aaa"
	sqlaccounts "lnsgate/aaa/postgres"
	"lnsgate/configs"
	"lnsgate/lns"
	"lnsgate/lns/datapath"
	"lnsgate/lns/host"
	"lnsgate/pool"
)

// content is what the database holds beside the file. Its zero value is a node without a database.
type content struct {
	domains []aaa.Domain
	pools   []pool.Pool
	filters map[string]*datapath.Filter
	nases   []sqlaccounts.NAS
}

// addDomains adds the domains to those of the file. A domain that the file has too is the file's; one that would keep the gateway
// from being made is left out, and the log says why: a wrong row must not lock out everybody else.
func (s content) addDomains(c aaa.Config, log *slog.Logger) aaa.Config {
	fallback := aaa.FoldDomain(c.DefaultDomain)
	c.DefaultDomain = ""
	for _, d := range s.domains {
		if slices.ContainsFunc(c.Domains, func(f aaa.Domain) bool { return aaa.FoldDomain(f.Name) == aaa.FoldDomain(d.Name) }) {
			log.Warn("the file defines this domain too, and the file counts", "domain", d.Name)
			continue
		}
		with := c
		with.Domains = append(slices.Clip(c.Domains), d)
		if _, err := aaa.NewGateway(with); err != nil {
			log.Error("a domain of the database cannot be used", "domain", d.Name, "cause", err)
			continue
		}
		c = with
	}
	for _, d := range c.Domains {
		if aaa.FoldDomain(d.Name) == fallback || slices.Contains(d.Aliases, fallback) {
			c.DefaultDomain = d.Name
		}
	}
	return c
}

// possible tells of decisions what this server cannot give: a RADIUS server may name anything.
func (s content) possible(c *configs.Config) func(*aaa.Decision) error {
	pools, filters, fromRADIUS := make(map[string]bool), make(map[string]bool), make(map[string]bool)
	for _, p := range c.Pools {
		pools[p.Name] = true
	}
	for _, p := range s.pools {
		pools[p.Name] = true
	}
	for _, f := range c.Filters {
		filters[f.Name] = true
	}
	for name := range s.filters {
		filters[name] = true
	}
	for _, g := range c.RADIUS {
		fromRADIUS[g.Name] = true
	}
	taken := notForPeers(c)
	inDatabase := c.Database.Given() && len(s.pools) == 0 // not known yet: the allocator will say
	return func(d *aaa.Decision) error {
		for _, name := range d.Pools {
			if fromRADIUS[d.Backend] && !pools[name] && !inDatabase {
				return aaa.Reject(aaa.Misconfigured, "there is no pool %q on this server", name).For(aaa.NoSuchPool)
			}
		}
		if what := taken[d.Address]; what != "" {
			return fmt.Errorf("no peer can have the address %s, which is %s", d.Address, what)
		}
		if d.Filter != "" && !filters[d.Filter] {
			return aaa.Reject(aaa.Misconfigured, "there is no filter %q on this server", d.Filter).For(aaa.NoSuchFilter)
		}
		return nil
	}
}

// notForPeers are the addresses that must not lead into a tunnel, and what they are.
func notForPeers(c *configs.Config) map[netip.Addr]string {
	all := make(map[netip.Addr]string)
	for _, t := range c.VirtualTemplates {
		if t.Address.IsValid() {
			all[t.Address.Addr()] = fmt.Sprintf("our own on virtual template %q", t.Name)
		}
	}
	for _, l := range c.Listen {
		if !l.Addr().IsUnspecified() {
			all[l.Addr().Unmap()] = "the one that we listen on"
		}
	}
	for _, g := range c.RADIUS {
		for i := range g.Servers {
			if a, err := netip.ParseAddr(g.Servers[i].Address); err == nil {
				all[a.Unmap()] = fmt.Sprintf("a server of RADIUS group %q", g.Name)
			}
		}
	}
	return all
}

// merge is the file with what routes need to know of the database's domains and pools.
func (s content) merge(c *configs.Config) *configs.Config {
	merged := *c
	merged.Domains, merged.Pools = slices.Clone(c.Domains), slices.Clone(c.Pools)
	for _, d := range s.domains {
		merged.Domains = append(merged.Domains, configs.Domain{
			Name: d.Name, Aliases: d.Aliases, Pools: d.Pools, VirtualTemplate: d.VirtualTemplate,
			IPv6Pools: d.IPv6Pools, DelegatedPools: d.DelegatedPools,
		})
	}
	for _, p := range s.pools {
		q := configs.Pool{Name: p.Name, PrefixLength: p.PrefixLength}
		for _, r := range p.Ranges {
			q.Ranges = append(q.Ranges, configs.Range{First: r.First, Last: r.Last})
		}
		merged.Pools = append(merged.Pools, q)
	}
	return &merged
}

// overlaps names pools of the database that share addresses with pools of the file: neither side knows what the other gives away.
func (s content) overlaps(c *configs.Config) (faults []string) {
	for _, p := range s.pools {
		for _, r := range p.Ranges {
			for _, f := range c.Pools {
				for _, own := range f.Ranges {
					if r.Overlaps(pool.Range{First: own.First, Last: own.Last}) {
						faults = append(faults, fmt.Sprintf("%s of the database (%v) and %s of the file (%v-%v)", p.Name, r, f.Name, own.First, own.Last))
					}
				}
			}
		}
	}
	return faults
}

// readDomains puts the domains and pools in force that the database holds now.
func (n *node) readDomains(ctx context.Context) error {
	domains, err := n.db.backend.Domains(ctx)
	if err != nil {
		return err
	}
	rows, err := n.db.backend.Filters(ctx)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.shared = content{domains: domains, pools: n.db.leases.Pools(), filters: filtersOfDatabase(rows, n.log), nases: n.shared.nases}
	if both := n.shared.overlaps(n.config); len(both) > 0 {
		n.log.Error("pools of the file and of the database overlap: the same address can be given twice; change one of them", "pools", both)
	}
	gateway, inForce, err := n.newGateway(n.config, n.radius.groups())
	if err != nil {
		return err
	}
	n.gateway.replace(gateway, inForce, n.config.DefaultDomain)
	if err := n.reach.adapt(n.shared.merge(n.config)); err != nil {
		n.log.Error("a domain or pool of the database cannot be served as it is", "cause", err)
	}
	return nil
}

// engineConfig is what the file says, with what the database adds. The caller holds n.mu, once the node runs.
func (n *node) engineConfig(c *configs.Config) *lns.Config {
	e := engineConfig(c)
	for name, filter := range n.shared.filters {
		if e.Filters[name] != nil {
			n.log.Warn("the file defines this filter too, and the file counts", "filter", name)
			continue
		}
		e.Filters[name] = filter
	}
	e.Reserved = reserved(n.shared.merge(c))
	return e
}

// reserved are the networks that cannot lie behind a peer.
func reserved(c *configs.Config) []lns.Reserved {
	var all []lns.Reserved
	for _, h := range c.Headquarters {
		all = append(all, lns.Reserved{Network: h.Network, What: fmt.Sprintf("headquarters network %q", h.Name)})
	}
	for address, what := range notForPeers(c) {
		all = append(all, lns.Reserved{Network: netip.PrefixFrom(address, address.BitLen()), What: what})
	}
	for _, p := range c.Pools {
		for _, r := range p.Ranges {
			for _, network := range host.Aggregate(r.First, r.Last) {
				all = append(all, lns.Reserved{Network: network, What: fmt.Sprintf("pool %q", p.Name), Pool: p.Name})
			}
		}
	}
	return all
}
