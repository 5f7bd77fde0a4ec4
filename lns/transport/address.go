package transport

import (
	"net"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel's socket addresses are read and written in place, because the functions of x/sys allocate. A
// RawSockaddrInet6 has room for both families; both have the port, in network order, in octets 2 and 3.

// peerAddress reads the address a datagram came from.
func peerAddress(name *unix.RawSockaddrInet6, v6 bool) netip.AddrPort {
	if !v6 {
		name4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		return netip.AddrPortFrom(netip.AddrFrom4(name4.Addr), swapped(name4.Port))
	}
	a := netip.AddrFrom16(name.Addr)
	if name.Scope_id != 0 && a.IsLinkLocalUnicast() {
		a = a.WithZone(strconv.FormatUint(uint64(name.Scope_id), 10))
	}
	return netip.AddrPortFrom(a, swapped(name.Port))
}

// setPeerAddress writes the address a datagram goes to, and returns its length in octets.
func setPeerAddress(name *unix.RawSockaddrInet6, peer netip.AddrPort) uint32 {
	if a := peer.Addr(); a.Is4() {
		name4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		*name4 = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: swapped(peer.Port()), Addr: a.As4()}
		return unix.SizeofSockaddrInet4
	}
	*name = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: swapped(peer.Port()), Addr: peer.Addr().As16(),
		Scope_id: zoneIndex(peer.Addr().Zone())}
	return unix.SizeofSockaddrInet6
}

// zoneIndex is the interface a zone means. Zones of received datagrams are numbers; a person may write a name.
func zoneIndex(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n)
	}
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}
	return 0
}

// swapped turns a port from network to host order or back, on hosts of either order.
func swapped(port uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(&port))
	return uint16(b[0])<<8 | uint16(b[1])
}
