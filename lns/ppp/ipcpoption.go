package ppp

import "net/netip"

// The option types of IPCP: RFC 1332 section 3 and RFC 1877.
const (
	IPCPAddresses   uint8 = 1 // both addresses in one option, deprecated
	IPCPCompression uint8 = 2
	IPCPAddress     uint8 = 3
	IPCPDNS1        uint8 = 129
	IPCPNBNS1       uint8 = 130
	IPCPDNS2        uint8 = 131
	IPCPNBNS2       uint8 = 132
)

// Address reads an option whose value is one IPv4 address: IP-Address, DNS and
// NBNS servers. 0.0.0.0 is what a peer writes that wants to be told.
func (o Option) Address() (a netip.Addr, ok bool) {
	if len(o.Value) != 4 {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte(o.Value)), true
}

// AppendAddress appends an option of the given type whose value is an IPv4
// address. An address that is none is written as 0.0.0.0.
func AppendAddress(b []byte, optionType uint8, a netip.Addr) []byte {
	var v [4]byte
	if a = a.Unmap(); a.Is4() {
		v = a.As4()
	}
	return append(b, optionType, 6, v[0], v[1], v[2], v[3])
}
