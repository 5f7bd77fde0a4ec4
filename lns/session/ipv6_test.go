package session

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/negotiate"
	"lnsgate/lns/neighbour"
	"lnsgate/lns/ppp"
	"lnsgate/lns/trace"
	"lnsgate/pool"
)

var (
	linkLease = pool.Lease{Address: netip.MustParseAddr("2001:db8:100:7::"), PrefixLength: 64, Pool: "links", Account: userName, Holder: "1/1"}
	siteLease = pool.Lease{Address: netip.MustParseAddr("2001:db8:200:700::"), PrefixLength: 56, Pool: "sites", Account: userName, Holder: "1/1"}
	dns6      = netip.MustParseAddr("2001:db8::53")
)

// dualPeer is what a peer needs to speak IPv6.
type dualPeer struct {
	six     *negotiate.IPv6CP
	host    *neighbour.Host
	rejects bool // it answers IPv6CP with Protocol-Reject
	alone   bool // it speaks no IPv4
}

// newDualRig is a rig whose session and peer both speak IPv6.
func newDualRig(t *testing.T) *rig {
	policy := testPolicy(negotiate.AuthCHAPMD5)
	policy.IPv6, policy.DUID = true, []byte{0, 2, 0, 0, 0, 9, 1}
	r := newRig(t, policy)
	r.decision.IPv6Pools, r.decision.DelegatedPools = []string{"links"}, []string{"sites"}
	r.decision.IPv6.DNS = []netip.Addr{dns6}
	r.prefixes = Prefixes{Link: linkLease, Delegated: siteLease}
	r.dual = &dualPeer{}
	return r
}

func (r *rig) startNetworks() {
	if r.dual == nil || !r.dual.alone {
		r.startIPCP()
	}
	if r.dual != nil && !r.dual.rejects {
		r.dual.six = negotiate.NewIPv6CP(negotiate.IPv6CPConfig{})
		r.peerIPv6CP(func(o *negotiate.Out) { r.dual.six.Open(r.now, o); r.dual.six.Up(r.now, o) })
	}
}

func (r *rig) peerIPv6CP(act func(*negotiate.Out)) {
	var o negotiate.Out
	act(&o)
	r.queue = append(r.queue, o.Frames...)
	for _, c := range o.Changes {
		if c == negotiate.LayerUp {
			r.dual.host = neighbour.NewHost(neighbour.HostConfig{Local: r.dual.six.Result().Local.LinkLocal(), Delegated: true, DUID: []byte{0, 3, 0, 1, 5, 5}}, r.now)
			for _, p := range r.dual.host.Advance(r.now) {
				r.queue = append(r.queue, ppp.Frame{Protocol: ppp.IPv6, Packet: p})
			}
		}
	}
}

func (r *rig) peerTakesIPv6(f ppp.Frame) {
	switch {
	case r.dual == nil || r.dual.rejects:
		if f.Protocol == ppp.IPv6CP {
			r.peerLCP(func(o *negotiate.Out) { r.lcp.RejectProtocol(f.Protocol, f.Packet, r.now, o) })
		}
	case f.Protocol == ppp.IPv6CP && r.dual.six != nil:
		r.peerIPv6CP(func(o *negotiate.Out) { r.dual.six.Receive(f.Packet, r.now, o) })
	case f.Protocol == ppp.IPv6 && r.dual.host != nil:
		r.dual.host.Receive(f.Packet)
	}
}

func (r *rig) wantCarried(ipv4, ipv6 bool) {
	r.t.Helper()
	r.wantOpen()
	networks := []netip.Prefix(nil)
	if ipv6 {
		networks = []netip.Prefix{linkLease.Prefix(), siteLease.Prefix()}
	}
	if r.opened.Address.IsValid() != ipv4 || !slices.Equal(r.opened.IPv6, networks) {
		r.t.Fatalf("opened with %+v, want IPv4 %v, IPv6 %v", *r.opened, ipv4, ipv6)
	}
}

