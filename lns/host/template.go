package host

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// VirtualTemplate says how the interface of a virtual template is to look.
type VirtualTemplate struct {
	// Name of the interface, which exists already.
	Name string
	// Address is the host's own on it, usually with /32.
	Address netip.Prefix
	// IPv6 lets the interface carry IPv6; Routes may then be of IPv6 too. Address6 is the host's own on it, usually with
	// /128; zero: it has none but that of the loopback.
	IPv6     bool
	Address6 netip.Prefix
	// MTU in octets. Zero leaves it as it is.
	MTU int
	// Routes lead into the interface: those to the pools. See Aggregate, and AddRoutes for networks behind single peers.
	Routes []netip.Prefix
}

// Configure makes the interface look as described and sets it up. Calling it again changes only what differs, so a reload
// may just call it: routes that are no longer named are taken away.
func (h *Host) Configure(t VirtualTemplate) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return failure("configure "+t.Name, net.ErrClosed)
	}
	link, err := h.link(t.Name)
	if err != nil {
		return err
	}
	before, known := h.templates[t.Name]
	if !known {
		before = VirtualTemplate{Name: t.Name}
		h.onClose("interface "+t.Name, func() error { return h.clear(t.Name) })
	}
	// From here on Close has to clear whatever may have been done, so the union of old and new is remembered first.
	routes := slices.Concat(before.Routes, t.Routes)
	h.templates[t.Name] = VirtualTemplate{Name: t.Name, Address: t.Address, IPv6: t.IPv6, Address6: t.Address6, MTU: t.MTU, Routes: routes}
	if err := h.dress(link, before, t); err != nil {
		return err
	}
	h.templates[t.Name] = t
	return nil
}

// dress changes what differs between two descriptions.
func (h *Host) dress(link netlink.Link, before, t VirtualTemplate) error {
	if err := h.links.LinkSetAlias(link, Alias); err != nil {
		return failure("describe interface "+t.Name, err)
	}
	if err := switchIPv6(t); err != nil {
		return err
	}
	if t.MTU != 0 && link.Attrs().MTU != t.MTU {
		if err := h.links.LinkSetMTU(link, t.MTU); err != nil {
			return failure(fmt.Sprintf("set MTU of %s to %d", t.Name, t.MTU), err)
		}
	}
	if err := h.readdress(link, before.Address, t.Address); err != nil {
		return err
	}
	if err := h.readdress(link, before.Address6, t.Address6); err != nil {
		return err
	}
	if err := h.links.LinkSetUp(link); err != nil {
		return failure("set up "+t.Name, err)
	}
	return h.reroute(link, before.Routes, t.Routes)
}

// readdress gives the interface an address in the place of another.
func (h *Host) readdress(link netlink.Link, before, wanted netip.Prefix) error {
	if before.IsValid() && before != wanted {
		if err := h.removeAddress(link, before); err != nil {
			return err
		}
	}
	if !wanted.IsValid() {
		return nil
	}
	if err := h.links.AddrReplace(link, &netlink.Addr{IPNet: ipNet(wanted)}); err != nil {
		return failure(fmt.Sprintf("give %s to %s", wanted, link.Attrs().Name), err)
	}
	return nil
}

// reroute takes away routes that are no longer wanted and adds those that are.
func (h *Host) reroute(link netlink.Link, before, wanted []netip.Prefix) error {
	for _, prefix := range before {
		r := Route{Prefix: prefix}
		if !slices.Contains(wanted, prefix) && h.behind[behind{link.Attrs().Name, r}] == 0 {
			if err := h.removeRoute(link, r); err != nil {
				return err
			}
		}
	}
	for _, prefix := range wanted {
		if err := h.addRoute(link, Route{Prefix: prefix}); err != nil {
			return err
		}
	}
	return nil
}

// clear undoes Configure.
func (h *Host) clear(name string) error {
	link, err := h.link(name)
	if err != nil {
		return err
	}
	t := h.templates[name]
	delete(h.templates, name)
	var faults []error
	for _, prefix := range slices.Backward(t.Routes) {
		faults = append(faults, h.removeRoute(link, Route{Prefix: prefix}))
	}
	for _, own := range []netip.Prefix{t.Address, t.Address6} {
		if own.IsValid() {
			faults = append(faults, h.removeAddress(link, own))
		}
	}
	if err := h.links.LinkSetDown(link); err != nil && !gone(err) {
		faults = append(faults, failure("set down "+name, err))
	}
	return errors.Join(faults...)
}

