package lac

import (
	"net/netip"
	"time"

	"lnsgate/lns/datapath"
	"lnsgate/lns/negotiate"
	"lnsgate/lns/neighbour"
	"lnsgate/lns/ppp"
)

// IPv6 is what a call has of IPv6. Its fields are zero before the server has told them.
type IPv6 struct {
	Local, Router netip.Addr   // the link-local addresses of both ends
	Address       netip.Addr   // ours
	Prefix        netip.Prefix // of which it is made
	Delegated     netip.Prefix // for the networks behind us
	DNS           []netip.Addr
}

// openIPv6 starts IPv6CP.
func (l *link) openIPv6(now time.Time, out *linkOut) {
	l.six = negotiate.NewIPv6CP(negotiate.IPv6CPConfig{Timing: l.login.Timing})
	l.six.Open(now, &l.sixOut)
	l.six.Up(now, &l.sixOut)
	l.settleIPv6(now, out)
	l.replay(now, out, func(p ppp.Protocol) bool { return p == ppp.IPv6CP })
}

// receiveIPv6 takes IPv6CP, and packets.
func (l *link) receiveIPv6(f ppp.Frame, now time.Time, out *linkOut) {
	switch {
	case f.Protocol == ppp.IPv6CP && l.six == nil:
		l.keep(f, StageAddress)
	case f.Protocol == ppp.IPv6CP:
		l.six.Receive(f.Packet, now, &l.sixOut)
		l.settleIPv6(now, out)
	case l.neighbour == nil || l.leaving:
	case datapath.ForNeighbour(f.Packet):
		if l.neighbour.Receive(f.Packet) && l.knowsIPv6() {
			l.stage, out.up = StageUp, true
		}
	case l.stage == StageUp:
		out.packet = f.Packet
	}
}

// knowsIPv6 says whether the server has told all that it was asked for, or will not tell the rest.
func (l *link) knowsIPv6() bool {
	learnt := l.neighbour.Learnt()
	return learnt.Router.IsValid() && (l.neighbour.Done() || learnt.Delegated.IsValid() || !l.login.Delegated)
}

// settleIPv6 carries out what IPv6CP wants. Without IPv4 a call that cannot have IPv6 is over.
func (l *link) settleIPv6(now time.Time, out *linkOut) {
	o := l.sixOut
	l.sixOut = negotiate.Out{}
	out.frames = append(out.frames, o.Frames...)
	for _, change := range o.Changes {
		switch change {
		case negotiate.LayerUp:
			l.neighbour = neighbour.NewHost(neighbour.HostConfig{
				Local: l.six.Result().Local.LinkLocal(), Delegated: l.login.Delegated, DUID: l.duid(),
			}, now)
		case negotiate.LayerDown:
			l.neighbour = nil
			if l.login.NoIPv4 && l.stage == StageUp {
				l.stage, out.down = StageAddress, true
			}
		case negotiate.LayerFinished:
			if l.login.NoIPv4 {
				l.end(out, ending{cause: CauseNoAddress, byServer: true, detail: "the server gives no IPv6"})
			}
		}
	}
	if l.neighbour != nil {
		for _, p := range l.neighbour.Advance(now) {
			out.frames = append(out.frames, ppp.Frame{Protocol: ppp.IPv6, Packet: p})
		}
	}
}

// duid is who we are in DHCPv6: it is enough that it is the same in all messages of a call.
func (l *link) duid() []byte {
	id := [18]byte{1: 4} // a UUID (RFC 6355)
	copy(id[2:], l.login.User)
	return id[:]
}

func (l *link) advanceIPv6(now time.Time, out *linkOut) {
	if l.six != nil {
		l.six.Advance(now, &l.sixOut)
		l.settleIPv6(now, out)
	}
}

func (l *link) deadlineIPv6() time.Time {
	var d time.Time
	if l.six != nil {
		d = l.six.Deadline()
	}
	if l.neighbour != nil {
		d = sooner(d, l.neighbour.Deadline())
	}
	return d
}

// ipv6 is what the call has.
func (l *link) ipv6() IPv6 {
	if l.neighbour == nil {
		return IPv6{}
	}
	learnt := l.neighbour.Learnt()
	return IPv6{
		Local: l.six.Result().Local.LinkLocal(), Router: learnt.Router, Address: learnt.Address, Prefix: learnt.Link,
		Delegated: learnt.Delegated, DNS: learnt.DNS,
	}
}

// ipv4 is what IPCP has agreed on.
func (l *link) ipv4() negotiate.IPCPResult {
	if l.ipcp == nil {
		return negotiate.IPCPResult{}
	}
	return l.ipcp.Result()
}
