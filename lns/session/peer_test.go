package session

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
	"lnsgate/lns/authenticate"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/negotiate"
	"lnsgate/lns/ppp"
	"lnsgate/pool"
)

var (
	start     = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ours      = netip.MustParseAddr("10.10.0.1")
	theirs    = netip.MustParseAddr("10.10.1.10")
	dns       = [2]netip.Addr{netip.MustParseAddr("10.0.0.53")}
	goodLease = pool.Lease{Address: theirs, Pool: "pool1", Account: "l2tpuser", Holder: "1/1"}
)

const (
	userName = "l2tpuser"
	password = "Admin@123"
)

func testPolicy(methods ...negotiate.AuthProtocol) *Policy {
	return &Policy{
		MRU: 1460, Methods: methods, LocalName: "LNS", LocalAddress: ours, DNS: dns,
		EchoInterval: 30 * time.Second, EchoFailures: 3, SetupTimeout: time.Minute,
		ProxyLCP: true, ProxyAuthentication: true,
		Rand: rand.NewChaCha8([32]byte{1}),
	}
}

// rig is a session with a peer in front of it: the dialling sides of the same machines. Everything the session asks for is
// answered at once by default.
type rig struct {
	t   *testing.T
	now time.Time
	s   *Session
	// What the session has asked for so far.
	asks, leaseAsks, opens, suspends int
	opened                           *Opened
	ended                            *End
	returned                         []pool.Lease
	sent                             []ppp.Frame // to the peer

	// What answers it.
	password    string
	lease       pool.Lease
	prefixes    Prefixes
	leaseErr    error
	decision    aaa.Decision
	holdAnswers bool                             // the test answers itself
	server      func(*Ask) (aaa.Decision, error) // answers in the place of the password
	ask         *Ask
	addressAsk  *AddressAsk

	// The peer.
	lcp      *negotiate.LCP
	auth     *authenticate.Peer
	ipcp     *negotiate.IPCP
	queue    []ppp.Frame // from the peer
	dual     *dualPeer   // nil: it speaks no IPv6
	peerName string      // as it types it
	mute     bool        // the peer says nothing
	wish     netip.Addr  // the address that the peer asks for
	held     []ppp.Frame // what a silent peer was sent last
	done     *authenticate.Done
}

func newRig(t *testing.T, policy *Policy) *rig {
	r := &rig{t: t, now: start, s: New(policy), peerName: userName, password: password, lease: goodLease,
		decision: aaa.Decision{Account: userName, Domain: "default", Pools: []string{"pool1"}}}
	r.lcp = negotiate.NewLCP(negotiate.LCPConfig{MRU: 1400, Magic: 77,
		AcceptAuthentication: []negotiate.AuthProtocol{negotiate.AuthCHAPMD5, negotiate.AuthPAP, negotiate.AuthMSCHAPv2, negotiate.AuthEAP}})
	return r
}

// dial walks the login as far as it goes.
func (r *rig) dial() {
	r.peerLCP(func(o *negotiate.Out) { r.lcp.Open(r.now, o); r.lcp.Up(r.now, o) })
	r.step(func(o *Out) { r.s.Start(l2tp.ICCN{}, r.now, o) })
	r.settle()
}

// step lets the session act and answers it.
func (r *rig) step(act func(*Out)) {
	r.t.Helper()
	if r.ended != nil {
		r.t.Fatal("the session was used after its end")
	}
	var out Out
	act(&out)
	if out.Suspend {
		r.suspends++
		r.opened = nil
	}
	r.sent = append(r.sent, out.Frames...)
	for _, f := range out.Frames {
		r.peerTakes(f)
	}
	r.returned = append(r.returned, out.Returns...)
	if out.Open != nil {
		r.opens++
		r.opened = out.Open
	}
	if out.End != nil {
		r.ended = out.End
		return
	}
	if out.Ask != nil {
		r.asks++
		r.ask = out.Ask
		if !r.holdAnswers {
			r.answer()
		}
	}
	if out.Address != nil {
		r.leaseAsks++
		r.addressAsk = out.Address
		if !r.holdAnswers {
			r.giveLease()
		}
	}
}

func (r *rig) answer() {
	a, d := r.ask, r.decision
	var err error
	if r.server != nil {
		d, err = r.server(a)
		r.step(func(o *Out) { r.s.Authenticated(a.Generation, d, err, r.now, o) })
		return
	}
	d.Reply, err = secret.Clear(aaa.NewSecret(r.password)).Check(a.Name, a.Proof)
	r.step(func(o *Out) { r.s.Authenticated(a.Generation, d, err, r.now, o) })
}

