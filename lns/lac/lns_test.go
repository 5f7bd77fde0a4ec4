package lac

import (
	"crypto/rand"
	"net/netip"
	"slices"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
	"lnsgate/lns/authenticate"
	"lnsgate/lns/control"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/negotiate"
	"lnsgate/lns/ppp"
)

// scriptedLNS is a server put together by hand from the server sides of the pure cores. It is driven by one goroutine.
type scriptedLNS struct {
	password string
	offer    []negotiate.AuthProtocol
	refuse   *l2tp.ResultCode // answer to every call
	mute     func(stage Stage) bool
	secret   []byte
	assign   func() netip.Addr
	echo     time.Duration
	noIPCP   bool   // Protocol-Reject for IPCP
	reply    string // in place of the true authenticator response

	last    l2tp.TunnelID
	tunnels map[l2tp.TunnelID]*servedTunnel
	up      int // sessions that reached IPCP open, ever
	early   int // frames that came before their call was up
}

type servedTunnel struct {
	lns     *scriptedLNS
	control *control.Tunnel
	out     control.Out
	calls   map[l2tp.SessionID]*servedCall
	send    [][]byte
	ended   bool
}

type servedCall struct {
	peer  l2tp.SessionID
	lcp   *negotiate.LCP
	auth  *authenticate.Authenticator
	ipcp  *negotiate.IPCP
	early []ppp.Frame
}

func newScriptedLNS(password string, offer ...negotiate.AuthProtocol) *scriptedLNS {
	next := netip.MustParseAddr("10.10.1.9")
	return &scriptedLNS{
		password: password, offer: offer, tunnels: map[l2tp.TunnelID]*servedTunnel{},
		assign: func() netip.Addr { next = next.Next(); return next },
	}
}

// receive takes a datagram from a client whose tunnels have ids that no other client uses.
func (l *scriptedLNS) receive(b []byte, now time.Time) [][]byte {
	h, payload, err := l2tp.ParseHeader(b)
	if err != nil {
		return nil
	}
	t := l.tunnels[h.Tunnel]
	if t == nil && h.Control && h.Tunnel == 0 {
		t = l.stranger(payload)
	}
	if t == nil {
		return nil
	}
	if h.Control {
		t.control.Receive(b, now, &t.out)
	} else if k := t.calls[h.Session]; k != nil {
		if protocol, packet, err := ppp.ParseFrame(payload); err == nil {
			t.frame(k, ppp.Frame{Protocol: protocol, Packet: packet}, now)
		}
	}
	return t.flush(now)
}

// stranger finds the tunnel of an SCCRQ, or makes it.
func (l *scriptedLNS) stranger(payload []byte) *servedTunnel {
	m, err := l2tp.Parse(payload, l.secret)
	request, ok := m.(l2tp.SCCRQ)
	if err != nil || !ok {
		return nil
	}
	for _, t := range l.tunnels {
		if t.control.Peer().Tunnel == request.AssignedTunnel {
			return t
		}
	}
	l.last++
	t := &servedTunnel{lns: l, calls: map[l2tp.SessionID]*servedCall{}, control: control.New(control.Config{
		Role: control.LNS, HostName: "LNS", Vendor: "test", LocalTunnel: l.last, Secret: l.secret,
		RequireAuthentication: len(l.secret) > 0, Rand: rand.Reader,
	})}
	l.tunnels[l.last] = t
	return t
}

func (l *scriptedLNS) deadline() time.Time {
	var d time.Time
	for _, t := range l.tunnels {
		d = sooner(d, t.control.Deadline())
		for _, k := range t.calls {
			d = sooner(d, k.deadline())
		}
	}
	return d
}

func (k *servedCall) deadline() time.Time {
	if k.lcp == nil {
		return time.Time{}
	}
	d := k.lcp.Deadline()
	if k.auth != nil {
		d = sooner(d, k.auth.Deadline())
	}
	if k.ipcp != nil {
		d = sooner(d, k.ipcp.Deadline())
	}
	return d
}

