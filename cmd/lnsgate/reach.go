package main

import (
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"

	"lnsgate/aaa"
	"lnsgate/configs"
	"lnsgate/lns/host"
)

// reach makes the addresses of the pools reachable from the networks of this host: routes into the virtual templates, and
// proxy ARP where a pool lies inside a network of the headquarters. It is safe for concurrent use.
type reach struct {
	host *host.Host // nil: this node carries nobody, and has nothing to make reachable
	log  *slog.Logger

	mu        sync.Mutex // guards what follows
	templates []configs.VirtualTemplate
	wanted    map[string][]netip.Prefix // by template: what the configuration routes into it
	drained   map[string]drain          // by template: what is routed besides, for the peers that have an address in it
	peers     map[netip.Addr]string     // the open sessions and their templates
	proxies   []proxyNetwork
}

// drain counts the peers in networks that the configuration does not have: pools of before, and single addresses that a RADIUS
// server has given. Each peer takes a step of its own, however many there are.
type drain map[netip.Prefix]int

// proxyNetwork is a network on whose interface we answer ARP for peers inside it.
type proxyNetwork struct {
	segment host.Segment
	proxy   *host.Proxy
}

func newReach(h *host.Host, c *configs.Config, log *slog.Logger) (*reach, error) {
	r := &reach{host: h, log: log, peers: make(map[netip.Addr]string)}
	return r, r.configure(c)
}

// configure routes every pool, and every account's own address, into its virtual template, and answers ARP for peers with
// neighbours. Open sessions stay reachable, whatever has become of their pool.
func (r *reach) configure(c *configs.Config) error {
	wanted, err := routes(c)
	if err != nil {
		return err
	}
	return r.apply(c, wanted)
}

// adapt is configure for what the database says: it does what can be done, and tells the rest.
func (r *reach) adapt(c *configs.Config) error {
	wanted, faults := routes(c)
	return errors.Join(faults, r.apply(c, wanted))
}

func (r *reach) apply(c *configs.Config, wanted map[string][]netip.Prefix) error {
	if r.host == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	before, drained := r.wanted, r.drained
	r.templates, r.wanted, r.drained = c.VirtualTemplates, wanted, make(map[string]drain)
	for address, template := range r.peers {
		r.keep(template, address, before[template], drained[template])
	}
	var faults []error
	// A route leads to one interface only: what moves to another is taken from the old one first.
	for _, t := range r.templates {
		stays := slices.Clone(before[t.Name])
		stays = slices.DeleteFunc(stays, func(p netip.Prefix) bool {
			return !slices.Contains(wanted[t.Name], p) && r.drained[t.Name][p] == 0
		})
		faults = append(faults, r.route(t, stays))
	}
	for _, t := range r.templates {
		faults = append(faults, r.host.AddRoutes(t.Name, r.drained[t.Name].without(drained[t.Name])))
		faults = append(faults, r.route(t, wanted[t.Name]))
		faults = append(faults, r.host.RemoveRoutes(t.Name, drained[t.Name].without(r.drained[t.Name])))
	}
	return errors.Join(append(faults, r.openProxies(c))...)
}

func (r *reach) route(t configs.VirtualTemplate, networks []netip.Prefix) error {
	v := host.VirtualTemplate{Name: t.Name, Address: t.Address, IPv6: t.IPv6, MTU: t.MRU, Routes: networks}
	if t.IPv6Address.IsValid() {
		v.Address6 = netip.PrefixFrom(t.IPv6Address, t.IPv6Address.BitLen())
	}
	return r.host.Configure(v)
}

// without lists the networks that another drain does not have.
func (d drain) without(other drain) []host.Route {
	var list []host.Route
	for network := range d {
		if other[network] == 0 {
			list = append(list, host.Route{Prefix: network})
		}
	}
	return list
}

// holding finds the network with an address in it.
func (d drain) holding(address netip.Addr) (netip.Prefix, bool) {
	for bits := address.BitLen(); bits >= 0 && len(d) > 0; bits-- {
		if network, err := address.Prefix(bits); err == nil && d[network] > 0 {
			return network, true
		}
	}
	return netip.Prefix{}, false
}

