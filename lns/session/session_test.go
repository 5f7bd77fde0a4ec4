package session

import (
	"errors"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/negotiate"
	"lnsgate/lns/ppp"
	"lnsgate/lns/trace"
	"lnsgate/pool"
)

func TestLoginWalksToOpen(t *testing.T) {
	for _, m := range []negotiate.AuthProtocol{negotiate.AuthPAP, negotiate.AuthCHAPMD5, negotiate.AuthMSCHAPv2} {
		t.Run(m.String(), func(t *testing.T) {
			r := newRig(t, testPolicy(m))
			r.dial()
			r.wantOpen()
			if r.opened.Address != theirs || r.opened.PeerMRU != 1400 || r.opened.LocalMRU != 1460 {
				t.Errorf("opened with %+v", *r.opened)
			}
			got := r.ipcp.Result()
			if got.Local != theirs || got.Peer != ours || got.DNS[0] != dns[0] {
				t.Errorf("the peer learned %+v", got)
			}
			if r.asks != 1 || r.leaseAsks != 1 || r.s.Name() != userName || r.s.Method() != m.Method() {
				t.Errorf("%d asks, %d lease asks, name %q, method %s", r.asks, r.leaseAsks, r.s.Name(), r.s.Method())
			}
		})
	}
}

func TestWrongPasswordIsRefusedToThePeerAndExplainedToTheLog(t *testing.T) {
	for _, m := range []negotiate.AuthProtocol{negotiate.AuthPAP, negotiate.AuthCHAPMD5, negotiate.AuthMSCHAPv2} {
		t.Run(m.String(), func(t *testing.T) {
			r := newRig(t, testPolicy(m))
			r.password = "another"
			r.dial()
			r.pass(10*time.Second, Activity{})
			if r.done == nil || r.done.OK {
				t.Fatalf("the peer was told %+v", r.done)
			}
			if r.ended == nil || r.ended.Verdict.Cause != trace.WrongPassword {
				t.Fatalf("ended %+v", r.ended)
			}
			if !strings.Contains(r.ended.Verdict.String(), "wrong password") {
				t.Errorf("the log is told %q", r.ended.Verdict.Detail)
			}
			if strings.Contains(r.ended.Result.Message, "password") {
				t.Errorf("the LAC is told %q", r.ended.Result.Message)
			}
			if r.s.EndedIn() != Authentication || r.leaseAsks != 0 {
				t.Errorf("ended in %s after %d lease asks", r.s.EndedIn(), r.leaseAsks)
			}
		})
	}
}

func TestExhaustedPoolIsToldAtOnce(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.leaseErr = &pool.ExhaustedError{Pools: []pool.Usage{{Pool: "pool1", Size: 1, Leased: 1}}}
	r.dial()
	if r.ended == nil || r.ended.Verdict.Cause != trace.NoAddress {
		t.Fatalf("ended %+v", r.ended)
	}
	if r.ended.Result.Result != l2tp.CDNError || r.ended.Result.Error != l2tp.ErrNoResources || r.ended.Result.Message == "" {
		t.Errorf("the LAC is told %+v", r.ended.Result)
	}
	if r.ended.PeerKnows {
		t.Error("the LAC would not be told")
	}
}

func TestLeaseFaultsHaveTheirOwnCause(t *testing.T) {
	for _, c := range []struct {
		err  error
		want trace.Cause
	}{
		{&pool.InUseError{Address: theirs, Holder: "9/9"}, trace.AddressInUse},
		{pool.ErrNoPool, trace.NoPool},
		{errors.New("disk full"), trace.AddressFault},
	} {
		r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
		r.leaseErr = c.err
		r.dial()
		if r.ended == nil || r.ended.Verdict.Cause != c.want {
			t.Errorf("%v: ended %+v", c.err, r.ended)
		}
	}
}

// A peer may send IPCP right behind our CHAP Success, while we still wait for the lease.
func TestEarlyIPCPIsKept(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.holdAnswers = true
	r.dial()
	r.answer()
	r.settle() // the peer's IPCP request is in
	if r.s.Phase() != Address {
		t.Fatalf("at %s", r.s.Phase())
	}
	r.giveLease()
	r.settle()
	r.wantOpen()
	if !r.now.Equal(start) {
		t.Error("it took time")
	}
}

