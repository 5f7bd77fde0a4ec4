package lns

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/control"
	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/recorder"
	"lnsgate/lns/session"
	"lnsgate/lns/trace"
)

// call is one session and what the engine holds for it. The goroutine of its tunnel owns it.
type call struct {
	tunnel   *tunnel
	uid      string          // unique over all nodes and restarts
	pending  place           // among those that have not logged in
	story    *recorder.Story // until the session opens
	id, peer l2tp.SessionID
	request  l2tp.ICRQ
	core     *session.Session
	template string
	filter   *datapath.Filter // of the decision
	who      subscriber       // since it opened
	marks    marks            // since it opened
	routed   []aaa.Route      // the host leads them to the peer
	attached netip.Addr       // the host leads it to the peer; zero: none

	interfaceID uint64            // the peer's, when IPv6 was up last
	logins      int               // how often it has opened for another account than before
	records     uint32            // accounting records so far
	carrier     datapath.Session  // nil while user traffic does not flow
	before      datapath.Counters // of earlier stays in the data path

	txSpeed, rxSpeed uint32 // of the line behind the LAC, bits per second; 0 = not said

	sequenced bool
	nextNs    uint16 // while carrier is nil

	stopAsking context.CancelFunc // of the login or lease that is being asked for; nil: none

	debts            debts
	informs          informs
	entered          bool // in the registry
	unanswered       bool // our last LCP Echo-Request
	missed           bool // and the one before
	since, openSince time.Time
	interimBy        time.Time // the next interim accounting record; zero: none
	told             time.Time // when one was made out of its turn
	dueAt            time.Time
	dueIndex         int // in tunnel.due; -1 when not there
}

// callRequested answers an ICRQ.
func (t *tunnel) callRequested(a control.CallRequested, now time.Time) {
	story := t.begin(now)
	refuse := func(r l2tp.ResultCode, v trace.Verdict) {
		t.server.chatter.warn(t.log, "call refused", "cause", v.String())
		t.stepFor(story, now, func(o *control.Out) { t.core.RefuseCall(a.PeerSession, r, now, o) })
		if story != nil && story.End(now, v) {
			t.server.logStranger(t, story, v, now)
		}
	}
	s, config := t.server, t.server.config.Load()
	policy := config.policies[policyKey{t.group.Name, t.group.Template, t.profile}]
	switch {
	case s.closing.Load():
		refuse(l2tp.ResultCode{Result: l2tp.CDNAdministrative, Message: "shutting down"}, trace.Verdict{Cause: trace.Shutdown})
		return
	case s.sessions.Load() >= int64(config.Limits.Sessions) && !s.evictPending():
		refuse(l2tp.ResultCode{Result: l2tp.CDNError, Error: l2tp.ErrTryAnother, Message: "too many sessions"},
			trace.Because(trace.TooManySessions, "the limit of %d sessions is reached (limits.sessions)", config.Limits.Sessions))
		return
	case policy == nil:
		refuse(l2tp.ResultCode{Result: l2tp.CDNNoFacilities, Message: "not configured"},
			trace.Because(trace.NoGroup, "l2tp group %s is no longer in the configuration", t.group.Name))
		return
	}
	c := &call{tunnel: t, id: t.freeID(), peer: a.PeerSession, request: a.Call, core: session.New(policy),
		template: t.group.Template, since: now, story: story, dueIndex: -1}
	if t.calls == nil {
		t.calls = make(map[l2tp.SessionID]*call)
	}
	c.uid = s.sessionName(t.id, c.id)
	c.core.CallFrom(a.Call.CallingNumber)
	c.introduce()
	t.calls[c.id] = c
	s.pending.enter(c, &c.pending, t.path.Remote.Addr(), 0)
	t.idleSince = time.Time{}
	s.sessions.Add(1)
	t.stepFor(story, now, func(o *control.Out) {
		if err := t.core.AcceptCall(c.id, c.peer, now, o); err != nil {
			c.lost(trace.Because(trace.CallRefused, "%v", err), now)
		}
	})
}

// evictPending ends a call whose peer has not logged in yet, to make room for another; false when all have.
func (s *Server) evictPending() bool {
	c, ok := s.pending.evict(1)
	if !ok {
		return false
	}
	c.tunnel.mail.post(newQuestion(func(t *tunnel, now time.Time) {
		if t.calls[c.id] == c {
			c.drop(trace.Because(trace.MadeRoom, "room is needed, there may be %d sessions (limits.sessions)", t.server.config.Load().Limits.Sessions), now)
		}
	}), false)
	return true
}

