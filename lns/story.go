package lns

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/control"
	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/ppp"
	"lnsgate/lns/recorder"
	"lnsgate/lns/session"
	"lnsgate/lns/trace"
	"lnsgate/pool"
)

// refused records that a stranger was sent away before there was a tunnel. The detail is only asked when it is news: strangers come
// in floods.
func (s *Server) refused(from datapath.Path, hostName string, c trace.Cause, detail func() string, now time.Time) {
	a, news := s.deps.Recorder.Refuse(recorder.Refusal{Peer: from.Remote, HostName: hostName, Cause: c}, detail, now)
	if v := a.Verdict; news && s.deps.Attempts != nil {
		s.deps.Attempts.Log(aaa.Attempt{
			At: now, Session: a.ID, Node: s.deps.Node, Peer: from.Remote, TunnelName: hostName, Phase: trace.StageTunnel.String(),
			Cause: v.Cause.Name(), Detail: v.Detail, Verdict: v.String(),
		})
	}
}

// record tells one control message to the story that it belongs to. Acknowledgements and keep-alives tell nothing.
func (t *tunnel) record(a control.Said, now time.Time) {
	if t.server.deps.Recorder == nil || a.Message == l2tp.TypeZLB || a.Message == l2tp.TypeHello {
		return
	}
	if a.Message == l2tp.TypeICRQ && !a.Sent && a.Session == 0 && !a.Again {
		t.request = a.Detail // the call that it begins has no story yet
		return
	}
	story, stage := t.story, trace.StageTunnel
	if a.Message.OfCall() {
		story, stage = t.storyOf(a), trace.StageCall
	}
	actor := trace.Peer
	if a.Sent {
		actor = trace.LNS
	}
	story.Note(now, trace.Step{Stage: stage, Actor: actor, What: a.Message.String(), Detail: a.Detail, Again: a.Again})
}

// storyOf finds the story of the call that a message is about.
func (t *tunnel) storyOf(a control.Said) *recorder.Story {
	if t.telling != nil {
		return t.telling
	}
	id := a.Session // of the header, which has the receiver's
	if a.Sent {
		id = a.Own
	}
	if c := t.calls[id]; c != nil {
		return c.tale()
	}
	return nil
}

// stepFor is step, and all control messages of it belong to one story.
func (t *tunnel) stepFor(story *recorder.Story, now time.Time, act func(*control.Out)) {
	t.telling = story
	t.step(now, act)
	t.telling = nil
}

// introduce tells the story of the tunnel whom it is with.
func (t *tunnel) introduce(story *recorder.Story) {
	peer := t.core.Peer()
	story.Tell(func(a *trace.Attempt) {
		a.HostName, a.Vendor, a.Group, a.Template, a.Tunnel = peer.HostName, peer.Vendor, t.group.Name, t.group.Template, uint16(t.id)
	})
	story.Shows(trace.Signs{Firmware: peer.Firmware, Window: peer.ReceiveWindow, Bearer: peer.Bearer != 0})
}

// begin makes the story of a new call: that of the tunnel, if it is the first, or one that begins with the tunnel being there.
func (t *tunnel) begin(now time.Time) *recorder.Story {
	story := t.story
	t.story = nil
	if story == nil {
		story = t.server.deps.Recorder.Begin(t.path.Remote, now)
		if story == nil {
			return nil
		}
		story.Note(now, trace.Step{Stage: trace.StageTunnel, Actor: trace.LNS, What: "tunnel",
			Detail: "open for " + now.Sub(t.since).Round(time.Second).String() + ", host " + strconv.Quote(t.core.Peer().HostName)})
	}
	t.introduce(story)
	story.Note(now, trace.Step{Stage: trace.StageCall, Actor: trace.Peer, What: l2tp.TypeICRQ.String(), Detail: t.request})
	return story
}