// The peer's first LCP Configure-Request may overtake the ICCN.
func TestEarlyLCPIsKept(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.peerLCP(func(o *negotiate.Out) { r.lcp.Open(r.now, o); r.lcp.Up(r.now, o) })
	r.settle()
	if len(r.sent) != 0 {
		t.Fatal("answered before the call was up")
	}
	r.step(func(o *Out) { r.s.Start(l2tp.ICCN{}, r.now, o) })
	if r.saidTo(ppp.LCP, ppp.ConfigureAck) != 1 {
		t.Error("the kept Configure-Request was not acknowledged at once")
	}
	r.settle()
	r.wantOpen()
}

func TestEarlyFramesAreBounded(t *testing.T) {
	s := New(testPolicy(negotiate.AuthPAP))
	var out Out
	kept := 0
	for i := range 100 {
		if s.Frame([]byte{0xff, 3, 0xc0, 0x21, byte(i), 1, 0, 4}, start, &out) {
			kept++
		}
	}
	if kept != maxEarlyFrames || len(s.way().early) != maxEarlyFrames {
		t.Errorf("kept %d of 100 frames", kept)
	}
	if kept := 0; s.Frame([]byte{0xff, 3, 0xc0, 0x21, 0, 2, 0, 4}, start, &out) {
		for _, f := range s.way().early {
			if f.Packet[0] == 0 {
				kept = int(f.Packet[1])
			}
		}
		if kept != 2 {
			t.Errorf("of two packets of a kind, number %d is kept", kept)
		}
	}
	s = New(testPolicy(negotiate.AuthPAP))
	if s.Frame(append([]byte{0xff, 3, 0xc0, 0x21}, make([]byte, maxEarlyOctets+1)...), start, &out) {
		t.Error("kept a frame over the limit")
	}
}

func TestStaleAnswersChangeNothing(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.holdAnswers = true
	r.dial()
	stale := *r.ask
	// The peer starts LCP again before the answer is there.
	r.lcp = negotiate.NewLCP(negotiate.LCPConfig{Magic: 99, AcceptAuthentication: []negotiate.AuthProtocol{negotiate.AuthCHAPMD5}})
	r.dialAgain()
	if r.asks != 2 {
		t.Fatalf("%d asks", r.asks)
	}
	r.step(func(o *Out) { r.s.Authenticated(stale.Generation, r.decision, nil, r.now, o) })
	if r.s.Phase() != Authentication {
		t.Fatalf("a stale answer led to %s", r.s.Phase())
	}
	r.answer()
	staleLease := r.addressAsk.Generation
	r.step(func(o *Out) {
		if r.s.Leased(staleLease-1, r.lease, nil, r.now, o) {
			t.Error("a stale lease was taken")
		}
	})
	r.giveLease()
	r.settle()
	r.wantOpen()
}

func (r *rig) dialAgain() {
	r.auth, r.ipcp, r.queue = nil, nil, nil
	r.peerLCP(func(o *negotiate.Out) { r.lcp.Open(r.now, o); r.lcp.Up(r.now, o) })
	r.settle()
}

func TestRenegotiationKeepsTheLease(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.dial()
	r.wantOpen()
	r.lcp = negotiate.NewLCP(negotiate.LCPConfig{Magic: 99, AcceptAuthentication: []negotiate.AuthProtocol{negotiate.AuthCHAPMD5}})
	r.dialAgain()
	r.wantOpen()
	if r.suspends != 1 || r.opens != 2 || r.asks != 2 || r.leaseAsks != 1 || len(r.returned) != 0 {
		t.Errorf("%d suspends, %d opens, %d asks, %d lease asks, returned %v", r.suspends, r.opens, r.asks, r.leaseAsks, r.returned)
	}
}

func TestRenegotiationAsAnotherAccountChangesTheLease(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.dial()
	r.decision.Account = "another"
	r.lcp = negotiate.NewLCP(negotiate.LCPConfig{Magic: 99, AcceptAuthentication: []negotiate.AuthProtocol{negotiate.AuthCHAPMD5}})
	r.dialAgain()
	r.wantOpen()
	if r.leaseAsks != 2 || len(r.returned) != 1 || r.returned[0].Address != theirs {
		t.Errorf("%d lease asks, returned %v", r.leaseAsks, r.returned)
	}
}