func (l *scriptedLNS) advance(now time.Time) [][]byte {
	var send [][]byte
	for _, t := range l.tunnels {
		t.control.Advance(now, &t.out)
		for _, k := range t.calls {
			t.advanceCall(k, now)
		}
		send = append(send, t.flush(now)...)
	}
	return send
}

func (t *servedTunnel) advanceCall(k *servedCall, now time.Time) {
	if k.lcp == nil {
		return
	}
	t.lcp(k, now, func(o *negotiate.Out) { k.lcp.Advance(now, o) })
	if k.auth != nil {
		t.auth(k, now, func(o *authenticate.Out) { k.auth.Advance(now, o) })
	}
	if k.ipcp != nil {
		t.ipcp(k, now, func(o *negotiate.Out) { k.ipcp.Advance(now, o) })
	}
}

func (t *servedTunnel) flush(now time.Time) [][]byte {
	for i := 0; i < len(t.out.Actions); i++ {
		switch a := t.out.Actions[i].(type) {
		case control.Send:
			t.send = append(t.send, a.Datagram)
		case control.CallRequested:
			t.requested(a, now)
		case control.CallUp:
			t.started(a, now)
		case control.CallDown:
			delete(t.calls, a.Session)
		case control.TunnelDown:
			clear(t.calls)
		case control.Finished:
			t.ended = true
			delete(t.lns.tunnels, t.id())
		}
	}
	t.out.Actions = nil
	send := t.send
	t.send = nil
	return send
}

func (t *servedTunnel) id() l2tp.TunnelID {
	for id, other := range t.lns.tunnels {
		if other == t {
			return id
		}
	}
	return 0
}

func (t *servedTunnel) requested(a control.CallRequested, now time.Time) {
	if t.lns.refuse != nil {
		t.control.RefuseCall(a.PeerSession, *t.lns.refuse, now, &t.out)
		return
	}
	id := a.PeerSession + 1000
	t.calls[id] = &servedCall{peer: a.PeerSession}
	t.control.AcceptCall(id, a.PeerSession, now, &t.out)
}

func (t *servedTunnel) started(a control.CallUp, now time.Time) {
	k := t.calls[a.Session]
	if t.silent(StageLink) {
		return
	}
	k.lcp = negotiate.NewLCP(negotiate.LCPConfig{
		MRU: 1400, Magic: 77, Authentication: t.lns.offer, EchoInterval: t.lns.echo,
	})
	t.lcp(k, now, func(o *negotiate.Out) { k.lcp.Open(now, o); k.lcp.Up(now, o) })
	early := k.early
	k.early = nil
	for _, f := range early {
		t.frame(k, f, now)
	}
}

func (t *servedTunnel) silent(s Stage) bool { return t.lns.mute != nil && t.lns.mute(s) }

func (t *servedTunnel) frame(k *servedCall, f ppp.Frame, now time.Time) {
	switch {
	case k.lcp == nil, f.Protocol == ppp.IPCP && k.ipcp == nil && !t.lns.noIPCP && !t.silent(StageAddress):
		if k.lcp == nil {
			t.lns.early++
		}
		k.early = append(k.early, ppp.Frame{Protocol: f.Protocol, Packet: slices.Clone(f.Packet)})
	case f.Protocol == ppp.IPCP && t.lns.noIPCP:
		t.lcp(k, now, func(o *negotiate.Out) { k.lcp.RejectProtocol(f.Protocol, f.Packet, now, o) })
	case f.Protocol == ppp.LCP:
		t.lcp(k, now, func(o *negotiate.Out) { k.lcp.Receive(f.Packet, now, o) })
	case f.Protocol == ppp.IPCP && k.ipcp != nil:
		t.ipcp(k, now, func(o *negotiate.Out) { k.ipcp.Receive(f.Packet, now, o) })
	case (f.Protocol == ppp.PAP || f.Protocol == ppp.CHAP) && k.auth != nil:
		t.auth(k, now, func(o *authenticate.Out) { k.auth.Receive(f, now, o) })
	case f.Protocol == ppp.IPv4: // what comes in goes out
		t.frames(k, []ppp.Frame{f})
	}
}

