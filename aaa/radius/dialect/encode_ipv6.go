package dialect

import (
	"encoding/binary"
	"net/netip"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

// sixes says what there is for IPv6: prefixes, or else the pools that they come from.
func (w *writer) sixes(d *aaa.Decision) {
	v := &d.IPv6
	pool, delegatedPool := firstPool(v.Pool, d.IPv6Pools, v.Prefixes), firstPool(v.DelegatedPool, d.DelegatedPools, v.Delegated)
	if v.InterfaceID != 0 {
		w.put(key{0, 96}, binary.BigEndian.AppendUint64(nil, v.InterfaceID))
	}
	for _, p := range v.Prefixes {
		w.put(key{0, 97}, PrefixOctets(p))
	}
	for _, p := range v.Delegated {
		w.put(key{0, 123}, PrefixOctets(p))
	}
	w.address(key{0, 168}, v.Address)
	w.text(key{0, 100}, pool)
	switch w.equipment {
	case Mikrotik:
		w.text(key{wire.Mikrotik, wire.MikrotikDelegatedIPv6Pool}, delegatedPool)
	case Huawei:
		w.text(key{wire.Huawei, wire.HuaweiDelegatedIPv6PrefixPool}, delegatedPool)
	default:
		w.text(key{0, 171}, delegatedPool)
	}
	w.text(key{0, 172}, v.AddressPool)
	for _, a := range v.DNS {
		w.address(key{0, 169}, a)
	}
	for _, r := range v.Routes {
		w.text(key{0, 99}, routeText(r, "::"))
	}
}

// firstPool is the pool that is named: the account's own, or the first of its domain's where it has no prefix.
func firstPool(own string, domains []string, prefixes []netip.Prefix) string {
	if own != "" || len(prefixes) > 0 || len(domains) == 0 {
		return own
	}
	return domains[0]
}

// PrefixOctets is a prefix in the form of RFC 3162 section 2.3, as short as it can be.
func PrefixOctets(p netip.Prefix) []byte {
	a := p.Masked().Addr().As16()
	return append([]byte{0, byte(p.Bits())}, a[:(p.Bits()+7)/8]...)
}
