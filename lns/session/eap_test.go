package session

import (
	"bytes"
	"crypto/md5"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/negotiate"
	"lnsgate/lns/ppp"
	"lnsgate/lns/trace"
	"lnsgate/pool"
)

var eapChallenge = []byte("0123456789abcdef")

// md5Server is a back end that wants EAP-MD5.
func (r *rig) md5Server(timeout time.Duration) func(*Ask) (aaa.Decision, error) {
	return func(a *Ask) (aaa.Decision, error) {
		e, err := ppp.ParseEAP(a.Proof.EAP)
		if err != nil {
			r.t.Fatal(err)
		}
		if e.Type == ppp.EAPIdentity {
			data := ppp.CHAPValue{Value: eapChallenge, Name: []byte("server")}.Append(nil)
			packet := ppp.EAPPacket{Code: ppp.EAPRequest, Identifier: e.Identifier + 1, Type: ppp.EAPMD5Challenge, Data: data}.Append(nil)
			return aaa.Decision{}, &aaa.Challenge{Packet: packet, State: []byte("s1"), Backend: "radius", Timeout: timeout}
		}
		value, _ := ppp.ParseCHAPValue(e.Data)
		want := md5.Sum(append(append([]byte{e.Identifier}, r.password...), eapChallenge...))
		if string(a.Proof.State) != "s1" || a.Backend != "radius" || a.Name != userName || a.MTU != 1400 {
			r.t.Errorf("asked %+v", a)
		}
		if !bytes.Equal(value.Value, want[:]) {
			return aaa.Decision{}, &aaa.Rejection{Cause: aaa.Refused, Detail: "no reason given", Packet: []byte{4, 99, 0, 4}}
		}
		d := r.decision
		d.Packet = []byte{3, e.Identifier, 0, 4}
		return d, nil
	}
}

func eapRig(t *testing.T) *rig {
	r := newRig(t, testPolicy(negotiate.AuthEAP))
	r.server = r.md5Server(0)
	return r
}

func TestEAPLogin(t *testing.T) {
	r := eapRig(t)
	r.dial()
	r.wantOpen()
	if r.asks != 2 || r.s.Method() != aaa.EAP || r.s.Name() != userName || r.done == nil || !r.done.OK {
		t.Errorf("%d asks, method %s, name %q, the peer was told %+v", r.asks, r.s.Method(), r.s.Name(), r.done)
	}
}

func TestEAPRefusal(t *testing.T) {
	r := eapRig(t)
	r.password = "another"
	r.dial()
	r.pass(10*time.Second, Activity{})
	if r.ended == nil || r.ended.Verdict.Cause != trace.RADIUSRefused || !strings.Contains(r.ended.Verdict.String(), "refused by the RADIUS server") {
		t.Fatalf("ended %+v", r.ended)
	}
	if !bytes.Equal(r.last(ppp.EAP), []byte{4, 99, 0, 4}) || r.done == nil || r.done.OK {
		t.Errorf("the peer was told %x, %+v", r.last(ppp.EAP), r.done)
	}
}

// A person who looks for a telephone has the time that the back end gives, whatever the setup timeout says.
func TestSetupTimeoutDoesNotCutAPersonShort(t *testing.T) {
	policy := testPolicy(negotiate.AuthEAP)
	policy.SetupTimeout = 20 * time.Second
	r := newRig(t, policy)
	r.server = r.md5Server(time.Minute)
	r.dialUntilChallenge()
	waiting := r.now
	r.pass(59*time.Second, Activity{})
	if r.ended != nil {
		t.Fatalf("ended after %s: %s", r.now.Sub(waiting), r.ended.Verdict)
	}
	r.mute = false
	for _, f := range r.held {
		r.peerTakes(f)
	}
	r.settle()
	r.wantOpen()
}

