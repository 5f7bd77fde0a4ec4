package session

import (
	"net/netip"
	"time"

	"lnsgate/lns/ppp"
)

// wishTimeout is how long a peer that may choose its address has to say which. Most say it right behind the end of the login;
// one that waits for us to speak first gets an address of the pools.
const wishTimeout = 3 * time.Second

// askAddress wants a lease, at once or as soon as the peer has said which it wants.
func (s *Session) askAddress(now time.Time, out *Out) {
	if !s.decision.AddressByPeer || s.decision.Address.IsValid() || !s.lacksIPv4() {
		s.askLease(netip.Addr{}, now, out)
		return
	}
	s.moving().wishBy = now.Add(wishTimeout)
	s.hearWish(now, out)
}

// askLease wants a lease of exactly the wish, or of what the decision says when there is none.
func (s *Session) askLease(wish netip.Addr, now time.Time, out *Out) {
	w := s.moving()
	w.wishBy, w.wish = time.Time{}, wish
	out.Address = &AddressAsk{Generation: s.await(now), Decision: &s.decision, Wish: wish,
		IPv4: s.lacksIPv4(), IPv6: s.lacksIPv6()}
}

// hearWish looks among the frames that came early for the peer's IPCP Configure-Request, if that is waited for.
func (s *Session) hearWish(now time.Time, out *Out) {
	w := s.way()
	if w.wishBy.IsZero() {
		return
	}
	for _, f := range w.early {
		if wish, spoken := addressWish(f); spoken {
			s.askLease(s.mayHave(wish), now, out)
			return
		}
	}
}

// addressWish reads the address that an IPCP Configure-Request asks for; zero when it leaves it to us (RFC 1332 section 3.3).
func addressWish(f ppp.Frame) (wish netip.Addr, spoken bool) {
	if f.Protocol != ppp.IPCP {
		return wish, false
	}
	p, err := ppp.ParsePacket(f.Packet)
	if err != nil || p.Code != ppp.ConfigureRequest || ppp.Options(p.Data).Check() != nil {
		return wish, false
	}
	for o := range ppp.Options(p.Data).All() {
		if o.Type == ppp.IPCPAddress {
			wish, _ = o.Address()
		}
	}
	return wish, true
}

// mayHave returns the wish if it can be the address of a peer at all, else zero.
func (s *Session) mayHave(wish netip.Addr) netip.Addr {
	switch {
	case !wish.Is4(), wish.IsUnspecified(), wish.IsLoopback(), wish.IsMulticast(), wish.IsLinkLocalUnicast():
	case wish.As4()[0] == 0, wish.As4()[0] >= 240, wish == s.policy.LocalAddress:
	default:
		return wish
	}
	return netip.Addr{}
}