// the Success may be lost; the repeated Response gets the same octets and no second check.
func TestQ38RepeatedResponse(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthMSCHAPv2))
	var response ppp.Frame
	r.peerLCP(func(o *negotiate.Out) { r.lcp.Open(r.now, o); r.lcp.Up(r.now, o) })
	r.step(func(o *Out) { r.s.Start(l2tp.ICCN{}, r.now, o) })
	for len(r.queue) > 0 {
		if f := r.queue[0]; f.Protocol == ppp.CHAP {
			response = f
		}
		f := r.queue[0]
		r.queue = r.queue[1:]
		r.step(func(o *Out) { r.s.Frame(encode(f), r.now, o) })
	}
	r.wantOpen()
	success := r.last(ppp.CHAP)
	r.step(func(o *Out) { r.s.Frame(encode(response), r.now, o) })
	if again := r.last(ppp.CHAP); string(again) != string(success) || r.saidTo(ppp.CHAP, ppp.CHAPSuccess) != 2 {
		t.Errorf("answered %x, before %x", again, success)
	}
	if r.asks != 1 || r.s.Phase() != Open {
		t.Errorf("%d asks, at %s", r.asks, r.s.Phase())
	}
}

func TestUnknownProtocolsAreRejectedOnceTheLinkServesThem(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.dial()
	r.step(func(o *Out) {
		r.s.Frame([]byte{0xff, 3, 0x80, 0xfd, 1, 1, 0, 10, 18, 6, 1, 0, 0, 1}, r.now, o)
	})
	p, err := ppp.ParsePacket(r.last(ppp.LCP))
	if err != nil || p.Code != ppp.ProtocolReject || p.Data[0] != 0x80 || p.Data[1] != 0xfd {
		t.Errorf("CCP was answered with %+v", p)
	}
	r.wantOpen()
}

func TestSetupTimeout(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.holdAnswers = true
	r.dial()
	r.pass(2*time.Minute, Activity{})
	if r.ended == nil || r.ended.Verdict.Cause != trace.SetupTimeout || r.s.EndedIn() != Authentication {
		t.Fatalf("ended %+v in %s", r.ended, r.s.EndedIn())
	}
}

func TestSilentPeerEndsWithLinkNoAnswer(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.mute = true
	r.step(func(o *Out) { r.s.Start(l2tp.ICCN{}, r.now, o) })
	r.pass(2*time.Minute, Activity{})
	if r.ended == nil || r.ended.Verdict.Cause != trace.LinkNoAnswer {
		t.Fatalf("ended %+v", r.ended)
	}
}

func TestSessionTimeout(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.decision.SessionTimeout = time.Hour
	r.dial()
	r.pass(59*time.Minute, Activity{})
	r.wantOpen()
	r.pass(2*time.Minute, Activity{})
	if r.ended == nil || r.ended.Verdict.Cause != trace.SessionTimeout || len(r.returned) != 1 {
		t.Fatalf("ended %+v, returned %v", r.ended, r.returned)
	}
}

func TestIdleTimeoutCountsFromTheLastPacket(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.decision.IdleTimeout = 10 * time.Minute
	r.dial()
	busy := Activity{LastTx: start.Add(9 * time.Minute)}
	r.pass(15*time.Minute, busy)
	r.wantOpen()
	r.pass(5*time.Minute, busy)
	if r.ended == nil || r.ended.Verdict.Cause != trace.IdleTimeout {
		t.Fatalf("ended %+v", r.ended)
	}
}

func TestTrafficCountsAsLife(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.dial()
	r.mute = true
	for range 60 { // ten minutes of traffic, no echo answered
		r.pass(10*time.Second, Activity{LastRx: r.now})
	}
	r.wantOpen()
	r.pass(10*time.Minute, Activity{})
	if r.ended == nil || r.ended.Verdict.Cause != trace.EchoLost {
		t.Fatalf("ended %+v", r.ended)
	}
}

func TestPeerThatGoesWhenItWasGivenUpDoesNotSayWhy(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.dial()
	r.mute = true
	for r.saidTo(ppp.LCP, ppp.TerminateRequest) == 0 {
		r.pass(time.Second, Activity{})
	}
	r.step(func(o *Out) { r.s.Lost(trace.Verdict{Cause: trace.CallClosed}, r.now, o) })
	if r.ended == nil || r.ended.Verdict.Cause != trace.EchoLost || r.s.EndedIn() != Open {
		t.Fatalf("ended %+v in %s", r.ended, r.s.EndedIn())
	}
}