func (r *rig) giveLease() {
	a := r.addressAsk
	if a.IPv6 && r.prefixes.Link.Address.IsValid() && !r.s.LeasedPrefixes(a.Generation, r.prefixes) {
		r.t.Error("the prefixes were refused")
	}
	r.step(func(o *Out) {
		if !r.s.Leased(a.Generation, r.lease, r.leaseErr, r.now, o) {
			r.t.Error("the lease was refused")
		}
	})
}

// settle carries the peer's frames until nobody says anything.
func (r *rig) settle() {
	for range 200 {
		if len(r.queue) == 0 || r.ended != nil {
			return
		}
		f := r.queue[0]
		r.queue = r.queue[1:]
		r.step(func(o *Out) { r.s.Frame(encode(f), r.now, o) })
	}
	r.t.Fatal("peer and session never stop talking")
}

// pass lets time go by in steps, up to d.
func (r *rig) pass(d time.Duration, activity Activity) {
	end := r.now.Add(d)
	for r.ended == nil {
		next := r.s.Deadline()
		if next.IsZero() || next.After(end) {
			break
		}
		if next.Before(r.now) {
			next = r.now
		}
		r.now = next
		r.step(func(o *Out) { r.s.Advance(r.now, activity, o) })
		r.settle()
		if d := r.s.Deadline(); r.ended == nil && !d.IsZero() && !d.After(r.now) {
			r.t.Fatalf("the deadline %v does not move on at %v", d, r.now)
		}
	}
	r.now = end
}

func encode(f ppp.Frame) []byte {
	return append(ppp.AppendFrameHeader(nil, f.Protocol, ppp.Framing{}), f.Packet...)
}

func (r *rig) peerTakes(f ppp.Frame) {
	if r.mute {
		return
	}
	switch f.Protocol {
	case ppp.LCP:
		r.peerLCP(func(o *negotiate.Out) { r.lcp.Receive(f.Packet, r.now, o) })
	case ppp.PAP, ppp.CHAP, ppp.EAP:
		if r.auth != nil {
			r.peerAuth(func(o *authenticate.Out) { r.auth.Receive(f, r.now, o) })
		}
	case ppp.IPCP:
		if r.ipcp != nil {
			r.peerIPCP(func(o *negotiate.Out) { r.ipcp.Receive(f.Packet, r.now, o) })
		}
	case ppp.IPv6CP, ppp.IPv6:
		r.peerTakesIPv6(f)
	}
}

func (r *rig) peerLCP(act func(*negotiate.Out)) {
	var o negotiate.Out
	act(&o)
	r.queue = append(r.queue, o.Frames...)
	for _, c := range o.Changes {
		if c == negotiate.LayerUp {
			r.startAuth()
		}
	}
}

func (r *rig) startAuth() {
	method := r.lcp.Result().Authentication.Method()
	answerer := secret.NewAnswerer(userName, aaa.NewSecret(password), [16]byte{9})
	r.auth = authenticate.NewPeer(authenticate.PeerConfig{Method: method, Name: r.peerName, Credentials: answerer})
	r.peerAuth(func(o *authenticate.Out) { r.auth.Start(r.now, o) })
}

func (r *rig) peerAuth(act func(*authenticate.Out)) {
	var o authenticate.Out
	act(&o)
	r.queue = append(r.queue, o.Frames...)
	if o.Done != nil {
		r.done = o.Done
		if o.Done.OK {
			r.startNetworks()
		}
	}
}

func (r *rig) startIPCP() {
	r.ipcp = negotiate.NewIPCP(negotiate.IPCPConfig{Local: r.wish, RequestAddress: true, RequestDNS: true})
	r.peerIPCP(func(o *negotiate.Out) { r.ipcp.Open(r.now, o); r.ipcp.Up(r.now, o) })
}

func (r *rig) peerIPCP(act func(*negotiate.Out)) {
	var o negotiate.Out
	act(&o)
	r.queue = append(r.queue, o.Frames...)
}

func (r *rig) wantOpen() {
	r.t.Helper()
	if r.s.Phase() != Open || r.opened == nil {
		r.t.Fatalf("the session is at %s, opened %v, ended %+v", r.s.Phase(), r.opened, r.ended)
	}
}

// saidTo counts the frames of a protocol and code to the peer.
func (r *rig) saidTo(p ppp.Protocol, code ppp.Code) (n int) {
	for _, f := range r.sent {
		if f.Protocol == p && ppp.Code(f.Packet[0]) == code {
			n++
		}
	}
	return n
}

// last returns the last frame of a protocol to the peer.
func (r *rig) last(p ppp.Protocol) []byte {
	for i := len(r.sent) - 1; i >= 0; i-- {
		if r.sent[i].Protocol == p {
			return bytes.Clone(r.sent[i].Packet)
		}
	}
	return nil
}
