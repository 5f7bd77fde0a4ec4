package lns

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/trace"
)

// sessionName makes a name that no session on any node has had or will have. It ends with the ids, so that a node finds the
// session of a name of its own. Names rise with time, as text too, so that those of a process are neighbours in every index and
// the next one always comes last.
func (s *Server) sessionName(t l2tp.TunnelID, c l2tp.SessionID) string {
	return fmt.Sprintf("%s%08x-%d/%d", s.namePrefix(), s.serial.Add(1), t, c)
}

func (s *Server) namePrefix() string { return fmt.Sprintf("%s-%x-", s.deps.Node, s.boot) }

// localName returns the handle "12/7" of a session by its unique name; false when another node or an earlier process made it.
func (s *Server) localName(uid string) (string, bool) {
	rest, ours := strings.CutPrefix(uid, s.namePrefix())
	_, name, ok := strings.Cut(rest, "-")
	return name, ours && ok
}

// finish tells the log and accounting that the session is over.
func (c *call) finish(v trace.Verdict, now time.Time) {
	s := c.tunnel.server
	if c.entered {
		s.leave(c.uid)
	}
	if c.openSince.IsZero() {
		s.chatter.warn(c.log(), "session not opened", "phase", c.core.EndedIn().String(), "cause", v.String())
		return
	}
	s.counters.add(sessionsClosed)
	n := c.counters()
	c.log().Info("session closed", "cause", v.String(), "duration", now.Sub(c.openSince).Round(time.Second).String(),
		"rx_octets", n.RxOctets, "tx_octets", n.TxOctets)
	c.account(aaa.RecordStop, v, now)
}

// attempt records what came of the login.
func (c *call) attempt(v trace.Verdict, now time.Time) {
	if c.tunnel.server.deps.Attempts != nil {
		c.writeAttempt(v, now)
	}
}

// writeAttempt is a function of its own because it takes much of a stack, which is small as long as nobody calls it.
func (c *call) writeAttempt(v trace.Verdict, now time.Time) {
	s, t := c.tunnel.server, c.tunnel
	d, who := c.core.Decision(), c.subscriber()
	a := aaa.Attempt{
		At: now, Session: c.uid, Node: s.deps.Node,
		Name: c.core.Name(), Account: d.Account, Domain: d.Domain, Method: c.core.Method(),
		Peer: t.path.Remote, TunnelName: t.core.Peer().HostName,
		OK: v.Cause == trace.LoggedIn, Phase: c.core.Phase().String(), Address: c.core.Lease().Address, Took: now.Sub(c.since),
		Cause: v.Cause.Name(), Backend: d.Backend, Pool: c.core.Lease().Pool, Why: c.core.Lease().Why,
		Vendor: t.core.Peer().Vendor, Group: t.group.Name, VirtualTemplate: c.template,
		CallingNumber: c.request.CallingNumber, CalledNumber: c.request.CalledNumber,
		LocalTunnel: uint16(t.id), LocalSession: uint16(c.id),
		IPv6: aaa.RecordIPv6{Prefix: who.link, Delegated: who.delegated, InterfaceID: c.interfaceID},
	}
	if !a.OK {
		a.Phase, a.Verdict, a.Detail = c.core.EndedIn().String(), v.String(), v.Detail
	}
	if story := c.story; story != nil {
		story.Complete(&a)
	}
	s.deps.Attempts.Log(a)
}

// subscriber is whom the records of a session are about.
type subscriber struct {
	name, account, domain, backend, pool string
	method                               aaa.Method
	address                              netip.Addr
	link, delegated                      netip.Prefix
}

func (c *call) subscriber() subscriber {
	d, lease := c.core.Decision(), c.core.Lease()
	who := subscriber{c.core.Name(), d.Account, d.Domain, d.Backend, lease.Pool, c.core.Method(), lease.Address, netip.Prefix{}, netip.Prefix{}}
	if six := c.core.Prefixes(); six.Link.Address.IsValid() {
		who.link = six.Link.Prefix()
		if six.Delegated.Address.IsValid() {
			who.delegated = six.Delegated.Prefix()
		}
	}
	return who
}

// marks are what else the decision has for the records of a session.
type marks struct {
	userName string
	class    [][]byte
	cui      []byte
	sinks    []string // those that were told the Start: they are told the Stop too, wherever new sessions' records go by then
}

func marksOf(d aaa.Decision) marks { return marks{d.UserName, d.Class, d.CUI, d.Accounting} }

// opened begins the records of a session that has just entered the data path. One that is open again after the peer has logged
// in anew goes on, unless it is another subscriber now: then the records of the first end.
func (c *call) opened(now time.Time) {
	s, who := c.tunnel.server, c.subscriber()
	if !c.openSince.IsZero() {
		if c.who == who {
			sinks := c.marks.sinks
			c.marks = marksOf(c.core.Decision())
			c.marks.sinks = sinks
			return
		}
		c.account(aaa.RecordStop, trace.Because(trace.PeerTerminated, "the peer logged in again as %s", who.account), now)
		c.before = datapath.Counters{}
		c.logins, c.records = c.logins+1, 0
	}
	c.who, c.marks, c.openSince = who, marksOf(c.core.Decision()), now
	s.counters.add(sessionsOpened)
	c.tunnel.mail.hurry() // who is in is answered before those who come
	s.reconnects.add(who.account, now)
	c.attempt(trace.Verdict{Cause: trace.LoggedIn}, now)
	c.account(aaa.RecordStart, trace.Verdict{}, now)
}