func TestDualStackOpensAndTells(t *testing.T) {
	r := newDualRig(t)
	r.decision.IPv6.Advertised = []netip.Prefix{netip.MustParsePrefix("2001:db8:9::/48")}
	r.dial()
	r.wantCarried(true, true)
	got := r.dual.host.Learnt()
	if got.Link != linkLease.Prefix() || got.Delegated != siteLease.Prefix() || len(got.DNS) != 1 || got.DNS[0] != dns6 || got.MTU != 1400 {
		t.Errorf("the peer learned %+v", got)
	}
	if !slices.Equal(got.Routes, r.decision.IPv6.Advertised) {
		t.Errorf("the peer learned the routes %v", got.Routes)
	}
	if got.Router != netip.MustParseAddr("fe80::1") || r.s.InterfaceID() != r.dual.six.Result().Local || r.leaseAsks != 1 {
		t.Errorf("router %v, peer %v, %d asks", got.Router, r.s.InterfaceID(), r.leaseAsks)
	}
	r.step(func(o *Out) { r.s.Close(trace.Verdict{Cause: trace.Kicked}, r.now, o) })
	r.settle()
	if r.ended == nil || len(r.returned) != 3 {
		t.Errorf("ended %+v, gave back %+v", r.ended, r.returned)
	}
}

func TestIPv6Alone(t *testing.T) {
	r := newDualRig(t)
	r.decision.Pools, r.lease = nil, pool.Lease{}
	r.dual.alone = true
	r.dial()
	if r.addressAsk.IPv4 || !r.addressAsk.IPv6 {
		t.Errorf("asked for %+v", r.addressAsk)
	}
	r.wantCarried(false, true)
}

func TestIPv6AloneTellsAPeerOfIPv4(t *testing.T) {
	r := newDualRig(t)
	r.decision.Pools, r.lease = nil, pool.Lease{}
	r.dial() // it asks for IPv4 all the same
	r.wantCarried(false, true)
	if r.saidTo(ppp.LCP, ppp.ProtocolReject) != 1 {
		t.Error("IPCP was not rejected")
	}
}

func TestPeerWithoutIPv6GoesOnWithIPv4(t *testing.T) {
	r := newDualRig(t)
	r.dual.rejects = true
	r.dial()
	r.wantCarried(true, false)
	r.pass(time.Minute, Activity{})
	r.wantCarried(true, false)
}

func TestPeerThatIgnoresIPv6GoesOnWithIPv4(t *testing.T) {
	r := newDualRig(t)
	r.dual = nil
	policy := r.s.policy
	policy.EchoInterval = 0
	r.dial()
	r.wantCarried(true, false)
	r.pass(10*time.Minute, Activity{})
	r.wantCarried(true, false)
}

func TestWithoutPrefixIPv4GoesOn(t *testing.T) {
	r := newDualRig(t)
	r.prefixes = Prefixes{}
	r.dial()
	r.wantCarried(true, false)
	if r.saidTo(ppp.LCP, ppp.ProtocolReject) == 0 {
		t.Error("IPv6CP was not rejected")
	}
}

func TestIPv6NeedsRoom(t *testing.T) {
	for mtu, want := range map[int]bool{1279: false, 1280: true} {
		r := newDualRig(t)
		r.decision.MTU = mtu
		r.dial()
		r.wantCarried(true, want)
	}
}

func TestTemplateWithoutIPv6RejectsIt(t *testing.T) {
	r := newDualRig(t)
	r.s.policy.IPv6 = false
	r.dial()
	r.wantCarried(true, false)
	if r.addressAsk.IPv6 || r.saidTo(ppp.LCP, ppp.ProtocolReject) == 0 {
		t.Error("IPv6CP was not rejected")
	}
}

