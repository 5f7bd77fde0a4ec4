package neighbour

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// The ICMPv6 messages of RFC 4861 section 4 and RFC 4443 section 4.
const (
	typeEchoRequest           = 128
	typeEchoReply             = 129
	typeRouterSolicitation    = 133
	typeRouterAdvertisement   = 134
	typeNeighbourSolicitation = 135
	typeNeighbourAdvert       = 136

	optionPrefix = 3
	optionMTU    = 5
	optionRoute  = 24 // RFC 4191 section 2.3
	optionRDNSS  = 25 // RFC 8106 section 5.1

	flagManaged    = 0x80 // of a router advertisement: addresses are to be had by DHCPv6
	flagOther      = 0x40 // other things are
	flagOnLink     = 0x80 // of a prefix
	flagAutonomous = 0x40

	// curHops is the hop limit that hosts are to use (RFC 4861 section 4.2).
	curHops = 64
)

// advert is a router advertisement, as far as it is used here.
type advert struct {
	managed, other bool
	lifetime       time.Duration // as a default router
	prefix         netip.Prefix  // invalid: none
	autonomous     bool          // hosts make addresses of the prefix
	preferred      time.Duration
	valid          time.Duration
	mtu            int // 0: not said
	dns            []netip.Addr
	dnsLifetime    time.Duration
	routes         []netip.Prefix // through us, as long as we are a default router
}

// bytes writes the message (RFC 4861 section 4.2):
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     Type      |     Code      |          Checksum             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Cur Hop Limit |M|O|  Reserved |       Router Lifetime         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         Reachable Time                        |
//	|                          Retrans Timer                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Options ...
//
// The prefix is not on the link: it is the peer's alone, and there is nobody else to look for there (RFC 8273 section 4).
func (a advert) bytes() []byte {
	b := make([]byte, 16, 96)
	b[0], b[4] = typeRouterAdvertisement, curHops
	if a.managed {
		b[5] |= flagManaged
	}
	if a.other {
		b[5] |= flagOther
	}
	binary.BigEndian.PutUint16(b[6:], uint16(a.lifetime/time.Second))
	if a.prefix.IsValid() {
		flags := byte(0)
		if a.autonomous {
			flags = flagAutonomous
		}
		b = append(b, optionPrefix, 4, byte(a.prefix.Bits()), flags)
		b = binary.BigEndian.AppendUint32(b, uint32(a.valid/time.Second))
		b = binary.BigEndian.AppendUint32(b, uint32(a.preferred/time.Second))
		network := a.prefix.Masked().Addr().As16()
		b = append(append(b, 0, 0, 0, 0), network[:]...)
	}
	if a.mtu > 0 {
		b = binary.BigEndian.AppendUint32(append(b, optionMTU, 1, 0, 0), uint32(a.mtu))
	}
	if len(a.dns) > 0 {
		b = append(b, optionRDNSS, byte(1+2*len(a.dns)), 0, 0)
		b = binary.BigEndian.AppendUint32(b, uint32(a.dnsLifetime/time.Second))
		for _, s := range a.dns {
			octets := s.As16()
			b = append(b, octets[:]...)
		}
	}
	for _, r := range a.routes {
		b = appendRoute(b, r, a.lifetime)
	}
	return b
}

// appendRoute writes a Route Information option of medium preference, with no more of the prefix than counts.
func appendRoute(b []byte, r netip.Prefix, lifetime time.Duration) []byte {
	units := (r.Bits() + 63) / 64
	b = append(b, optionRoute, byte(1+units), byte(r.Bits()), 0)
	b = binary.BigEndian.AppendUint32(b, uint32(lifetime/time.Second))
	network := r.Masked().Addr().As16()
	return append(b, network[:8*units]...)
}

// readRoute reads one; false when it is none that counts.
func readRoute(o []byte) (netip.Prefix, bool) {
	if len(o) < 8 || len(o) > 24 || int(o[2]) > 8*(len(o)-8) {
		return netip.Prefix{}, false
	}
	var network [16]byte
	copy(network[:], o[8:])
	return netip.PrefixFrom(netip.AddrFrom16(network), int(o[2])).Masked(), true
}

// parseAdvert reads a router advertisement. Only the first prefix is kept.
func parseAdvert(b []byte) (a advert, ok bool) {
	if len(b) < 16 || b[0] != typeRouterAdvertisement || b[1] != 0 {
		return a, false
	}
	a.managed, a.other = b[5]&flagManaged != 0, b[5]&flagOther != 0
	a.lifetime = time.Duration(binary.BigEndian.Uint16(b[6:])) * time.Second
	for rest := b[16:]; len(rest) > 0; {
		if len(rest) < 2 || rest[1] == 0 || int(rest[1])*8 > len(rest) {
			return advert{}, false // RFC 4861 section 6.1.2
		}
		o := rest[:int(rest[1])*8]
		rest = rest[len(o):]
		switch {
		case o[0] == optionPrefix && len(o) == 32 && o[2] <= 128 && !a.prefix.IsValid():
			a.prefix = netip.PrefixFrom(netip.AddrFrom16([16]byte(o[16:])), int(o[2])).Masked()
			a.autonomous = o[3]&flagAutonomous != 0
			a.valid, a.preferred = seconds(o[4:]), seconds(o[8:])
		case o[0] == optionRoute:
			if r, ok := readRoute(o); ok {
				a.routes = append(a.routes, r)
			}
		case o[0] == optionMTU && len(o) == 8:
			a.mtu = int(binary.BigEndian.Uint32(o[4:]))
		case o[0] == optionRDNSS && len(o) >= 24:
			a.dnsLifetime = seconds(o[4:])
			for s := o[8:]; len(s) >= 16; s = s[16:] {
				a.dns = append(a.dns, netip.AddrFrom16([16]byte(s)))
			}
		}
	}
	return a, true
}

func seconds(b []byte) time.Duration { return time.Duration(binary.BigEndian.Uint32(b)) * time.Second }

// soundOptions says whether the options of a message can be read to their end (RFC 4861 section 6.1.1).
func soundOptions(b []byte) bool {
	for len(b) > 0 {
		if len(b) < 2 || b[1] == 0 || int(b[1])*8 > len(b) {
			return false
		}
		b = b[int(b[1])*8:]
	}
	return true
}