// endStory ends the story of a tunnel that never had a call.
func (t *tunnel) endStory(v trace.Verdict, now time.Time) {
	story := t.story
	t.story = nil
	if story == nil {
		return
	}
	t.introduce(story)
	if story.End(now, v) {
		t.server.logStranger(t, story, v, now)
	}
}

// logStranger writes down what came of a peer that never said a name.
func (s *Server) logStranger(t *tunnel, story *recorder.Story, v trace.Verdict, now time.Time) {
	if s.deps.Attempts == nil {
		return
	}
	peer := t.core.Peer()
	s.deps.Attempts.Log(aaa.Attempt{
		At: now, Session: story.ID(), Node: s.deps.Node, Peer: t.path.Remote, TunnelName: peer.HostName, Vendor: peer.Vendor,
		Group: t.group.Name, VirtualTemplate: t.group.Template, LocalTunnel: uint16(t.id), Phase: v.Cause.Stage().String(),
		Cause: v.Cause.Name(), Detail: v.Detail, Verdict: v.String(), Took: now.Sub(t.since), Tale: story,
	})
}

// tale is the story of the call; nil when it is no longer kept. The engine itself holds it only until the session opens: after that
// it is the recorder's, for as long as that has room.
func (c *call) tale() *recorder.Story {
	if c.story != nil || c.openSince.IsZero() {
		return c.story
	}
	return c.tunnel.server.deps.Recorder.Session(c.uid)
}

// note tells a step of the call.
func (c *call) note(now time.Time, s trace.Step) {
	if c.tunnel.server.deps.Recorder != nil {
		c.tale().Note(now, s)
	}
}

// heard tells what the peer has sent. Of keep-alives only a first one without an answer tells something.
func (c *call) heard(octets []byte, now time.Time) {
	if c.tunnel.server.deps.Recorder == nil {
		return
	}
	protocol, packet, err := ppp.ParseFrame(octets)
	switch {
	case err != nil:
		c.note(now, trace.Step{Stage: trace.StageLink, Actor: trace.Peer, What: "PPP frame", Detail: "unreadable"})
	case protocol < ppp.FirstControl: // what the peer says to its neighbour is no part of its login
	case isRoutine(protocol, packet):
		c.unanswered = c.unanswered && ppp.Code(packet[0]) != ppp.EchoReply
	default:
		c.tale().Packet(now, trace.Peer, ppp.Frame{Protocol: protocol, Packet: packet})
	}
}

// said tells what we send to the peer.
func (c *call) said(f ppp.Frame, now time.Time) {
	switch {
	case c.tunnel.server.deps.Recorder == nil, f.Protocol < ppp.FirstControl:
	case !isRoutine(f.Protocol, f.Packet):
		c.tale().Packet(now, trace.LNS, f)
	case ppp.Code(f.Packet[0]) != ppp.EchoRequest:
	case c.unanswered && !c.missed:
		c.missed = true
		c.note(now, trace.Step{Stage: trace.StageOpen, Actor: trace.LNS, What: "LCP Echo-Request", Detail: "the one before was not answered"})
	default:
		c.missed = c.missed && c.unanswered
		c.unanswered = true
	}
}

// isRoutine says that a packet only asks or tells whether the other side is there.
func isRoutine(p ppp.Protocol, packet []byte) bool {
	return p == ppp.LCP && len(packet) > 0 && ppp.Code(packet[0]) >= ppp.EchoRequest && ppp.Code(packet[0]) <= ppp.DiscardRequest
}

// notedProxy tells what the LAC has negotiated in our place.
func (c *call) notedProxy(connected l2tp.ICCN, now time.Time) {
	if len(connected.LastReceivedLCP) > 0 {
		c.note(now, trace.Step{Stage: trace.StageLink, Actor: trace.Peer, What: "proxy LCP",
			Detail: ppp.Packet{Code: ppp.ConfigureRequest, Data: connected.LastReceivedLCP}.Detail(ppp.LCP)})
	}
	if p := connected.ProxyAuth; p.Present && (p.Name != "" || p.Response != nil) {
		c.note(now, trace.Step{Stage: trace.StageAuthentication, Actor: trace.Peer, What: "proxy authentication",
			Detail: "name " + ppp.Printable([]byte(connected.ProxyAuth.Name))})
	}
}