// keep notes that a peer needs a route that the configuration does not have: the one that it had before, or one of its own.
// It returns the route if it is the first to need it.
func (r *reach) keep(template string, address netip.Addr, before []netip.Prefix, drained drain) []host.Route {
	if r.routed(address) {
		return nil
	}
	network, found := drained.holding(address)
	if !found {
		network = netip.PrefixFrom(address, address.BitLen())
	}
	for _, p := range before {
		if p.Contains(address) {
			network = p
		}
	}
	if r.drained[template] == nil {
		r.drained[template] = make(drain)
	}
	r.drained[template][network]++
	if r.drained[template][network] > 1 {
		return nil
	}
	return []host.Route{{Prefix: network}}
}

// routed says that the configuration leads an address into a template. When that is not the one of the address's session,
// the session is about to end.
func (r *reach) routed(address netip.Addr) bool {
	for _, networks := range r.wanted {
		if covered(networks, address) {
			return true
		}
	}
	return false
}

// openProxies finds the interfaces on which peers have neighbours.
func (r *reach) openProxies(c *configs.Config) error {
	segments, err := r.segments(c)
	if err != nil {
		return err
	}
	for _, s := range segments {
		if slices.ContainsFunc(r.proxies, func(p proxyNetwork) bool { return p.segment == s }) {
			continue
		}
		proxy, err := r.host.NewProxy(s.Interface)
		if err != nil {
			return err
		}
		r.log.Info("proxy ARP for peers inside the network", "interface", s.Interface, "network", s.Network)
		r.proxies = append(r.proxies, proxyNetwork{segment: s, proxy: proxy})
		for address := range r.peers {
			if s.Network.Contains(address) {
				err = errors.Join(err, proxy.AddProxy(address))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// segments lists the networks that need proxy ARP: those that hold a pool or an account's own address, unless the file says
// off, and those for which it says on.
func (r *reach) segments(c *configs.Config) ([]host.Segment, error) {
	wanted := []netip.Prefix{}
	for _, p := range c.Pools {
		for _, run := range p.Ranges {
			wanted = append(wanted, host.Aggregate(run.First, run.Last)...)
		}
	}
	for _, u := range c.Users {
		if u.Address.IsValid() {
			wanted = append(wanted, netip.PrefixFrom(u.Address, u.Address.BitLen()))
		}
	}
	attached, err := r.host.Segments(everything, templateNames(c)...)
	if err != nil {
		return nil, err
	}
	var found []host.Segment
	for _, s := range attached {
		if slices.ContainsFunc(wanted, s.Network.Overlaps) && !proxySwitchedOff(c, s) {
			found = append(found, s)
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

// Attach makes the address of an open session routed and answered for.
func (r *reach) Attach(template string, address netip.Addr) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.peers[address] = template
	var faults []error
	if own := r.keep(template, address, nil, r.drained[template]); own != nil {
		faults = append(faults, r.host.AddRoutes(template, own))
	}
	for _, p := range r.proxies {
		if p.segment.Network.Contains(address) {
			faults = append(faults, p.proxy.AddProxy(address))
		}
	}
	return errors.Join(faults...)
}

// Detach undoes Attach. The last peer in a network that the configuration no longer has takes its route along.
func (r *reach) Detach(template string, address netip.Addr) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.peers, address)
	var faults []error
	if network, found := r.drained[template].holding(address); found && !r.routed(address) {
		if r.drained[template][network]--; r.drained[template][network] == 0 {
			delete(r.drained[template], network)
			faults = append(faults, r.host.RemoveRoutes(template, []host.Route{{Prefix: network}}))
		}
	}
	for _, p := range r.proxies {
		if p.segment.Network.Contains(address) {
			faults = append(faults, p.proxy.RemoveProxy(address))
		}
	}
	return errors.Join(faults...)
}

// AddRoutes implements lns.Router.
func (r *reach) AddRoutes(template string, routes []aaa.Route) error {
	return r.host.AddRoutes(template, hostRoutes(routes))
}

// RemoveRoutes implements lns.Router.
func (r *reach) RemoveRoutes(template string, routes []aaa.Route) error {
	return r.host.RemoveRoutes(template, hostRoutes(routes))
}

func hostRoutes(routes []aaa.Route) []host.Route {
	var all []host.Route
	for _, route := range routes {
		all = append(all, host.Route{Prefix: route.Prefix, Metric: route.Metric})
	}
	return all
}