func (t *servedTunnel) frames(k *servedCall, frames []ppp.Frame) {
	for _, f := range frames {
		framing := ppp.Framing{}
		if k.lcp != nil {
			framing = k.lcp.Result().Framing
		}
		head := ppp.AppendFrameHeader(nil, f.Protocol, framing)
		h := l2tp.Header{Tunnel: t.control.Peer().Tunnel, Session: k.peer, Length: true}
		b := l2tp.AppendDataHeader(nil, h, len(head)+len(f.Packet))
		t.send = append(t.send, append(append(b, head...), f.Packet...))
	}
}

func (t *servedTunnel) lcp(k *servedCall, now time.Time, act func(*negotiate.Out)) {
	var o negotiate.Out
	act(&o)
	t.frames(k, o.Frames)
	for _, c := range o.Changes {
		switch c {
		case negotiate.LayerUp:
			t.linkUp(k, now)
		case negotiate.LayerDown:
			k.auth, k.ipcp = nil, nil
		case negotiate.LayerFinished:
			for id, other := range t.calls {
				if other == k {
					t.control.CloseCall(id, l2tp.ResultCode{Result: l2tp.CDNAdministrative}, now, &t.out)
					delete(t.calls, id)
				}
			}
		}
	}
}

func (t *servedTunnel) linkUp(k *servedCall, now time.Time) {
	if t.silent(StageAuthentication) {
		return
	}
	method := k.lcp.Result().Authentication.Method()
	if method == aaa.MethodNone {
		t.address(k, now)
		return
	}
	k.auth = authenticate.NewAuthenticator(authenticate.Config{
		Protocol: method, LocalName: "LNS", Challenge: slices.Repeat([]byte{0x5a}, 16), Identifier: 9,
	})
	t.auth(k, now, func(o *authenticate.Out) { k.auth.Start(now, o) })
}

func (t *servedTunnel) auth(k *servedCall, now time.Time, act func(*authenticate.Out)) {
	var o authenticate.Out
	act(&o)
	t.frames(k, o.Frames)
	if o.Ask != nil && !t.silent(StageUp) {
		reply, err := secret.Clear(aaa.NewSecret(t.lns.password)).Check(o.Ask.Name, o.Ask.Proof)
		if t.lns.reply != "" {
			reply = t.lns.reply
		}
		t.auth(k, now, func(o *authenticate.Out) {
			k.auth.Resolve(authenticate.Result{OK: err == nil, Reply: reply}, now, o)
		})
	}
	if o.Done != nil && o.Done.OK && k.ipcp == nil {
		t.address(k, now)
	} else if o.Done != nil && !o.Done.OK {
		t.lcp(k, now, func(o *negotiate.Out) { k.lcp.Close(now, o) })
	}
}

func (t *servedTunnel) address(k *servedCall, now time.Time) {
	if t.silent(StageAddress) || t.lns.noIPCP {
		return
	}
	k.ipcp = negotiate.NewIPCP(negotiate.IPCPConfig{
		Local: netip.MustParseAddr("10.10.0.1"), Assign: t.lns.assign(),
		DNS: [2]netip.Addr{netip.MustParseAddr("10.0.0.53"), {}},
	})
	t.ipcp(k, now, func(o *negotiate.Out) { k.ipcp.Open(now, o); k.ipcp.Up(now, o) })
	early := k.early
	k.early = nil
	for _, f := range early {
		t.frame(k, f, now)
	}
}

func (t *servedTunnel) ipcp(k *servedCall, now time.Time, act func(*negotiate.Out)) {
	var o negotiate.Out
	act(&o)
	t.frames(k, o.Frames)
	if slices.Contains(o.Changes, negotiate.LayerUp) {
		t.lns.up++
	}
}
