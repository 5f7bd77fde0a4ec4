package dialect

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"lnsgate/aaa"
)

// sixes is the standard's attributes of IPv6: RFC 3162, 4818 and 6911.
var sixes = family{
	96: {
		name: "Framed-Interface-Id",
		show: func(b []byte) string { return fmt.Sprintf("0x%x", b) },
		read: readInterfaceID,
	},
	97:  prefix("Framed-IPv6-Prefix", func(o *offer, p netip.Prefix) { o.ipv6.Prefixes = append(o.ipv6.Prefixes, p) }),
	99:  text("Framed-IPv6-Route", readRoute6),
	100: text("Framed-IPv6-Pool", name6(func(v *aaa.IPv6) *string { return &v.Pool })),
	123: prefix("Delegated-IPv6-Prefix", func(o *offer, p netip.Prefix) { o.ipv6.Delegated = append(o.ipv6.Delegated, p) }),
	168: address6("Framed-IPv6-Address", readAddress6),
	169: address6("DNS-Server-IPv6-Address", readDNS6),
	170: prefix("Route-IPv6-Information", func(o *offer, p netip.Prefix) { o.ipv6.Advertised = append(o.ipv6.Advertised, p) }),
	171: text("Delegated-IPv6-Prefix-Pool", name6(func(v *aaa.IPv6) *string { return &v.DelegatedPool })),
	172: text("Stateful-IPv6-Address-Pool", name6(func(v *aaa.IPv6) *string { return &v.AddressPool })),
}

func readInterfaceID(o *offer, b []byte) error {
	if len(b) != 8 {
		return fmt.Errorf("it has %d octets, not 8", len(b))
	}
	o.ipv6.InterfaceID = binary.BigEndian.Uint64(b)
	return nil
}

func readRoute6(o *offer, s string) error {
	r, err := parseRoute6(s)
	if err == nil {
		o.ipv6.Routes = append(o.ipv6.Routes, r)
	}
	return err
}

// name6 reads the name of a pool. The first one said stays: the standard's attributes are read before the vendors'.
func name6(field func(*aaa.IPv6) *string) func(*offer, string) error {
	return func(o *offer, s string) error {
		if p := field(&o.ipv6); *p == "" {
			*p = s
		}
		return nil
	}
}

func readAddress6(o *offer, a netip.Addr) error {
	if err := usable(a); err != nil {
		return fmt.Errorf("no host can have this address")
	}
	if !o.ipv6.Address.IsValid() {
		o.ipv6.Address = a
	}
	return nil
}

func readDNS6(o *offer, a netip.Addr) error {
	o.ipv6.DNS = append(o.ipv6.DNS, a)
	return nil
}
