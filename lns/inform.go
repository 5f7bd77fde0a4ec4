package lns

import (
	"net/netip"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/datapath"
	"lnsgate/lns/inform"
	"lnsgate/lns/ppp"
	"lnsgate/lns/session"
)

// A client asks five times in a row when it gets no answer; who asks much more often is not answered every time.
const (
	mostInforms  = 8
	informWindow = 15 * time.Second
)

// informs counts the questions of one session.
type informs struct {
	count int
	since time.Time
}

func (i *informs) allow(now time.Time) bool {
	if now.Sub(i.since) >= informWindow {
		i.count, i.since = 0, now
	}
	i.count++
	return i.count <= mostInforms
}

// asksByDHCP finds a question to a DHCP server among the frames that the data path has no use for.
func asksByDHCP(protocol ppp.Protocol, packet []byte) bool {
	return protocol == ppp.IPv4 && datapath.AsksByDHCP(packet)
}

// inform answers a DHCPINFORM with what the session's domain has for its clients; false when the frame is none.
func (c *call) inform(octets []byte, now time.Time) bool {
	protocol, packet, err := ppp.ParseFrame(octets)
	if err != nil || !asksByDHCP(protocol, packet) {
		return false
	}
	s := c.tunnel.server
	t := s.config.Load().template(c.template)
	if c.core.Phase() != session.Open || !c.attached.IsValid() || t == nil || !c.informs.allow(now) {
		s.counters.add(dropInform)
		return true
	}
	d := c.core.Decision()
	answer, err := inform.Answer(packet, inform.Facts{
		Server: t.Address, Peer: c.core.Lease().Address, Routes: d.ClientRoutes, Suffix: d.DNSSuffix,
		DNS: given(d.DNS, t.DNS), NBNS: given(d.NBNS, t.NBNS), Limit: int(c.core.Link().PeerMRU),
	})
	if err != nil {
		s.counters.add(dropInform)
		c.log().Debug("a question by DHCP is not answered", "cause", err)
		return true
	}
	s.counters.add(informsAnswered)
	c.send(ppp.Frame{Protocol: ppp.IPv4, Packet: answer})
	return true
}

// given are the servers of the decision, or else those of the template.
func given(own, fallback [2]netip.Addr) (list []netip.Addr) {
	if !own[0].IsValid() && !own[1].IsValid() {
		own = fallback
	}
	for _, a := range own {
		if a.IsValid() {
			list = append(list, a)
		}
	}
	return list
}

// overUs takes the routes out of a decision that lead to us rather than to the peer: a RADIUS server writes our address as
// their gateway. They are told to the peer.
func overUs(d *aaa.Decision, server netip.Addr) error {
	var behind []aaa.Route
	for _, r := range d.Routes {
		switch {
		case !r.Gateway.IsValid():
			behind = append(behind, r)
		case r.Gateway == server:
			d.ClientRoutes = append(d.ClientRoutes[:len(d.ClientRoutes):len(d.ClientRoutes)], r.Prefix)
		default:
			return aaa.Reject(aaa.Misconfigured, "Framed-Route %s: the gateway %s is neither the user's address, nor behind the user, nor "+
				"that of the virtual template (%s); write 0.0.0.0 for the user", r.Prefix, r.Gateway, server)
		}
	}
	d.Routes = behind
	return nil
}