// A server that goes on asking a peer that goes on answering, and begins anew now and then, does not hold the session for ever.
func TestAConversationWithoutEndEnds(t *testing.T) {
	for _, again := range []int{1 << 20, 5, 1} { // turns until the peer negotiates anew
		r := newRig(t, testPolicy(negotiate.AuthEAP))
		r.server = func(a *Ask) (aaa.Decision, error) {
			data := ppp.CHAPValue{Value: eapChallenge, Name: []byte("server")}.Append(nil)
			packet := ppp.EAPPacket{Code: ppp.EAPRequest, Identifier: a.Proof.EAP[1] + 1, Type: ppp.EAPMD5Challenge, Data: data}.Append(nil)
			return aaa.Decision{}, &aaa.Challenge{Packet: packet, Timeout: time.Minute}
		}
		r.holdAnswers = true
		r.dial()
		turns := 0
		for ; r.ended == nil && turns < 10000; turns++ {
			r.pass(20*time.Second, Activity{})
			if r.ended == nil && turns%again == again-1 {
				r.lcp = negotiate.NewLCP(negotiate.LCPConfig{Magic: uint32(turns) + 99, AcceptAuthentication: []negotiate.AuthProtocol{negotiate.AuthEAP}})
				r.dialAgain()
			} else if r.ended == nil {
				r.answer()
				r.settle()
			}
		}
		took := r.now.Sub(start)
		if r.ended == nil || r.ended.Verdict.Cause != trace.SetupTimeout || took < maxGrant || took > r.s.policy.SetupTimeout+maxGrant+30*time.Second {
			t.Errorf("anew after %d turns: %d turns in %s, ended %+v", again, turns, took, r.ended)
		}
	}
}

func TestAChallengeThatNobodyAnswersIsToldSo(t *testing.T) {
	r := eapRig(t)
	r.server = r.md5Server(50 * time.Second)
	r.dialUntilChallenge()
	waiting := r.now
	for r.ended == nil && r.now.Before(waiting.Add(time.Hour)) {
		r.pass(time.Second, Activity{})
	}
	if r.ended == nil || r.ended.Verdict.Cause != trace.ChallengeNoAnswer || r.s.EndedIn() != Authentication {
		t.Fatalf("ended %+v", r.ended)
	}
	if took := r.now.Sub(waiting); took < 50*time.Second || took > 55*time.Second {
		t.Errorf("given up after %s", took)
	}
}

// dialUntilChallenge walks to where the peer has a challenge to answer and is silent. What it was sent last is held.
func (r *rig) dialUntilChallenge() {
	server := r.server
	r.server = func(a *Ask) (aaa.Decision, error) {
		d, err := server(a)
		var c *aaa.Challenge
		if errors.As(err, &c) {
			r.mute = true
			r.held = []ppp.Frame{{Protocol: ppp.EAP, Packet: c.Packet}}
		}
		return d, err
	}
	r.dial()
	if !r.mute {
		r.t.Fatal("there was no challenge")
	}
}

func TestAPacketThatDoesNotFitEndsTheLogin(t *testing.T) {
	r := eapRig(t)
	r.server = func(*Ask) (aaa.Decision, error) {
		packet := ppp.EAPPacket{Code: ppp.EAPRequest, Identifier: 9, Type: 13, Data: make([]byte, 1396)}.Append(nil)
		return aaa.Decision{}, &aaa.Challenge{Packet: packet}
	}
	r.dial()
	r.pass(10*time.Second, Activity{})
	if r.ended == nil || r.ended.Verdict.Cause != trace.AuthenticationUnavailable || !strings.Contains(r.ended.Verdict.Detail, "fragments") {
		t.Errorf("ended %+v", r.ended)
	}
}

func TestOnlyEAPHasRoomForAChallenge(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthPAP))
	r.server = func(*Ask) (aaa.Decision, error) { return aaa.Decision{}, &aaa.Challenge{Packet: []byte{1}} }
	r.dial()
	r.pass(10*time.Second, Activity{})
	if r.ended == nil || r.ended.Verdict.Cause != trace.AuthenticationUnavailable || r.done == nil || r.done.OK {
		t.Errorf("ended %+v, the peer was told %+v", r.ended, r.done)
	}
}

func TestRFC3579Section2_1_TheCallingNumberStandsForAnEmptyIdentity(t *testing.T) {
	for _, number := range []string{"", "+49 30 1234"} {
		r := eapRig(t)
		r.s.CallFrom(number)
		r.peerName = ""
		r.holdAnswers = true
		r.dial()
		if r.ask == nil || r.ask.Name != number || r.s.Name() != number {
			t.Errorf("%q: asks %+v", number, r.ask)
		}
	}
}