// freeID is a session id that no call of the tunnel has. Ids go up, so that late datagrams of an ended session meet nobody.
func (t *tunnel) freeID() l2tp.SessionID {
	for {
		t.lastID++
		if t.lastID == 0 || t.lastID == control.RefusalSession {
			continue
		}
		if _, taken := t.calls[t.lastID]; !taken {
			return t.lastID
		}
	}
}

func (c *call) log() *slog.Logger {
	if name := c.core.Name(); name != "" {
		return c.tunnel.log.With("session", c.id, "user", name)
	}
	return c.tunnel.log.With("session", c.id)
}

// name is the handle of the session: unique among those that live on this node.
func (c *call) name() string { return fmt.Sprintf("%d/%d", c.tunnel.id, c.id) }

// start follows the ICCN.
func (c *call) start(connected l2tp.ICCN, now time.Time) {
	c.txSpeed, c.rxSpeed = connected.TxSpeed, cmp.Or(connected.RxSpeed, connected.TxSpeed)
	c.notedProxy(connected, now)
	c.sequenced = connected.SequencingRequired || c.tunnel.group.AlwaysSequence
	c.step(now, func(o *session.Out) { c.core.Start(connected, now, o) })
}

func (c *call) frame(octets []byte, now time.Time) {
	c.heard(octets, now)
	c.step(now, func(o *session.Out) {
		if !c.core.Frame(octets, now, o) {
			c.tunnel.server.counters.add(dropFrame)
		}
	})
}

func (c *call) advance(now time.Time) {
	if due(c.interimBy, now) {
		c.account(aaa.RecordInterim, trace.Verdict{}, now)
	}
	c.step(now, func(o *session.Out) { c.core.Advance(now, c.activity(), o) })
}

func (c *call) activity() session.Activity {
	if c.carrier == nil {
		return session.Activity{}
	}
	n := c.carrier.Counters()
	return session.Activity{LastRx: n.LastRx, LastTx: n.LastTx}
}

// close ends the session politely.
func (c *call) close(v trace.Verdict, now time.Time) {
	c.step(now, func(o *session.Out) { c.core.Close(v, now, o) })
}

// lost ends the session whose call is already gone.
func (c *call) lost(v trace.Verdict, now time.Time) {
	c.step(now, func(o *session.Out) { c.core.Lost(v, now, o) })
}

func (c *call) authenticated(a loginAnswer, now time.Time) {
	c.entered = c.entered || a.entered
	c.notedAnswer(&a, now)
	if !c.core.Awaits(a.generation) {
		return
	}
	if a.err == nil {
		a.err = c.admit(&a.decision)
	}
	if a.err == nil {
		c.tunnel.server.pending.leave(&c.pending)
	}
	c.step(now, func(o *session.Out) { c.core.Authenticated(a.generation, a.decision, a.err, now, o) })
}

// admit has the session become what the decision says, as far as that shows before it opens.
func (c *call) admit(d *aaa.Decision) error {
	s := c.tunnel.server
	filter, err := s.config.Load().filter(d.Filter)
	if err != nil {
		return err
	}
	if err := c.overUs(d); err != nil {
		return err
	}
	routes, leftOut, err := s.claimRoutes(c.uid, c.tunnel.path.Remote.Addr(), bothFamilies(d))
	if err != nil {
		return err
	}
	for _, cause := range leftOut {
		c.log().Warn("the network of a netmask is not led to the peer", "cause", cause)
	}
	d.Routes, d.IPv6.Routes = byFamily(routes)
	c.filter = filter
	return c.rebind(*d)
}

// overUs sorts out the routes that lead to us, on the virtual template that the session will be on.
func (c *call) overUs(d *aaa.Decision) error {
	t := c.tunnel.server.config.Load().template(cmp.Or(d.VirtualTemplate, c.tunnel.group.Template))
	if t == nil {
		return nil // rebind says so
	}
	return overUs(d, t.Address)
}

// rebind puts the session on the virtual template that its domain names, or else on that of its group.
func (c *call) rebind(d aaa.Decision) error {
	group := c.tunnel.group
	template := cmp.Or(d.VirtualTemplate, group.Template)
	policy := c.tunnel.server.config.Load().policies[policyKey{group.Name, template, c.tunnel.profile}]
	if policy == nil {
		return aaa.Reject(aaa.Misconfigured, "domain %q names the virtual template %q, which this server does not have", d.Domain, template).For(aaa.NoSuchTemplate)
	}
	c.template = template
	c.core.Rebind(policy)
	return nil
}

