package lac

import (
	"slices"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/authenticate"
	"lnsgate/lns/negotiate"
	"lnsgate/lns/neighbour"
	"lnsgate/lns/ppp"
)

// maxEarly bounds the frames kept for a protocol whose turn has not come.
const maxEarly = 8

// link is the PPP client on one call. It knows frames and the time, nothing of L2TP.
type link struct {
	profile  *Profile    // nil: we look like ourselves
	held     []ppp.Frame // our LCP requests, while the profile waits with them
	heldTill time.Time

	login Login
	stage Stage
	lcp   *negotiate.LCP
	peer  *authenticate.Peer // nil while nobody asks who we are
	ipcp  *negotiate.IPCP    // nil until its turn
	six   *negotiate.IPv6CP  // nil until its turn, or without IPv6

	neighbour *neighbour.Host // nil while IPv6 is not up

	early    []ppp.Frame // for protocols whose turn has not come
	method   aaa.Method
	message  string // what the server said about the login
	refused  bool   // we refused the method that the server asked for last
	leaving  bool   // we have hung up and wait for the server to agree
	finished bool   // nothing follows
	lcpOut   negotiate.Out
	ipcpOut  negotiate.Out
	sixOut   negotiate.Out
	authOut  authenticate.Out
}

// linkOut is what a link wants done.
type linkOut struct {
	frames []ppp.Frame
	packet []byte // an IP packet for us; a view
	up     bool
	down   bool
	end    *ending
}

// ending is why a link is over.
type ending struct {
	cause    Cause
	byServer bool
	detail   string
}

func newLink(login Login, p *Profile) *link {
	wishes := negotiate.LCPConfig{}
	if p != nil {
		wishes.RequestPFC, wishes.RequestACFC, wishes.Extra = p.PFC, p.ACFC, p.Options
		if login.MRU == 0 {
			login.MRU = p.MRU
		}
		if p.NoMagic {
			login.Magic = 0
		}
	}
	if login.MRU == 0 {
		login.MRU = 1500
	}
	login.IPv6 = login.IPv6 || login.NoIPv4 || login.Delegated
	if login.EchoFailures == 0 {
		login.EchoFailures = 3
	}
	wishes.MRU, wishes.Magic = login.MRU, login.Magic
	if login.Credentials != nil {
		wishes.AcceptAuthentication = negotiate.AuthProtocolsOf(login.Methods)
	}
	wishes.EchoInterval, wishes.EchoFailures, wishes.Timing = login.EchoInterval, login.EchoFailures, login.Timing
	return &link{login: login, profile: p, stage: StageLink, lcp: negotiate.NewLCP(wishes)}
}

// start begins with LCP.
func (l *link) start(now time.Time, out *linkOut) {
	if l.profile != nil && l.profile.LinkDelay > 0 {
		l.heldTill = now.Add(l.profile.LinkDelay)
	}
	l.lcp.Open(now, &l.lcpOut)
	l.lcp.Up(now, &l.lcpOut)
	l.settleLCP(now, out)
}

// receive takes one frame from the server.
func (l *link) receive(f ppp.Frame, now time.Time, out *linkOut) {
	l.lcp.Alive(now)
	switch f.Protocol {
	case ppp.LCP:
		l.lcp.Receive(f.Packet, now, &l.lcpOut)
		l.settleLCP(now, out)
	case ppp.PAP, ppp.CHAP, ppp.EAP:
		l.receiveLogin(f, now, out)
	case ppp.IPCP:
		l.receiveIPCP(f, now, out)
	case ppp.IPv6CP, ppp.IPv6:
		if l.login.IPv6 {
			l.receiveIPv6(f, now, out)
			return
		}
		l.lcp.RejectProtocol(f.Protocol, f.Packet, now, &l.lcpOut)
		l.settleLCP(now, out)
	case ppp.IPv4:
		if l.stage == StageUp && !l.leaving {
			out.packet = f.Packet
		}
	default:
		l.lcp.RejectProtocol(f.Protocol, f.Packet, now, &l.lcpOut)
		l.settleLCP(now, out)
	}
}