func TestThePeerChoosesItsAddress(t *testing.T) {
	wish := netip.MustParseAddr("10.20.30.40")
	for name, tc := range map[string]struct {
		byPeer bool
		fixed  netip.Addr
		wish   netip.Addr
		want   netip.Addr
	}{
		"a wish":                 {byPeer: true, wish: wish, want: wish},
		"no wish":                {byPeer: true},
		"not its choice":         {wish: wish},
		"an address of its own":  {byPeer: true, fixed: theirs, wish: wish},
		"our own":                {byPeer: true, wish: ours},
		"loopback":               {byPeer: true, wish: netip.MustParseAddr("127.0.0.1")},
		"multicast":              {byPeer: true, wish: netip.MustParseAddr("224.0.0.5")},
		"broadcast":              {byPeer: true, wish: netip.MustParseAddr("255.255.255.255")},
		"this network":           {byPeer: true, wish: netip.MustParseAddr("0.1.2.3")},
		"configured by the link": {byPeer: true, wish: netip.MustParseAddr("169.254.1.2")},
	} {
		r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
		r.decision.AddressByPeer, r.decision.Address, r.wish = tc.byPeer, tc.fixed, tc.wish
		if tc.want.IsValid() {
			r.lease.Address = tc.want
		}
		r.dial()
		r.wantOpen()
		if r.leaseAsks != 1 || r.addressAsk.Wish != tc.want || r.addressAsk.Decision.Address != tc.fixed {
			t.Errorf("%s: %d asks, the last %+v", name, r.leaseAsks, r.addressAsk)
		}
		if !r.now.Equal(start) {
			t.Errorf("%s: it took time", name)
		}
	}
}

// A wish that somebody else has is no reason to be sent away.
func TestAWishThatIsTakenGivesWayToThePools(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.decision.AddressByPeer, r.wish = true, netip.MustParseAddr("10.20.30.40")
	r.holdAnswers = true
	r.dial()
	r.answer()
	r.settle()
	r.leaseErr = &pool.InUseError{Address: r.wish, Holder: "9/9"}
	r.giveLease()
	if r.leaseAsks != 2 || r.addressAsk.Wish.IsValid() {
		t.Fatalf("%d asks, the last %+v", r.leaseAsks, r.addressAsk)
	}
	r.leaseErr = nil
	r.giveLease()
	r.settle()
	r.wantOpen()
	if r.opened.Address != theirs {
		t.Errorf("opened with %+v", r.opened)
	}
}

// A peer that waits for us to speak first gets an address of the pools after a moment.
func TestAPeerThatNamesNoWishIsNotWaitedForLong(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.decision.AddressByPeer = true
	r.holdAnswers = true
	r.dial()
	r.mute = true // the peer hears no Success, so it says nothing about addresses
	r.answer()
	if r.leaseAsks != 0 || r.s.Phase() != Address {
		t.Fatalf("at %s after %d lease asks", r.s.Phase(), r.leaseAsks)
	}
	r.pass(wishTimeout, Activity{})
	if r.leaseAsks != 1 || r.addressAsk.Wish.IsValid() {
		t.Errorf("%d asks, the last %+v", r.leaseAsks, r.addressAsk)
	}
}

func TestChangeCountsTheTimeoutFromTheBegin(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.decision.Class = [][]byte{{1}}
	r.dial()
	r.wantOpen()
	r.pass(time.Minute, Activity{})
	timeout, idle, rate, filter := 90*time.Second, time.Duration(0), uint64(5), "strict"
	r.s.Change(aaa.Change{SessionTimeout: &timeout, IdleTimeout: &idle, RateUp: &rate, Filter: &filter})
	d := r.s.Decision()
	if d.SessionTimeout != timeout || d.RateUp != 5 || d.RateDown != 0 || d.Filter != "strict" || len(d.Class) != 1 {
		t.Errorf("%+v", d)
	}
	r.pass(29*time.Second, Activity{})
	if r.ended != nil {
		t.Fatalf("ended early: %s", r.ended.Verdict)
	}
	r.pass(5*time.Second, Activity{})
	if r.ended == nil || r.ended.Verdict.Cause != trace.SessionTimeout {
		t.Errorf("ended %+v", r.ended)
	}
}

func TestRoutesAreForTheDataPath(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	network := netip.MustParsePrefix("192.168.7.0/24")
	r.decision.Routes = []aaa.Route{{Prefix: network, Metric: 3}}
	r.dial()
	r.wantOpen()
	if len(r.opened.Routes) != 1 || r.opened.Routes[0] != network {
		t.Errorf("opened with %+v", r.opened)
	}
}
