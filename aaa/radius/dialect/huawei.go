package dialect

import (
	"encoding/binary"
	"net/netip"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

// huawei is what VRP takes. Rates are in bits per second, input is from the user: "Upstream PIR, in bit/s" stands in the
// RADIUS attributes of the NetEngine 8000 for HW-Input-Peak-Information-Rate, and so for the others. There too a QoS profile
// that does not exist sends the user offline.
var huawei = family{
	wire.HuaweiInputAverageRate:   huaweiRate("Huawei-Input-Average-Rate", func(r *huaweiRates) **uint64 { return &r.average.up }),
	wire.HuaweiInputPeakRate:      huaweiRate("Huawei-Input-Peak-Rate", func(r *huaweiRates) **uint64 { return &r.peak.up }),
	wire.HuaweiOutputAverageRate:  huaweiRate("Huawei-Output-Average-Rate", func(r *huaweiRates) **uint64 { return &r.average.down }),
	wire.HuaweiOutputPeakRate:     huaweiRate("Huawei-Output-Peak-Rate", func(r *huaweiRates) **uint64 { return &r.peak.down }),
	wire.HuaweiQosProfileName:     changing(text("Huawei-Qos-Profile-Name", readProfile)),
	wire.HuaweiDownQOSProfileName: changing(text("Huawei-Down-QOS-Profile-Name", readDownProfile)),
	wire.HuaweiIPAddress:          number("Huawei-IP-Address", readHuaweiAddress),
	wire.HuaweiFramedPool:         text("Huawei-Framed-Pool", pool(ofHuawei)),
	wire.HuaweiFramedPoolGroup:    text("Huawei-Framed-Pool-Group", pool(ofHuawei)),
	wire.HuaweiVPNInstance:        text("Huawei-VPN-Instance", refuseVRF),
	wire.HuaweiPrimaryDNS:         address4("Huawei-Primary-DNS", server(0, ofHuawei, dns)),
	wire.HuaweiSecondaryDNS:       address4("Huawei-Secondary-DNS", server(1, ofHuawei, dns)),
	154:                           address6("Huawei-DNS-Server-IPv6-Address", readDNS6),
	158:                           address6("Huawei-Framed-IPv6-Address", readAddress6),
	wire.HuaweiDelegatedIPv6PrefixPool: text("Huawei-Delegated-IPv6-Prefix-Pool",
		name6(func(v *aaa.IPv6) *string { return &v.DelegatedPool })),
}

// huaweiRates are the committed and the peak rates.
type huaweiRates struct{ average, peak, profile rate }

func huaweiRate(name string, field func(*huaweiRates) **uint64) attribute {
	return changing(number(name, func(o *offer, n uint32) error { return setRate(field(&o.huawei), uint64(n)) }))
}

// rate takes the committed rate, and the peak where that is all there is; then what a profile says.
func (r *huaweiRates) rate() rate {
	said := func(p *uint64) bool { return p != nil }
	return rate{
		up:   first([]*uint64{r.average.up, r.peak.up, r.profile.up}, said),
		down: first([]*uint64{r.average.down, r.peak.down, r.profile.down}, said),
	}
}

// readProfile reads rates, up/down or one for both, where VRP has the name of a profile.
func readProfile(o *offer, s string) error {
	up, down, err := pair(s)
	if err != nil {
		return errNoProfile
	}
	o.huawei.profile.up = &up
	if o.huawei.profile.down == nil {
		o.huawei.profile.down = &down
	}
	return nil
}

func readDownProfile(o *offer, s string) error {
	n, err := scaled(s, bits1000)
	if err != nil {
		return errNoProfile
	}
	return setRate(&o.huawei.profile.down, n)
}

// readHuaweiAddress: the attribute is a number, and its value an address.
func readHuaweiAddress(o *offer, n uint32) error {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	a := netip.AddrFrom4(b)
	if err := usable(a); err != nil {
		return err
	}
	o.addresses[ofHuawei] = a
	return nil
}