func TestPeerHangsUp(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.dial()
	r.peerLCP(func(o *negotiate.Out) { r.lcp.Close(r.now, o) })
	r.settle()
	r.pass(10*time.Second, Activity{})
	if r.ended == nil || r.ended.Verdict.Cause != trace.PeerTerminated || r.ended.PeerKnows {
		t.Fatalf("ended %+v", r.ended)
	}
	if r.saidTo(ppp.LCP, ppp.TerminateAck) != 1 || r.opened != nil {
		t.Error("no Terminate-Ack, or still in the data path")
	}
}

// A client hangs up by a Terminate-Request with a CDN right behind it: the first of them is the cause.
func TestPeerHangsUpAndClosesTheCall(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.dial()
	r.peerLCP(func(o *negotiate.Out) { r.lcp.Close(r.now, o) })
	r.settle()
	if r.opened != nil {
		t.Error("user traffic still flows")
	}
	r.step(func(o *Out) { r.s.Lost(trace.Verdict{Cause: trace.CallClosed}, r.now, o) })
	if r.ended == nil || r.ended.Verdict.Cause != trace.PeerTerminated || !r.ended.PeerKnows {
		t.Fatalf("ended %+v", r.ended)
	}
}

func TestCloseWaitsForThePeerAndNoLonger(t *testing.T) {
	for _, mute := range []bool{false, true} {
		r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
		r.dial()
		r.mute = mute
		r.step(func(o *Out) { r.s.Close(trace.Verdict{Cause: trace.Kicked, Detail: "maintenance"}, r.now, o) })
		if r.opened != nil {
			t.Error("user traffic still flows")
		}
		r.settle()
		r.pass(closeTimeout, Activity{})
		if r.ended == nil || r.ended.Verdict.Cause != trace.Kicked || len(r.returned) != 1 {
			t.Fatalf("mute %v: ended %+v, returned %v", mute, r.ended, r.returned)
		}
		if !strings.Contains(r.ended.Result.Message, "maintenance") {
			t.Errorf("the LAC is told %+v", r.ended.Result)
		}
	}
}

func TestLostEndsAtOnceAndReturnsTheLease(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.dial()
	r.step(func(o *Out) { r.s.Lost(trace.Verdict{Cause: trace.TunnelLost}, r.now, o) })
	if r.ended == nil || !r.ended.PeerKnows || r.ended.Verdict.Cause != trace.TunnelLost || len(r.returned) != 1 {
		t.Fatalf("ended %+v, returned %v", r.ended, r.returned)
	}
}

func TestBackendFaultIsNotCalledAWrongPassword(t *testing.T) {
	for cause, want := range map[aaa.Cause]trace.Cause{
		aaa.BackendUnavailable: trace.AuthenticationUnavailable,
		aaa.Timeout:            trace.AuthenticationTimeout,
		aaa.UnknownUser:        trace.UnknownUser,
	} {
		r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
		r.holdAnswers = true
		r.dial()
		r.step(func(o *Out) { r.s.Authenticated(r.ask.Generation, aaa.Decision{}, aaa.Reject(cause, "x"), r.now, o) })
		r.settle()
		r.pass(10*time.Second, Activity{})
		if r.ended == nil || r.ended.Verdict.Cause != want {
			t.Errorf("%s: ended %+v", cause, r.ended)
		}
	}
}

func TestMTUOfTheDecisionCapsTheLink(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.decision.MTU = 1280
	r.dial()
	r.wantOpen()
	if r.opened.PeerMRU != 1280 {
		t.Errorf("peer MRU %d", r.opened.PeerMRU)
	}
}

func TestReauthorizedMovesTheTimeouts(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.dial()
	r.s.Reauthorized(aaa.Decision{SessionTimeout: time.Minute}, r.now)
	r.pass(2*time.Minute, Activity{})
	if r.ended == nil || r.ended.Verdict.Cause != trace.SessionTimeout {
		t.Fatalf("ended %+v", r.ended)
	}
}