func (c *call) leased(a leaseAnswer, now time.Time) {
	c.notedLease(&a, now)
	c.takePrefixes(a)
	used := false
	c.step(now, func(o *session.Out) { used = c.core.Leased(a.generation, a.lease, a.err, now, o) })
	if !used && a.lease.Address.IsValid() {
		c.decline(a.lease)
	}
}

// step lets the session act and carries out what it asks for.
func (c *call) step(now time.Time, act func(*session.Out)) {
	var out session.Out
	act(&out)
	if out.Suspend {
		c.suspend()
	}
	// The data path is there before the answer that lets the peer send: its first packet may come right behind.
	if out.Open != nil && out.End == nil && !c.open(*out.Open, now) {
		out.Frames = nil // what would have opened the session at the peer
	}
	for _, f := range out.Frames {
		c.said(f, now)
		c.send(f)
	}
	c.keepStory(now)
	if out.Ask != nil {
		c.notedAsk(*out.Ask, now)
		c.ask(*out.Ask)
	}
	if out.End != nil {
		c.ended(*out.End, now)
	}
	c.giveBack(out.Returns...) // after the last record: the next holder's first one must not come before it
	if out.Address != nil {
		c.askAddress(*out.Address)
	}
	c.settle()
	if c.core.Phase() != session.Ended {
		c.tunnel.due.set(c, onStroke(earlier(c.core.Deadline(), c.interimBy), now))
	}
}

// ended takes the session out of everything. Its lease is on the way back and its data path closed already.
func (c *call) ended(e session.End, now time.Time) {
	t := c.tunnel
	if t.calls[c.id] != c {
		return
	}
	delete(t.calls, c.id)
	t.server.claims.release(c.uid)
	if c.stopAsking != nil {
		c.note(now, trace.Step{Stage: trace.StageAuthentication, Actor: trace.LNS, What: "no answer", Detail: "what was asked last is not waited for any more"})
	}
	c.giveUpAsking()
	t.server.pending.leave(&c.pending)
	t.due.set(c, time.Time{})
	t.server.sessions.Add(-1)
	if len(t.calls) == 0 {
		t.idleSince = now
	}
	c.finish(e.Verdict, now)
	if !e.PeerKnows {
		t.stepFor(c.tale(), now, func(o *control.Out) { t.core.CloseCallFor(c.id, e.Result, e.Cause, now, o) })
	}
	c.endStory(e.Verdict, now)
}

// ask has a login checked, away from this goroutine.
func (c *call) ask(a session.Ask) {
	t := c.tunnel
	s := t.server
	request := c.question()
	request.Name, request.Proof, request.Backend, request.MTU = a.Name, a.Proof, a.Backend, a.MTU
	ctx := c.asking(s.config.Load().Limits.AuthenticationTimeout)
	if !s.work.try(func() { s.check(ctx, t, c, a.Generation, request) }) {
		err := aaa.Reject(aaa.BackendUnavailable, "too many logins wait to be checked (limits.waiting_authentications)").For(aaa.TooManyChecks)
		t.mail.post(loginAnswer{call: c, generation: a.Generation, err: err}, false)
	}
}

// question is what AAA is told of the session, whatever is asked about it.
func (c *call) question() *aaa.Request {
	t := c.tunnel
	return &aaa.Request{
		Attempt:         c.uid,
		Session:         c.recordName(),
		Peer:            t.path.Remote,
		TunnelName:      t.core.Peer().HostName,
		Group:           t.group.Name,
		VirtualTemplate: t.group.Template,
		CallingNumber:   c.request.CallingNumber,
		CalledNumber:    c.request.CalledNumber,
		Local:           t.path.Local,
		LocalName:       t.group.LocalName,
		LocalTunnel:     uint16(t.id),
		RemoteTunnel:    uint16(t.core.Peer().Tunnel),
		LocalSession:    uint16(c.id),
		RemoteSession:   uint16(c.peer),
		CallSerial:      c.request.CallSerial,
		TxSpeed:         uint64(c.txSpeed),
		RxSpeed:         uint64(c.rxSpeed),
		ForcedDomain:    t.group.Domain,
		DefaultDomain:   t.group.DefaultDomain,
	}
}

// drop ends the session at once.
func (c *call) drop(v trace.Verdict, now time.Time) {
	c.step(now, func(o *session.Out) { c.core.Drop(v, o) })
}

// parseName reads the handle of a session, "12/7".
func parseName(name string) (l2tp.TunnelID, l2tp.SessionID, bool) {
	left, right, ok := strings.Cut(name, "/")
	t, err1 := strconv.ParseUint(left, 10, 16)
	c, err2 := strconv.ParseUint(right, 10, 16)
	return l2tp.TunnelID(t), l2tp.SessionID(c), ok && err1 == nil && err2 == nil
}