func (h *Host) removeAddress(link netlink.Link, prefix netip.Prefix) error {
	err := h.links.AddrDel(link, &netlink.Addr{IPNet: ipNet(prefix)})
	if err != nil && !gone(err) {
		return failure(fmt.Sprintf("take %s from %s", prefix, link.Attrs().Name), err)
	}
	return nil
}

// RouteConflictError says that a route to the same network exists and is not ours, so it was left alone.
type RouteConflictError struct {
	Prefix netip.Prefix
	// Interface the existing route leads to, and what set it, as `ip route` calls it.
	Interface, Protocol string
}

// Error names the route in the way and what to do.
func (e *RouteConflictError) Error() string {
	return fmt.Sprintf("a route to %s exists already, through %s (proto %s): remove it or choose another network",
		e.Prefix, e.Interface, e.Protocol)
}

// describe is a route of ours as the library wants it.
func describe(link netlink.Link, r Route) *netlink.Route {
	return &netlink.Route{
		LinkIndex: link.Attrs().Index, Dst: ipNet(r.Prefix.Masked()), Priority: r.Metric,
		Scope: netlink.SCOPE_LINK, Protocol: RouteProtocol,
	}
}

func (h *Host) addRoute(link netlink.Link, r Route) error {
	err := h.links.RouteAdd(describe(link, r))
	if errors.Is(err, unix.EEXIST) {
		return h.accept(link, r)
	}
	if err != nil {
		return failure(fmt.Sprintf("add route to %s through %s", r.Prefix, link.Attrs().Name), err)
	}
	return nil
}

// accept looks at the route that is in the way of a new one, and is content when it is the same.
func (h *Host) accept(link netlink.Link, wanted Route) error {
	filter := &netlink.Route{Dst: ipNet(wanted.Prefix.Masked()), Table: unix.RT_TABLE_MAIN}
	family, metric := unix.AF_INET, wanted.Metric
	if wanted.Prefix.Addr().Is6() {
		family, metric = unix.AF_INET6, cmp.Or(metric, defaultMetric6)
	}
	routes, err := h.links.RouteListFiltered(family, filter, netlink.RT_FILTER_DST|netlink.RT_FILTER_TABLE)
	if err != nil {
		return failure(fmt.Sprintf("look up the route to %s", wanted.Prefix), err)
	}
	routes = slices.DeleteFunc(routes, func(r netlink.Route) bool { return r.Priority != metric })
	for _, r := range routes {
		if r.LinkIndex == link.Attrs().Index {
			return nil
		}
	}
	conflict := &RouteConflictError{Prefix: wanted.Prefix, Interface: "?", Protocol: "?"}
	if len(routes) > 0 {
		conflict.Protocol = routes[0].Protocol.String()
		if other, err := h.links.LinkByIndex(routes[0].LinkIndex); err == nil {
			conflict.Interface = other.Attrs().Name
		}
	}
	return failure(fmt.Sprintf("add route to %s through %s", wanted.Prefix, link.Attrs().Name), conflict)
}

func (h *Host) removeRoute(link netlink.Link, r Route) error {
	if err := h.links.RouteDel(describe(link, r)); err != nil && !gone(err) {
		return failure(fmt.Sprintf("remove route to %s through %s", r.Prefix, link.Attrs().Name), err)
	}
	return nil
}

// defaultMetric6 is what the kernel makes of an IPv6 route without a metric.
const defaultMetric6 = 1024

// switchIPv6 has the interface carry IPv6, without anything of the kernel's own on it: no addresses, no solicitations. Who
// does not carry it must not see router solicitations and multicast reports, which nobody there understands; where there is
// no IPv6 at all there is nothing to silence, so errors do not matter then.
func switchIPv6(t VirtualTemplate) error {
	if !t.IPv6 {
		_ = writeSysctl(sysctl6(t.Name, "disable_ipv6"), "1")
		return nil
	}
	for _, s := range []struct{ name, value string }{
		{"accept_ra", "0"}, {"autoconf", "0"}, {"router_solicitations", "0"}, {"accept_redirects", "0"}, {"addr_gen_mode", "1"}, {"disable_ipv6", "0"},
	} {
		name := sysctl6(t.Name, s.name)
		if err := writeSysctl(name, s.value); err != nil {
			return failure("set sysctl "+dotted(name)+"="+s.value+" for IPv6 on the virtual template", err)
		}
	}
	return nil
}

// sysctl6 is a sysctl of one interface.
func sysctl6(link, name string) string { return "net/ipv6/conf/" + link + "/" + name }

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
