package host

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
)

// Route is a network behind a peer.
type Route struct {
	Prefix netip.Prefix
	// Metric is the lower the better, as `ip route` shows it. Routes to one network with different metrics are different
	// routes.
	Metric int
}

// behind is a route of a peer in one interface.
type behind struct {
	name string
	Route
}

// AddRoutes leads networks behind a peer into the interface of its virtual template, all of them or none. A route that
// another peer has added too is kept until both have removed it. Errors: *RouteConflictError inside an *Error, when
// somebody else has a route to the network with this metric; ErrNoInterface; and a fault for what is no network, or is all
// of them, which would cut this host off.
func (h *Host) AddRoutes(name string, routes []Route) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return failure("add routes through "+name, net.ErrClosed)
	}
	link, err := h.link(name)
	if err != nil {
		return err
	}
	for i, r := range routes {
		if err := h.addBehind(link, r); err != nil {
			return errors.Join(err, h.removeBehind(name, link, routes[:i]))
		}
	}
	return nil
}

func (h *Host) addBehind(link netlink.Link, r Route) error {
	key := behind{link.Attrs().Name, r}
	switch {
	case !r.Prefix.IsValid() || r.Prefix.Addr().Is4In6() || r.Prefix != r.Prefix.Masked() || r.Metric < 0:
		return failure(fmt.Sprintf("add route to %s through %s", r.Prefix, key.name), errors.New("not a network"))
	case r.Prefix.Bits() == 0:
		return failure(fmt.Sprintf("add route to %s through %s", r.Prefix, key.name),
			errors.New("a default route into a peer would cut this host off"))
	case h.behind[key] == 0:
		if err := h.addRoute(link, r); err != nil {
			return err
		}
	}
	if !slices.Contains(h.leading, key.name) {
		h.leading = append(h.leading, key.name)
		h.onClose("routes through "+key.name, func() error { return h.closeBehind(key.name) })
	}
	h.behind[key]++
	return nil
}

// RemoveRoutes takes back what AddRoutes did. What is not there any more is no fault.
func (h *Host) RemoveRoutes(name string, routes []Route) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	link, err := h.link(name)
	if err != nil && !gone(err) {
		return err
	}
	return h.removeBehind(name, link, routes)
}

// removeBehind works without a link, too, whose routes went with it.
func (h *Host) removeBehind(name string, link netlink.Link, routes []Route) error {
	var faults []error
	for _, r := range slices.Backward(routes) {
		key := behind{name, r}
		if h.behind[key] > 1 {
			h.behind[key]--
			continue
		}
		_, there := h.behind[key]
		delete(h.behind, key)
		if there && link != nil && !(r.Metric == 0 && slices.Contains(h.templates[name].Routes, r.Prefix)) {
			faults = append(faults, h.removeRoute(link, r))
		}
	}
	return errors.Join(faults...)
}

// closeBehind removes all routes of peers through an interface.
func (h *Host) closeBehind(name string) error {
	link, err := h.link(name)
	if err != nil {
		return err
	}
	var faults []error
	for key := range h.behind {
		if key.name == name {
			delete(h.behind, key)
			faults = append(faults, h.removeRoute(link, key.Route))
		}
	}
	return errors.Join(faults...)
}