// notedAsk tells that a login is being checked.
func (c *call) notedAsk(a session.Ask, now time.Time) {
	story := c.tale()
	if story == nil {
		return
	}
	method := c.core.Method().String()
	story.Tell(func(t *trace.Attempt) { t.Name, t.Method = a.Name, method })
	if a.Backend == "" { // the first question of a conversation
		story.Note(now, trace.Step{Stage: trace.StageAuthentication, Actor: trace.LNS, What: "login",
			Detail: "name " + ppp.Printable([]byte(a.Name)) + ", " + method})
		story.Changed()
	}
}

// notedAnswer tells how a login was decided.
func (c *call) notedAnswer(a *loginAnswer, now time.Time) {
	story := c.tale()
	if story == nil || a.trail == nil {
		return
	}
	var no *aaa.Rejection
	backend, domain, rule := a.decision.Backend, cmp.Or(a.decision.Domain, a.trail.Domain), a.trail.Rule
	if errors.As(a.err, &no) {
		backend, domain, rule = no.Backend, cmp.Or(domain, no.Domain), cmp.Or(rule, no.Rule)
	}
	if domain != "" {
		story.Note(now, trace.Step{Stage: trace.StageAuthentication, Actor: trace.LNS, What: "domain", Who: domain, Detail: rule})
	}
	for _, asked := range a.trail.Asked {
		story.Note(now, trace.Step{Stage: trace.StageAuthentication, Actor: trace.Backend, Who: asked.Backend, What: "answer",
			Detail: askedWords(&asked), Took: asked.Took})
	}
	if a.counted > 0 {
		story.Note(now, trace.Step{Stage: trace.StageAuthentication, Actor: trace.Backend, Who: "sessions", What: "counted",
			Detail: countedWords(a), Took: a.counted})
	}
	account := a.decision.Account
	story.Tell(func(t *trace.Attempt) { t.Account, t.Domain, t.Rule, t.Backend = account, domain, rule, backend })
}

func askedWords(a *aaa.Asked) string {
	switch {
	case a.Server == "":
		return a.Answer
	case a.Sendings > 1:
		return a.Answer + " (server " + a.Server + ", " + a.After.Round(10*time.Microsecond).String() + " after the first of " +
			strconv.Itoa(a.Sendings) + " sendings)"
	default:
		return a.Answer + " (server " + a.Server + ")"
	}
}

func countedWords(a *loginAnswer) string {
	if a.err != nil {
		return a.err.Error()
	}
	return "within the limits of account and domain"
}

// notedLease tells what the pools said.
func (c *call) notedLease(a *leaseAnswer, now time.Time) {
	story := c.tale()
	if story == nil {
		return
	}
	step := trace.Step{Stage: trace.StageAddress, Actor: trace.Pools, Who: a.lease.Pool, What: "lease", Took: a.took}
	if a.err != nil {
		step.What, step.Detail = "no lease", a.err.Error()
		var full *pool.ExhaustedError
		if errors.As(a.err, &full) {
			step.Who = ""
		}
		story.Note(now, step)
		return
	}
	step.Detail = leaseWords(a)
	if a.lease.Why != "" {
		step.Detail += ", " + a.lease.Why
	}
	story.Note(now, step)
	lease := a.lease
	story.Tell(func(t *trace.Attempt) { t.Address, t.Pool, t.Why = lease.Address, lease.Pool, lease.Why })
	story.Changed()
}

