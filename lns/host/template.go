package host

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
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
	h.templates[t.Name] = VirtualTemplate{Name: t.Name, Address: t.Address, MTU: t.MTU, Routes: routes}
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
	silenceIPv6(t.Name)
	if t.MTU != 0 && link.Attrs().MTU != t.MTU {
		if err := h.links.LinkSetMTU(link, t.MTU); err != nil {
			return failure(fmt.Sprintf("set MTU of %s to %d", t.Name, t.MTU), err)
		}
	}
	if before.Address.IsValid() && before.Address != t.Address {
		if err := h.removeAddress(link, before.Address); err != nil {
			return err
		}
	}
	if t.Address.IsValid() {
		if err := h.links.AddrReplace(link, &netlink.Addr{IPNet: ipNet(t.Address)}); err != nil {
			return failure(fmt.Sprintf("give %s to %s", t.Address, t.Name), err)
		}
	}
	if err := h.links.LinkSetUp(link); err != nil {
		return failure("set up "+t.Name, err)
	}
	return h.reroute(link, before.Routes, t.Routes)
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
	if t.Address.IsValid() {
		faults = append(faults, h.removeAddress(link, t.Address))
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
	routes, err := h.links.RouteListFiltered(unix.AF_INET, filter, netlink.RT_FILTER_DST|netlink.RT_FILTER_TABLE)
	if err != nil {
		return failure(fmt.Sprintf("look up the route to %s", wanted.Prefix), err)
	}
	routes = slices.DeleteFunc(routes, func(r netlink.Route) bool { return r.Priority != wanted.Metric })
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

// silenceIPv6 keeps the kernel from sending router solicitations and multicast reports into a virtual template, where
// nobody understands them. Where there is no IPv6 there is nothing to silence, so errors do not matter.
func silenceIPv6(name string) {
	_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0)
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