// recordName is what accounting calls the session.
func (c *call) recordName() string {
	if c.logins == 0 {
		return c.uid
	}
	return fmt.Sprintf("%s+%d", c.uid, c.logins)
}

// account writes an accounting record, and sets the time of the next.
func (c *call) account(kind aaa.RecordKind, v trace.Verdict, now time.Time) {
	s, t := c.tunnel.server, c.tunnel
	c.interimBy = nextInterim(kind, c.core.Decision().Interim, now)
	if s.deps.Accounter == nil {
		return
	}
	c.records++
	n := c.counters()
	r := aaa.Record{
		Kind: kind, Sequence: c.records, Session: c.recordName(), Node: s.deps.Node, At: now, Started: c.openSince,
		Name: c.who.name, Account: c.who.account, Domain: c.who.domain, Method: c.who.method, Backend: c.who.backend,
		Address: c.who.address, Pool: c.who.pool, VirtualTemplate: c.template,
		IPv6: aaa.RecordIPv6{Prefix: c.who.link, Delegated: c.who.delegated, InterfaceID: c.interfaceID},
		Peer: t.path.Remote, Local: t.path.Local, TunnelName: t.core.Peer().HostName,
		LocalTunnel: uint16(t.id), RemoteTunnel: uint16(t.core.Peer().Tunnel), LocalSession: uint16(c.id), RemoteSession: uint16(c.peer),
		CallingNumber: c.request.CallingNumber, CalledNumber: c.request.CalledNumber,
		LocalName: t.group.LocalName, CallSerial: c.request.CallSerial, TxSpeed: uint64(c.txSpeed), RxSpeed: uint64(c.rxSpeed),
		UserName: c.marks.userName, Class: c.marks.class, CUI: c.marks.cui, Sinks: c.marks.sinks,
		RxPackets: n.RxPackets, RxOctets: n.RxOctets, TxPackets: n.TxPackets, TxOctets: n.TxOctets,
	}
	if kind == aaa.RecordStop {
		r.Terminate, r.Reason = terminateCause(v.Cause), v.String()
	}
	s.deps.Accounter.Account(r)
}

// tellSoon has servers know by now what has changed, and not at the next interval. A peer that makes things change at its pace does
// not make records at its pace.
func (c *call) tellSoon(now time.Time) {
	if at := c.told.Add(newsGap); now.Before(at) {
		c.interimBy = earlier(c.interimBy, at)
		return
	}
	c.told = now
	c.account(aaa.RecordInterim, trace.Verdict{}, now)
}

// newsGap is the least time between two records that are out of their turn.
const newsGap = 30 * time.Second

// nextInterim is when the record that follows is due; zero when none is. The records of sessions that began together, as after
// a power cut, spread over time: the first comes in the last third of its interval, the others within a tenth of theirs.
func nextInterim(after aaa.RecordKind, interval time.Duration, now time.Time) time.Time {
	if interval <= 0 || after == aaa.RecordStop {
		return time.Time{}
	}
	from, spread := interval-interval/10, interval/5
	if after == aaa.RecordStart {
		from, spread = interval-interval/3, interval/3
	}
	return now.Add(from + rand.N(spread+1))
}

// terminateCause is a verdict in the numbers of RFC 2866 section 5.10.
func terminateCause(c trace.Cause) aaa.TerminateCause {
	switch c.General() {
	case trace.PeerTerminated, trace.CallClosed, trace.PeerClosedIPCP:
		return aaa.TerminateUserRequest
	case trace.EchoLost, trace.TunnelLost:
		return aaa.TerminateLostCarrier
	case trace.TunnelClosed:
		return aaa.TerminateLostService
	case trace.IdleTimeout:
		return aaa.TerminateIdleTimeout
	case trace.SessionTimeout:
		return aaa.TerminateSessionTimeout
	case trace.Kicked, trace.Requested:
		return aaa.TerminateAdminReset
	case trace.Shutdown:
		return aaa.TerminateAdminReboot
	case trace.DataPathFault:
		return aaa.TerminatePortError
	case trace.AddressFault:
		return aaa.TerminateNASError
	case trace.AccountChanged, trace.TunnelShutdown:
		return aaa.TerminateNASRequest
	case trace.Displaced:
		return aaa.TerminatePortPreempted
	case trace.IPCPNoAnswer, trace.IPCPNotConverging, trace.IPCPRejected:
		return aaa.TerminateServiceUnavailable
	case trace.AuthenticationRejected, trace.AuthenticationNoAnswer, trace.ChallengeNoAnswer:
		return aaa.TerminateUserError
	default:
		return aaa.TerminateUnknown
	}
}
