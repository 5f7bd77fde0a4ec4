package netns

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// Veth joins two namespaces by a pair of interfaces, both up.
func Veth(a *Namespace, aName string, b *Namespace, bName string) error {
	attributes := netlink.NewLinkAttrs()
	attributes.Name = aName
	pair := &netlink.Veth{LinkAttrs: attributes, PeerName: bName, PeerNamespace: netlink.NsFd(b.handle)}
	if err := a.links.LinkAdd(pair); err != nil {
		return fmt.Errorf("make veth pair %s in %q, %s in %q: %w", aName, a.name, bName, b.name, err)
	}
	if err := a.Up(aName); err != nil {
		return err
	}
	return b.Up(bName)
}

// Bridge makes an Ethernet switch of interfaces of this namespace and sets it up.
func (n *Namespace) Bridge(name string, members ...string) error {
	attributes := netlink.NewLinkAttrs()
	attributes.Name = name
	bridge := &netlink.Bridge{LinkAttrs: attributes}
	if err := n.links.LinkAdd(bridge); err != nil {
		return fmt.Errorf("make bridge %s in %q: %w", name, n.name, err)
	}
	for _, member := range members {
		link, err := n.link(member)
		if err != nil {
			return err
		}
		if err := n.links.LinkSetMaster(link, bridge); err != nil {
			return fmt.Errorf("put %s into bridge %s in %q: %w", member, name, n.name, err)
		}
	}
	return n.Up(name)
}

// Up sets an interface up.
func (n *Namespace) Up(name string) error {
	link, err := n.link(name)
	if err != nil {
		return err
	}
	if err := n.links.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %s in %q up: %w", name, n.name, err)
	}
	return nil
}

// SetMTU changes the MTU of an interface.
func (n *Namespace) SetMTU(name string, mtu int) error {
	link, err := n.link(name)
	if err != nil {
		return err
	}
	if err := n.links.LinkSetMTU(link, mtu); err != nil {
		return fmt.Errorf("set MTU of %s in %q to %d: %w", name, n.name, mtu, err)
	}
	return nil
}

// Address gives an interface an address with its prefix length, "192.0.2.1/24". An IPv6 address is usable at once.
func (n *Namespace) Address(name, prefix string) error {
	link, err := n.link(name)
	if err != nil {
		return err
	}
	address, err := netlink.ParseAddr(prefix)
	if err != nil {
		return fmt.Errorf("address %q: %w", prefix, err)
	}
	if address.IP.To4() == nil {
		address.Flags = ifaNoDAD
	}
	if err := n.links.AddrAdd(link, address); err != nil {
		return fmt.Errorf("give %s to %s in %q: %w", prefix, name, n.name, err)
	}
	return nil
}

// ifaNoDAD is IFA_F_NODAD: skip duplicate address detection, which would keep the address unusable for a second.
const ifaNoDAD = 0x02

// Route sends what goes to a prefix ("default" for all of IPv4) to a gateway.
func (n *Namespace) Route(prefix, gateway string) error {
	destination, err := parseDestination(prefix)
	if err != nil {
		return err
	}
	hop, err := netip.ParseAddr(gateway)
	if err != nil {
		return fmt.Errorf("gateway %q: %w", gateway, err)
	}
	if err := n.links.RouteAdd(&netlink.Route{Dst: destination, Gw: hop.AsSlice()}); err != nil {
		return fmt.Errorf("route %s through %s in %q: %w", prefix, gateway, n.name, err)
	}
	return nil
}

// RouteLink sends what goes to a prefix out of an interface that needs no gateway, a TUN device for example.
func (n *Namespace) RouteLink(prefix, name string) error {
	destination, err := parseDestination(prefix)
	if err != nil {
		return err
	}
	link, err := n.link(name)
	if err != nil {
		return err
	}
	route := &netlink.Route{Dst: destination, LinkIndex: link.Attrs().Index, Scope: netlink.SCOPE_LINK}
	if err := n.links.RouteAdd(route); err != nil {
		return fmt.Errorf("route %s to %s in %q: %w", prefix, name, n.name, err)
	}
	return nil
}

// HardwareAddr tells the Ethernet address of an interface.
func (n *Namespace) HardwareAddr(name string) (net.HardwareAddr, error) {
	link, err := n.link(name)
	if err != nil {
		return nil, err
	}
	return link.Attrs().HardwareAddr, nil
}

// HasLink says whether the namespace has an interface of that name.
func (n *Namespace) HasLink(name string) bool {
	_, err := n.link(name)
	return err == nil
}

func (n *Namespace) link(name string) (netlink.Link, error) {
	link, err := n.links.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("find interface %s in network namespace %q: %w", name, n.name, err)
	}
	return link, nil
}

func parseDestination(prefix string) (*net.IPNet, error) {
	if prefix == "default" {
		prefix = "0.0.0.0/0"
	}
	parsed, err := netip.ParsePrefix(prefix)
	if err != nil {
		return nil, fmt.Errorf("destination %q: %w", prefix, err)
	}
	bits := parsed.Addr().BitLen()
	return &net.IPNet{IP: parsed.Addr().AsSlice(), Mask: net.CIDRMask(parsed.Bits(), bits)}, nil
}
