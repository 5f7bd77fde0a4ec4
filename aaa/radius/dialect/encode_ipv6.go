package dialect

import (
	"encoding/binary"
	"net/netip"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

// sixes says what there is for IPv6.
func (w *writer) sixes(v *aaa.IPv6) {
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
	w.text(key{0, 100}, v.Pool)
	switch w.equipment {
	case Mikrotik:
		w.text(key{wire.Mikrotik, wire.MikrotikDelegatedIPv6Pool}, v.DelegatedPool)
	case Huawei:
		w.text(key{wire.Huawei, wire.HuaweiDelegatedIPv6PrefixPool}, v.DelegatedPool)
	default:
		w.text(key{0, 171}, v.DelegatedPool)
	}
	w.text(key{0, 172}, v.AddressPool)
	for _, a := range v.DNS {
		w.address(key{0, 169}, a)
	}
	for _, r := range v.Routes {
		w.text(key{0, 99}, routeText(r, "::"))
	}
}

// PrefixOctets is a prefix in the form of RFC 3162 section 2.3, as short as it can be.
func PrefixOctets(p netip.Prefix) []byte {
	a := p.Masked().Addr().As16()
	return append([]byte{0, byte(p.Bits())}, a[:(p.Bits()+7)/8]...)
}
