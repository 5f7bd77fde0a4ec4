package host

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// AddressProxy is what the engine calls as leases come and go.
type AddressProxy interface {
	// AddProxy makes the hosts of the segment send packets for an address to this host.
	AddProxy(netip.Addr) error
	// RemoveProxy takes that back.
	RemoveProxy(netip.Addr) error
}

var _ AddressProxy = (*Proxy)(nil)

// Proxy answers ARP for addresses of peers on the networks of some interfaces, so that hosts there send packets for the
// peers to this host. Without interfaces it does nothing. It is safe for concurrent use.
type Proxy struct {
	host       *Host
	interfaces []proxyInterface

	mu        sync.Mutex
	addresses map[netip.Addr]struct{}
	closed    bool
}

type proxyInterface struct {
	name  string
	index int
}

// NewProxy prepares interfaces for proxy ARP: the kernel is told to answer at once, where by default it waits up to
// 0.8 s. It answers only while IPv4 forwarding is on (EnableForwarding) and the address is routed elsewhere (Configure).
// Closing the Host ends the Proxy.
func (h *Host) NewProxy(interfaces ...string) (*Proxy, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := &Proxy{host: h, addresses: make(map[netip.Addr]struct{})}
	for _, name := range interfaces {
		link, err := h.link(name)
		if err != nil {
			return nil, err
		}
		if link.Attrs().RawFlags&unix.IFF_NOARP != 0 {
			return nil, failure("proxy ARP on "+name, errors.New("the interface does not use ARP"))
		}
		if err := h.sysctl("net/ipv4/neigh/"+name+"/proxy_delay", "0"); err != nil {
			return nil, err
		}
		p.interfaces = append(p.interfaces, proxyInterface{name, link.Attrs().Index})
	}
	h.onClose("proxy ARP entries", p.close)
	return p, nil
}

// AddProxy begins to answer for an address. Adding one again does nothing.
func (p *Proxy) AddProxy(address netip.Addr) error {
	if !address.Is4() {
		return failure(fmt.Sprintf("proxy ARP for %s", address), errors.New("not an IPv4 address"))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return failure(fmt.Sprintf("proxy ARP for %s", address), net.ErrClosed)
	}
	p.addresses[address] = struct{}{}
	for _, i := range p.interfaces {
		if err := p.host.proxyEntry(unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, i.index, address); err != nil {
			return failure(fmt.Sprintf("answer ARP for %s on %s", address, i.name), err)
		}
	}
	return nil
}

// RemoveProxy stops answering for an address. Removing one that is not there does nothing.
func (p *Proxy) RemoveProxy(address netip.Addr) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.remove(address)
}

func (p *Proxy) remove(address netip.Addr) error {
	if _, ok := p.addresses[address]; !ok {
		return nil
	}
	delete(p.addresses, address)
	var faults []error
	for _, i := range p.interfaces {
		if err := p.host.proxyEntry(unix.RTM_DELNEIGH, 0, i.index, address); err != nil && !gone(err) {
			faults = append(faults, failure(fmt.Sprintf("stop answering ARP for %s on %s", address, i.name), err))
		}
	}
	return errors.Join(faults...)
}

// close removes all addresses.
func (p *Proxy) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	var faults []error
	for address := range p.addresses {
		faults = append(faults, p.remove(address))
	}
	return errors.Join(faults...)
}

// proxyEntry adds or removes an entry as `ip neigh add proxy ADDRESS dev INTERFACE protocol 170` does. The library does
// not know the protocol attribute, so the message is put together here.
func (h *Host) proxyEntry(message, flags, index int, address netip.Addr) error {
	request := nl.NewNetlinkRequest(message, flags|unix.NLM_F_ACK)
	request.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: h.entries}
	request.AddData(&netlink.Ndmsg{
		Family: unix.AF_INET, Index: uint32(index), State: netlink.NUD_PERMANENT, Flags: netlink.NTF_PROXY,
	})
	request.AddData(nl.NewRtAttr(netlink.NDA_DST, address.AsSlice()))
	request.AddData(nl.NewRtAttr(netlink.NDA_PROTOCOL, []byte{RouteProtocol}))
	_, err := request.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// proxyMark is an entry found on the host.
type proxyMark struct {
	index   int
	address netip.Addr
}

// ownProxies lists the proxy ARP entries that carry our mark.
func (h *Host) ownProxies() ([]proxyMark, error) {
	request := nl.NewNetlinkRequest(unix.RTM_GETNEIGH, unix.NLM_F_DUMP)
	request.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: h.entries}
	dump := &netlink.Ndmsg{Family: unix.AF_INET, Flags: netlink.NTF_PROXY}
	request.AddData(dump)
	messages, err := request.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWNEIGH)
	if err != nil {
		return nil, err
	}
	var ours []proxyMark
	for _, m := range messages {
		if mark, ok := parseProxy(m, dump.Len()); ok {
			ours = append(ours, mark)
		}
	}
	return ours, nil
}

// parseProxy reads one entry of a dump and says whether it is ours.
func parseProxy(message []byte, header int) (proxyMark, bool) {
	entry, err := netlink.NeighDeserialize(message)
	if err != nil || entry.Flags&netlink.NTF_PROXY == 0 {
		return proxyMark{}, false
	}
	attributes, err := nl.ParseRouteAttr(message[header:])
	if err != nil {
		return proxyMark{}, false
	}
	address, ok := netip.AddrFromSlice(entry.IP)
	for _, a := range attributes {
		if a.Attr.Type == netlink.NDA_PROTOCOL && len(a.Value) == 1 && a.Value[0] == RouteProtocol {
			return proxyMark{entry.LinkIndex, address.Unmap()}, ok
		}
	}
	return proxyMark{}, false
}