func (l *link) receiveLogin(f ppp.Frame, now time.Time, out *linkOut) {
	if l.peer == nil {
		l.keep(f, StageAuthentication)
		return
	}
	l.peer.Receive(f, now, &l.authOut)
	l.settleLogin(now, out)
}

func (l *link) receiveIPCP(f ppp.Frame, now time.Time, out *linkOut) {
	switch {
	case l.login.NoIPv4:
		l.lcp.RejectProtocol(f.Protocol, f.Packet, now, &l.lcpOut)
		l.settleLCP(now, out)
		return
	case l.ipcp == nil:
		l.keep(f, StageAddress)
		return
	}
	l.ipcp.Receive(f.Packet, now, &l.ipcpOut)
	l.settleIPCP(now, out)
}

// keep saves a frame that came before its turn, because the server would repeat it only seconds later.
func (l *link) keep(f ppp.Frame, turn Stage) {
	if l.stage >= turn || len(l.early) >= maxEarly {
		return
	}
	l.early = append(l.early, ppp.Frame{Protocol: f.Protocol, Packet: slices.Clone(f.Packet)})
}

// replay takes out the kept frames that match and receives them.
func (l *link) replay(now time.Time, out *linkOut, match func(ppp.Protocol) bool) {
	var due, rest []ppp.Frame
	for _, f := range l.early {
		if match(f.Protocol) {
			due = append(due, f)
		} else {
			rest = append(rest, f)
		}
	}
	l.early = rest
	for _, f := range due {
		l.receive(f, now, out)
	}
}

// settleLCP carries out what LCP wants.
func (l *link) settleLCP(now time.Time, out *linkOut) {
	o := l.lcpOut
	l.lcpOut = negotiate.Out{}
	out.frames = append(out.frames, l.holdBack(o.Frames, now)...)
	for _, f := range o.Frames {
		l.refused = l.refused || refusesMethod(f)
	}
	for _, p := range o.PeerRejected {
		if p == ppp.IPv6CP && l.six != nil {
			l.six.ProtocolRejected(now, &l.sixOut)
			l.settleIPv6(now, out)
		}
		if p == ppp.IPCP && l.ipcp != nil {
			l.end(out, ending{cause: CauseNoIPCP, byServer: true})
		}
	}
	for _, change := range o.Changes {
		switch change {
		case negotiate.LayerUp:
			l.linkUp(now, out)
		case negotiate.LayerDown:
			l.linkDown(out)
		case negotiate.LayerFinished:
			l.end(out, l.linkEnding())
		}
	}
}

// refusesMethod tells whether a frame of ours says no to the server's way of authentication. The server then hangs up in
// its own words, and this is the reason behind them.
func refusesMethod(f ppp.Frame) bool {
	p, err := ppp.ParsePacket(f.Packet)
	if err != nil || (p.Code != ppp.ConfigureNak && p.Code != ppp.ConfigureReject) {
		return false
	}
	for o := range ppp.Options(p.Data).All() {
		if o.Type == ppp.LCPAuthentication {
			return true
		}
	}
	return false
}

// linkUp follows the agreement on LCP: say who we are, or go on to the address.
func (l *link) linkUp(now time.Time, out *linkOut) {
	l.refused = false
	l.introduce(out)
	l.method = l.lcp.Result().Authentication.Method()
	if l.method == aaa.MethodNone {
		if !l.mayGoUnnamed() {
			l.end(out, ending{cause: CauseNotAuthenticated})
			return
		}
		l.openAddress(now, out)
		return
	}
	l.stage = StageAuthentication
	l.peer = authenticate.NewPeer(authenticate.PeerConfig{
		Method: l.method, Name: l.login.User, Credentials: l.login.Credentials, Timeout: l.login.Timeout,
	})
	l.peer.Start(now, &l.authOut)
	l.settleLogin(now, out)
	l.replay(now, out, func(p ppp.Protocol) bool { return p != ppp.IPCP && p != ppp.IPv6CP })
}

// mayGoUnnamed tells whether a server that asks for no name is acceptable.
func (l *link) mayGoUnnamed() bool {
	return len(l.login.Methods) == 0 || slices.Contains(l.login.Methods, aaa.MethodNone)
}

