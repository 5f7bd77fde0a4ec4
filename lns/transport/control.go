package transport

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// controlSize has room, in octets, for all we send or receive beside a datagram: the local address (40 for IPv6, 32
// for IPv4), the segment size (24) and the mark of the firewall (24).
const controlSize = 96

// control is a buffer for ancillary data (cmsg(3)): records of a header, data, and padding.
//
//	 0                   8           12          16
//	+-------------------+-----------+-----------+---------------+----
//	| length            | level     | type      | data ...      | pad
//	+-------------------+-----------+-----------+---------------+----
//
// The length is that of header and data, four octets wide on 32-bit machines.
type control [controlSize / 8]uint64 // aligned as the kernel wants it

func (c *control) pointer() *byte { return (*byte)(unsafe.Pointer(c)) }

func (c *control) bytes() []byte { return (*[controlSize]byte)(unsafe.Pointer(c))[:] }

// parse reads the address that a datagram was sent to; the segment size, which is zero when the kernel has not coalesced
// anything; and the mark of the firewall, which is zero when there is none or nobody has asked for it.
func (c *control) parse(length int) (local netip.Addr, segment int, mark uint32) {
	b := c.bytes()[:min(length, controlSize)]
	for len(b) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
		size := int(h.Len)
		if size < unix.SizeofCmsghdr || size > len(b) {
			return local, segment, mark
		}
		data := b[unix.CmsgLen(0):size]
		switch {
		case h.Level == unix.SOL_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			// Spec_dst is the address to answer from; Addr, that in the packet, may be a broadcast.
			local = netip.AddrFrom4((*unix.Inet4Pktinfo)(unsafe.Pointer(&data[0])).Spec_dst)
		case h.Level == unix.SOL_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			local = netip.AddrFrom16((*unix.Inet6Pktinfo)(unsafe.Pointer(&data[0])).Addr)
		case h.Level == unix.SOL_UDP && h.Type == unix.UDP_GRO && len(data) >= 4:
			segment = int(*(*int32)(unsafe.Pointer(&data[0])))
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SO_MARK && len(data) >= 4:
			mark = *(*uint32)(unsafe.Pointer(&data[0]))
		}
		b = b[min(unix.CmsgSpace(size-unix.CmsgLen(0)), len(b)):]
	}
	return local, segment, mark
}

// build writes the address to send from, unless it is zero, and the segment size, unless it is zero. It returns the
// length in octets.
func (c *control) build(local netip.Addr, segment int) int {
	b := c.bytes()
	n := 0
	switch {
	case local.Is4():
		data := record(b[n:], unix.SOL_IP, unix.IP_PKTINFO, unix.SizeofInet4Pktinfo)
		*(*unix.Inet4Pktinfo)(data) = unix.Inet4Pktinfo{Spec_dst: local.As4()}
		n += unix.CmsgSpace(unix.SizeofInet4Pktinfo)
	case local.Is6():
		data := record(b[n:], unix.SOL_IPV6, unix.IPV6_PKTINFO, unix.SizeofInet6Pktinfo)
		*(*unix.Inet6Pktinfo)(data) = unix.Inet6Pktinfo{Addr: local.As16()}
		n += unix.CmsgSpace(unix.SizeofInet6Pktinfo)
	}
	if segment != 0 {
		data := record(b[n:], unix.SOL_UDP, unix.UDP_SEGMENT, 2)
		*(*uint16)(data) = uint16(segment)
		n += unix.CmsgSpace(2)
	}
	return n
}

// record writes a header at the start of b and returns where its data goes.
func record(b []byte, level, kind int32, size int) unsafe.Pointer {
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = level, kind
	h.SetLen(unix.CmsgLen(size))
	return unsafe.Pointer(&b[unix.CmsgLen(0)])
}
