package dialect

import (
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"strings"
	"time"
)

// standard is the attributes without a vendor: RFC 2865, 2868, 2869 and 4372, and those of IPv6.
var standard = join(family{
	6:  number("Service-Type", readServiceType),
	7:  number("Framed-Protocol", readFramedProtocol),
	8:  address4("Framed-IP-Address", readFramedAddress),
	9:  address4("Framed-IP-Netmask", readNetmask),
	11: changing(text("Filter-Id", readFilter)),
	12: number("Framed-MTU", readMTU),
	18: text("Reply-Message", func(o *offer, s string) error { o.messages = append(o.messages, s); return nil }),
	1:  text("User-Name", func(o *offer, s string) error { o.userName = s; return nil }),
	22: text("Framed-Route", readFramedRoute),
	25: changing(octets("Class", func(o *offer, b []byte) { o.class = append(o.class, b) })),
	27: changing(number("Session-Timeout", seconds(func(o *offer) **time.Duration { return &o.session }))),
	28: changing(number("Idle-Timeout", seconds(func(o *offer) **time.Duration { return &o.idle }))),
	29: number("Termination-Action", readTerminationAction),
	62: number("Port-Limit", readPortLimit),
	64: tagged("Tunnel-Type", readTunnelType),
	85: changing(number("Acct-Interim-Interval", seconds(func(o *offer) **time.Duration { return &o.interim }))),
	88: text("Framed-Pool", pool(ofStandard)),
	92: text("NAS-Filter-Rule", refuseRules),
	89: octets("Chargeable-User-Identity", func(o *offer, b []byte) { o.cui = b }),
}, sixes)

// join puts two families together.
func join(a, b family) family {
	for kind, row := range b {
		a[kind] = row
	}
	return a
}

// readServiceType refuses services that are not ours (RFC 2865 section 5.6: an unknown or unsupported one is a reject).
func readServiceType(_ *offer, n uint32) error {
	const framed = 2
	if n != framed {
		return errors.New("this server gives the service Framed (2) and no other")
	}
	return nil
}

func readFramedProtocol(_ *offer, n uint32) error {
	const ppp = 1
	if n != ppp {
		return errors.New("this server speaks PPP (1) and nothing else")
	}
	return nil
}

// readFramedAddress takes the two magic values of RFC 2865 section 5.8 as they are.
func readFramedAddress(o *offer, a netip.Addr) error {
	if a != nasChooses && a != userChooses {
		if err := usable(a); err != nil {
			return err
		}
	}
	o.addresses[ofStandard] = a
	return nil
}

// usable says why nobody can have an address.
func usable(a netip.Addr) error {
	if a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || a.Is4() && a.As4()[0] >= 240 || a.Is4() && a.As4()[0] == 0 {
		return errors.New("no host can have this address; 255.255.255.254 leaves the choice to the pools")
	}
	return nil
}

// readNetmask takes the mask of the network behind the user (RFC 2865 section 5.9).
func readNetmask(o *offer, a netip.Addr) error {
	length, ok := maskLength(a)
	switch {
	case !ok:
		return errors.New("it is not a mask: ones come first, then zeroes")
	case length == 0:
		return errors.New("it would send all traffic to one user")
	}
	o.bits = &length
	return nil
}

// maskLength counts the ones of a mask.
func maskLength(a netip.Addr) (int, bool) {
	if !a.Is4() {
		return 0, false
	}
	b := a.As4()
	mask := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	length := bits.LeadingZeros32(^mask)
	return length, length+bits.TrailingZeros32(mask) == 32 || mask == 0
}

// readMTU takes what RFC 2865 section 5.12 allows.
func readMTU(o *offer, n uint32) error {
	if n < 64 || n > 65535 {
		return errors.New("it must be 64 to 65535 octets")
	}
	o.mtu = int(n)
	return nil
}

func seconds(field func(*offer) **time.Duration) func(*offer, uint32) error {
	return func(o *offer, n uint32) error {
		d := time.Duration(n) * time.Second
		*field(o) = &d
		return nil
	}
}

// readTerminationAction: both values are fine, for to ask anew at the end is allowed and not demanded (RFC 2865 section
// 5.29).
func readTerminationAction(_ *offer, n uint32) error {
	if n > 1 {
		return errors.New("it must be 0 or 1")
	}
	return nil
}

func readPortLimit(o *offer, n uint32) error {
	if n == 0 {
		return errors.New("a limit of no session at all lets nobody in; leave it out for no limit")
	}
	o.portLimit = int(min(n, 1<<30))
	return nil
}

// tagged is a number of three octets behind a tag (RFC 2868 section 3.1).
func tagged(name string, read func(*offer, uint32) error) attribute {
	return number(name, func(o *offer, n uint32) error { return read(o, n&0xffffff) })
}

// readTunnelType refuses to carry on what should be tunnelled to elsewhere. The types beyond those of RFC 2868 section 3.1
// that carry PPP, such as VLAN, are for other equipment and are left alone.
func readTunnelType(_ *offer, n uint32) error {
	names := map[uint32]string{1: "PPTP", 2: "L2F", 3: "L2TP"}
	if name := names[n]; name != "" {
		return fmt.Errorf("this server ends tunnels and cannot send the user on by %s", name)
	}
	return nil
}

// pool reads the name of a pool of ours.
func pool(dialect int) func(*offer, string) error {
	return func(o *offer, name string) error {
		o.pools[dialect] = append(o.pools[dialect], name)
		return nil
	}
}

// refuseRules: to carry on would let through what the operator wants stopped.
func refuseRules(*offer, string) error {
	return errors.New("filters are named, not sent rule by rule; put the rules into a filter and name it in Filter-Id")
}

// readFilter takes the name of a filter, or rates as accel-ppp has them: down/up in kbit/s, or with the suffix M or G
// (https://docs.accel-ppp.org/configuration/shaper.html: 2000/3000 is 2000 kbit/s down and 3000 kbit/s up). A number alone is a
// name: the access lists of other equipment are called so.
func readFilter(o *offer, s string) error {
	former, latter, both := strings.Cut(s, "/")
	down, err := scaled(former, kilobits)
	up, err2 := scaled(latter, kilobits)
	if !both || err != nil || err2 != nil {
		o.filters = append(o.filters, s)
		return nil
	}
	o.rates[ofFilter] = rate{up: &up, down: &down}
	return nil
}
