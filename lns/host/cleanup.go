package host

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Leftovers is what CleanUp has removed.
type Leftovers struct {
	// Proxies are addresses that proxy ARP still answered for.
	Proxies []netip.Addr
	// Routes are networks that still had a route of ours.
	Routes []netip.Prefix
	// Interfaces are devices of virtual templates that no process held any more.
	Interfaces []string
	// Sysctls were set back to their old values.
	Sysctls []string
}

// Any says that something was left.
func (l Leftovers) Any() bool {
	return len(l.Proxies)+len(l.Routes)+len(l.Interfaces)+len(l.Sysctls) > 0
}

// CleanUp removes what a predecessor left that was killed: everything that carries our mark, and what its journal names.
// It is called once, before the virtual templates are made; interfaces are their names. From then until Close, CleanUp
// by any other process with this state directory, or of this user in this network namespace, fails with ErrRunning. A faulty or foreign item does not keep the others
// from being removed; the errors are joined. Telling the administrator is the caller's.
func (h *Host) CleanUp(interfaces ...string) (Leftovers, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.claimed.take(h.journal.directory, h.log); err != nil {
		return Leftovers{}, failure("clean up after a predecessor", err)
	}
	var l Leftovers
	faults := []error{
		h.cleanProxies(&l),
		h.cleanRoutes(&l, interfaces),
		h.cleanInterfaces(&l, interfaces),
		h.cleanSysctls(&l),
	}
	return l, errors.Join(faults...)
}

func (h *Host) cleanProxies(l *Leftovers) error {
	marks, err := h.ownProxies()
	if err != nil {
		return failure("list proxy ARP entries", err)
	}
	var faults []error
	for _, m := range marks {
		if err := h.proxyEntry(unix.RTM_DELNEIGH, 0, m.index, m.address); err != nil && !gone(err) {
			faults = append(faults, failure(fmt.Sprintf("stop answering ARP for %s", m.address), err))
			continue
		}
		l.Proxies = append(l.Proxies, m.address)
	}
	return errors.Join(faults...)
}

// cleanRoutes removes our routes, except those into TUN devices of other names: those belong to an `lnsgate dial`.
func (h *Host) cleanRoutes(l *Leftovers, interfaces []string) error {
	filter := &netlink.Route{Protocol: RouteProtocol}
	routes, err := h.links.RouteListFiltered(unix.AF_INET, filter, netlink.RT_FILTER_PROTOCOL)
	if err != nil {
		return failure("list routes", err)
	}
	var faults []error
	for _, r := range routes {
		link, err := h.links.LinkByIndex(r.LinkIndex)
		if err == nil && link.Type() == "tuntap" && !slices.Contains(interfaces, link.Attrs().Name) {
			continue
		}
		if err := h.links.RouteDel(&r); err != nil && !gone(err) {
			faults = append(faults, failure(fmt.Sprintf("remove route to %s", r.Dst), err))
			continue
		}
		if r.Dst != nil {
			ones, _ := r.Dst.Mask.Size()
			network, _ := netip.AddrFromSlice(r.Dst.IP.To4())
			l.Routes = append(l.Routes, netip.PrefixFrom(network, ones))
		}
	}
	return errors.Join(faults...)
}

// cleanInterfaces removes devices of ours that no process holds. The kernel does so by itself unless somebody has made
// them persistent.
func (h *Host) cleanInterfaces(l *Leftovers, interfaces []string) error {
	var faults []error
	for _, name := range interfaces {
		link, err := h.link(name)
		if errors.Is(err, ErrNoInterface) {
			continue
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		attributes := link.Attrs()
		if link.Type() != "tuntap" || attributes.Alias != Alias || attributes.RawFlags&unix.IFF_LOWER_UP != 0 {
			faults = append(faults, failure("make room for virtual template "+name,
				errors.New("an interface of that name exists and is in use or not lnsgate's; remove it or choose another name")))
			continue
		}
		if err := h.links.LinkDel(link); err != nil && !gone(err) {
			faults = append(faults, failure("remove interface "+name, err))
			continue
		}
		l.Interfaces = append(l.Interfaces, name)
	}
	return errors.Join(faults...)
}

func (h *Host) cleanSysctls(l *Leftovers) error {
	changes, err := h.journal.read()
	if err != nil {
		return failure("read what a predecessor has changed", err)
	}
	var faults []error
	for _, c := range slices.Backward(changes) {
		if !strings.HasPrefix(c.Sysctl, "net/ipv4/") || strings.Contains(c.Sysctl, "..") {
			faults = append(faults, failure("restore sysctl "+c.Sysctl, errors.New("not a name that lnsgate writes")))
			continue
		}
		if err := h.restore(c); err != nil {
			faults = append(faults, failure("restore sysctl "+dotted(c.Sysctl), err))
			continue
		}
		l.Sysctls = append(l.Sysctls, dotted(c.Sysctl))
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	if err := h.journal.forget(); err != nil {
		return failure("empty the journal", err)
	}
	return nil
}