// leaseWords are the address and the prefixes that the pools gave.
func leaseWords(a *leaseAnswer) string {
	var words []string
	if a.lease.Address.IsValid() {
		words = append(words, a.lease.Address.String())
	}
	for _, p := range a.prefixes.Networks() {
		words = append(words, p.String())
	}
	return strings.Join(words, " ")
}

// notedOpen tells that user traffic can flow.
func (c *call) notedOpen(o session.Opened, took time.Duration, now time.Time) {
	c.note(now, trace.Step{Stage: trace.StageNetwork, Actor: trace.Host, Who: c.template, What: "data path", Took: took, Detail: routeWords(o.Routes)})
}

func routeWords(routes []netip.Prefix) string {
	if len(routes) == 0 {
		return ""
	}
	words := "routes to "
	for i, r := range routes[:min(len(routes), 4)] {
		if i > 0 {
			words += ", "
		}
		words += r.String()
	}
	if len(routes) > 4 {
		words += ", ..."
	}
	return words
}

// keepStory leaves the story of a session that has opened to the recorder.
func (c *call) keepStory(now time.Time) {
	if c.story == nil || c.openSince.IsZero() || c.core.Phase() != session.Open {
		return
	}
	template := c.template
	c.story.Tell(func(t *trace.Attempt) { t.Template = template })
	what := c.core.Lease().Address
	words := leaseWords(&leaseAnswer{lease: pool.Lease{Address: what}, prefixes: c.core.Prefixes()})
	c.story.Note(now, trace.Step{Stage: trace.StageOpen, Actor: trace.LNS, What: "open", Detail: words + " on " + template})
	c.story.Open(c.openSince, what)
	c.story = nil
}

// introduce tells the story of the call who it is.
func (c *call) introduce() {
	if c.story == nil {
		return
	}
	id, calling, called := uint16(c.id), c.request.CallingNumber, c.request.CalledNumber
	c.story.Tell(func(a *trace.Attempt) { a.Session, a.Calling, a.Called = id, calling, called })
	c.story.Called(c.uid)
}

// endStory tells how the call ended. One that never opened is written down as an attempt.
func (c *call) endStory(v trace.Verdict, now time.Time) {
	story := c.tale()
	if c.openSince.IsZero() {
		if name := c.core.Name(); name != "" {
			story.Tell(func(a *trace.Attempt) { a.Name = name })
		}
		if story.End(now, v) {
			c.attempt(v, now)
		}
		c.story = nil
		return
	}
	if story != nil {
		story.End(now, v)
		return
	}
	c.announceEnd(v, now)
}

// announceEnd tells whoever watches that a session is over whose story is no longer kept.
func (c *call) announceEnd(v trace.Verdict, now time.Time) {
	c.tunnel.server.deps.Recorder.Announce(trace.Event{Kind: trace.SessionClosed, At: now, ID: c.uid, Tunnel: uint16(c.tunnel.id),
		Session: c.name(), Peer: c.tunnel.path.Remote, Name: c.who.name, Account: c.who.account, Domain: c.who.domain,
		Address: c.who.address, Verdict: v})
}

// notedChange tells what is different of a session since its account, or a server that may, wants it otherwise.
func (c *call) notedChange(before, after *aaa.Decision, now time.Time) {
	var words []string
	tell := func(what string, old, new any) {
		if old != new {
			words = append(words, fmt.Sprintf("%s %v instead of %v", what, new, old))
		}
	}
	tell("session timeout", before.SessionTimeout, after.SessionTimeout)
	tell("idle timeout", before.IdleTimeout, after.IdleTimeout)
	tell("rate up", before.RateUp, after.RateUp)
	tell("rate down", before.RateDown, after.RateDown)
	tell("filter", strconv.Quote(before.Filter), strconv.Quote(after.Filter))
	if len(words) > 0 {
		c.note(now, trace.Step{Stage: trace.StageOpen, Actor: trace.Admin, What: "changed", Detail: strings.Join(words, ", ")})
	}
}