// One of the two may go and come back while the other stays.
func TestOneFamilyGoesAndTheOtherStays(t *testing.T) {
	for _, first := range []ppp.Protocol{ppp.IPCP, ppp.IPv6CP} {
		t.Run(first.String(), func(t *testing.T) {
			r := newDualRig(t)
			r.dial()
			opens := r.opens
			close := func(p ppp.Protocol) {
				if p == ppp.IPCP {
					r.peerIPCP(func(o *negotiate.Out) { r.ipcp.Close(r.now, o) })
				} else {
					r.peerIPv6CP(func(o *negotiate.Out) { r.dual.six.Close(r.now, o) })
				}
				r.settle()
			}
			close(first)
			r.wantCarried(first != ppp.IPCP, first != ppp.IPv6CP)
			if r.opens != opens+1 {
				t.Errorf("%d times into the data path", r.opens-opens)
			}
			r.pass(20*time.Second, Activity{})
			r.wantCarried(first != ppp.IPCP, first != ppp.IPv6CP)
			if first == ppp.IPCP {
				r.peerIPCP(func(o *negotiate.Out) { r.ipcp.Open(r.now, o) })
			} else {
				r.peerIPv6CP(func(o *negotiate.Out) { r.dual.six.Open(r.now, o) })
			}
			r.settle()
			r.wantCarried(true, true)
			close(ppp.IPCP)
			close(ppp.IPv6CP)
			r.pass(time.Minute, Activity{})
			if r.ended == nil || r.ended.Verdict.Cause != trace.PeerClosedIPCP {
				t.Errorf("with neither: %+v", r.ended)
			}
		})
	}
}

func TestProtocolRejectOfIPv4LeavesIPv6(t *testing.T) {
	r := newDualRig(t)
	r.dual.alone = true // a Protocol-Reject for every IPCP packet
	r.dial()
	r.wantCarried(false, true)
	r.peerLCP(func(o *negotiate.Out) { r.lcp.RejectProtocol(ppp.IPCP, []byte{1, 1, 0, 4}, r.now, o) })
	r.settle()
	r.wantCarried(false, true)
	r.pass(time.Minute, Activity{})
	r.wantCarried(false, true)
	r.peerLCP(func(o *negotiate.Out) { r.lcp.RejectProtocol(ppp.IPv6CP, []byte{1, 1, 0, 4}, r.now, o) })
	r.settle()
	r.pass(time.Minute, Activity{})
	if r.ended == nil {
		t.Error("it goes on with neither")
	}
}

// A peer that logs in again as the same account keeps what it has, as another one does not.
func TestPrefixesOverARenegotiation(t *testing.T) {
	for _, same := range []bool{true, false} {
		t.Run(fmt.Sprint(same), func(t *testing.T) {
			r := newDualRig(t)
			r.dial()
			if !same {
				r.decision.IPv6.Prefixes = []netip.Prefix{netip.MustParsePrefix("2001:db8:f00::/64")}
				r.prefixes.Link = pool.Lease{Address: netip.MustParseAddr("2001:db8:f00::"), PrefixLength: 64, Account: userName}
			}
			r.peerLCP(func(o *negotiate.Out) { r.lcp.Down(r.now, o); r.lcp.Up(r.now, o) })
			r.settle()
			r.pass(20*time.Second, Activity{})
			r.wantOpen()
			if asked := r.leaseAsks == 2; asked == same || len(r.opened.IPv6) != 2 || r.opened.IPv6[0] != r.prefixes.Link.Prefix() {
				t.Errorf("%d asks, opened %+v", r.leaseAsks, r.opened)
			}
		})
	}
}

func TestStalePrefixesAreRefused(t *testing.T) {
	r := newDualRig(t)
	r.holdAnswers = true
	r.dial()
	r.answer()
	a := r.addressAsk
	if r.s.LeasedPrefixes(a.Generation+1, r.prefixes) {
		t.Error("those of another question are taken")
	}
	if !r.s.LeasedPrefixes(a.Generation, r.prefixes) || r.s.LeasedPrefixes(a.Generation, r.prefixes) {
		t.Error("taken never, or twice")
	}
}

func TestFramedInterfaceID(t *testing.T) {
	r := newDualRig(t)
	r.decision.IPv6 = aaa.IPv6{InterfaceID: 0x99}
	r.dial()
	r.wantCarried(true, true)
	if got := r.s.InterfaceID(); got != negotiate.InterfaceIDOf(0x99) {
		t.Errorf("the peer is %v", got)
	}
}