// linkDown follows the start of a renegotiation or of the end: what stands on LCP falls.
func (l *link) linkDown(out *linkOut) {
	if r := l.lcp.Reason(); !l.leaving && (r == negotiate.PeerTerminated || r == negotiate.EchoTimeout) {
		l.end(out, l.linkEnding())
		return
	}
	if l.stage == StageUp {
		out.down = true
	}
	l.stage, l.peer, l.ipcp, l.message, l.early = StageLink, nil, nil, "", nil
	l.six, l.neighbour = nil, nil
}

// settleLogin carries out what the authentication wants.
func (l *link) settleLogin(now time.Time, out *linkOut) {
	o := l.authOut
	l.authOut = authenticate.Out{}
	out.frames = append(out.frames, o.Frames...)
	switch {
	case o.Done == nil:
	case o.Done.OK:
		l.message = o.Done.Message
		if l.stage == StageAuthentication {
			l.openAddress(now, out)
		}
	default:
		l.end(out, loginEnding(o.Done))
	}
}

// openAddress starts IPCP and IPv6CP.
func (l *link) openAddress(now time.Time, out *linkOut) {
	l.stage = StageAddress
	if l.profile != nil {
		out.frames = append(out.frames, l.profile.Network...)
	}
	if !l.login.NoIPv4 {
		l.openIPv4(now, out)
	}
	if l.login.IPv6 && !l.finished {
		l.openIPv6(now, out)
	}
}

func (l *link) openIPv4(now time.Time, out *linkOut) {
	l.ipcp = negotiate.NewIPCP(negotiate.IPCPConfig{
		Local: l.login.Address, RequestAddress: true, RequestDNS: l.login.WantDNS, Timing: l.login.Timing,
	})
	l.ipcp.Open(now, &l.ipcpOut)
	l.ipcp.Up(now, &l.ipcpOut)
	l.settleIPCP(now, out)
	l.replay(now, out, func(p ppp.Protocol) bool { return p == ppp.IPCP })
}

// settleIPCP carries out what IPCP wants.
func (l *link) settleIPCP(now time.Time, out *linkOut) {
	o := l.ipcpOut
	l.ipcpOut = negotiate.Out{}
	out.frames = append(out.frames, o.Frames...)
	for _, change := range o.Changes {
		switch change {
		case negotiate.LayerUp:
			if !l.ipcp.Result().Local.IsValid() || l.ipcp.Result().Local.IsUnspecified() {
				l.end(out, ending{cause: CauseNoAddress})
				return
			}
			l.stage, out.up = StageUp, true
		case negotiate.LayerDown:
			if l.stage == StageUp {
				l.stage, out.down = StageAddress, true
			}
		case negotiate.LayerFinished:
			l.end(out, l.addressEnding())
		}
	}
}

// hangUp asks the server to end the link. With nothing agreed yet there is nobody to ask.
func (l *link) hangUp(now time.Time, out *linkOut) {
	if l.leaving || l.finished {
		return
	}
	l.leaving = true
	l.lcp.Close(now, &l.lcpOut)
	l.settleLCP(now, out)
}

func (l *link) advance(now time.Time, out *linkOut) {
	l.release(now, out)
	l.lcp.Advance(now, &l.lcpOut)
	l.settleLCP(now, out)
	if l.peer != nil {
		l.peer.Advance(now, &l.authOut)
		l.settleLogin(now, out)
	}
	if l.ipcp != nil {
		l.ipcp.Advance(now, &l.ipcpOut)
		l.settleIPCP(now, out)
	}
	l.advanceIPv6(now, out)
}

func (l *link) deadline() time.Time {
	if l.finished {
		return time.Time{}
	}
	d := l.lcp.Deadline()
	if len(l.held) > 0 {
		d = sooner(d, l.heldTill)
	}
	if l.peer != nil {
		d = sooner(d, l.peer.Deadline())
	}
	if l.ipcp != nil {
		d = sooner(d, l.ipcp.Deadline())
	}
	d = sooner(d, l.deadlineIPv6())
	return d
}

// end says the last word, once.
func (l *link) end(out *linkOut, e ending) {
	if l.finished {
		return
	}
	l.finished = true
	if l.leaving {
		e = ending{cause: CauseClosedByUs}
	}
	out.end = &e
}

// sooner is the earlier of two deadlines; zero means none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