// renegotiates has the peer begin LCP anew, with another MRU.
func (r *rig) renegotiates(mru uint16) {
	r.lcp = negotiate.NewLCP(negotiate.LCPConfig{MRU: mru, Magic: 78, AcceptAuthentication: []negotiate.AuthProtocol{negotiate.AuthCHAPMD5}})
	r.peerLCP(func(o *negotiate.Out) { r.lcp.Open(r.now, o); r.lcp.Up(r.now, o) })
	r.settle()
	r.pass(20*time.Second, Activity{})
}

// Only what does not fit any more goes back, and is asked for again when it fits.
func TestOneFamilyGoesOverARenegotiation(t *testing.T) {
	r := newDualRig(t)
	r.dial()
	r.wantCarried(true, true)

	r.renegotiates(1000)
	r.wantCarried(true, false)
	if !slices.Equal(r.returned, []pool.Lease{linkLease, siteLease}) || r.leaseAsks != 1 || r.s.Lease() != goodLease {
		t.Fatalf("gave back %v, asked %d times, holds %v", r.returned, r.leaseAsks, r.s.Lease())
	}

	r.lease = pool.Lease{} // nobody asks for IPv4
	r.renegotiates(1400)
	r.wantCarried(true, true)
	if a := r.addressAsk; a.IPv4 || !a.IPv6 || r.leaseAsks != 2 || len(r.returned) != 2 || r.s.Lease() != goodLease {
		t.Fatalf("asked for %+v, gave back %v, holds %v", r.addressAsk, r.returned, r.s.Lease())
	}
}

func TestIPv6ThatDoesNotComeBackLeavesIPv4(t *testing.T) {
	r := newDualRig(t)
	r.prefixes = Prefixes{}
	r.dial()
	r.wantCarried(true, false)
	r.lease, r.leaseErr = pool.Lease{}, errors.New("the pool is empty")
	r.renegotiates(1400)
	r.wantCarried(true, false)
	if a := r.addressAsk; a.IPv4 || !a.IPv6 || r.s.Lease() != goodLease {
		t.Errorf("asked for %+v, holds %v", a, r.s.Lease())
	}
}

// An account that has got another address of its own changes that one, and keeps its prefixes.
func TestAddressChangesOverARenegotiation(t *testing.T) {
	r := newDualRig(t)
	r.dial()
	r.decision.Address = netip.MustParseAddr("10.10.1.99")
	r.lease = pool.Lease{Address: r.decision.Address, Account: userName, Holder: "1/1"}
	r.renegotiates(1400)
	r.wantCarried(true, true)
	if a := r.addressAsk; !a.IPv4 || a.IPv6 || !slices.Equal(r.returned, []pool.Lease{goodLease}) || r.s.Lease() != r.lease {
		t.Errorf("asked for %+v, gave back %v, holds %v", a, r.returned, r.s.Lease())
	}
}

// A peer that negotiates IPv6 again and again has the data path changed some times, and then now and then.
func TestFlappingIsBounded(t *testing.T) {
	for _, p := range []ppp.Protocol{ppp.IPCP, ppp.IPv6CP} {
		t.Run(p.String(), func(t *testing.T) {
			r := newDualRig(t)
			r.dial()
			r.wantCarried(true, true)
			opens, suspends := r.opens, r.suspends
			flap := func() {
				if p == ppp.IPCP {
					r.peerIPCP(func(o *negotiate.Out) { r.ipcp.Down(r.now, o); r.ipcp.Up(r.now, o) })
				} else {
					r.peerIPv6CP(func(o *negotiate.Out) { r.dual.six.Down(r.now, o); r.dual.six.Up(r.now, o) })
				}
				r.settle()
			}
			for range 500 {
				flap()
			}
			if n, s := r.opens-opens, r.suspends-suspends; n < 3 || n > 2*renegotiateAtOnce || s > 2*renegotiateAtOnce {
				t.Errorf("%d times into the data path, %d times out of it", n, s)
			}
			r.pass(renegotiateEvery, Activity{})
			flap()
			r.wantCarried(true, true)
		})
	}
}
