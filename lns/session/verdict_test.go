package session

import (
	"errors"
	"net/netip"
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

// Whatever is wrong with a login, the peer and the LAC are told the same.
func TestEveryRefusedLoginLooksTheSameToThePeer(t *testing.T) {
	for _, reason := range aaa.Reasons() {
		for cause := aaa.UnknownUser; cause <= aaa.NoAddress; cause++ {
			r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
			r.holdAnswers = true
			r.dial()
			no := aaa.Reject(cause, "the detail of it").For(reason)
			r.step(func(o *Out) { r.s.Authenticated(r.ask.Generation, aaa.Decision{}, no, r.now, o) })
			r.settle()
			r.pass(10*time.Second, Activity{})
			v := r.ended.Verdict
			if v.Cause == trace.Unknown || v.Cause.Stage() != trace.StageAuthentication || !strings.Contains(v.Detail, "the detail of it") {
				t.Errorf("%v, %v: %+v", cause, reason, v)
			}
			want := l2tp.ResultCode{Result: l2tp.CDNAdministrative, Message: trace.AuthenticationRejected.String()}
			if r.ended.Result != want || r.ended.Cause == nil || r.ended.Cause.Code != 16 {
				t.Errorf("%v, %v: the LAC is told %+v, %+v", cause, reason, r.ended.Result, r.ended.Cause)
			}
		}
	}
}

func TestEveryReasonHasACause(t *testing.T) {
	for _, reason := range aaa.Reasons() {
		if _, known := causeOfReason[reason]; known == (reason == aaa.ReasonNone) {
			t.Errorf("%v: %v", reason, known)
		}
	}
	got := LoginVerdict(aaa.Reject(aaa.Timeout, "x").For(aaa.EAPBrokeOff))
	if got.Cause != trace.AuthenticationTimeout || LoginVerdict(errors.New("x")).Cause != trace.AuthenticationUnavailable {
		t.Error(got)
	}
}

func TestAPeerThatHangsUpWhileItWaitsGaveUp(t *testing.T) {
	hangUps := map[string]func(r *rig){
		"Terminate-Request": func(r *rig) {
			r.peerLCP(func(o *negotiate.Out) { r.lcp.Close(r.now, o) })
			r.settle()
			r.pass(closeTimeout, Activity{})
		},
		"CDN": func(r *rig) {
			r.step(func(o *Out) { r.s.Lost(trace.Verdict{Cause: trace.CallClosed, Detail: "bye"}, r.now, o) })
		},
		"StopCCN": func(r *rig) {
			r.step(func(o *Out) { r.s.Lost(trace.Verdict{Cause: trace.TunnelClosed, Detail: "bye"}, r.now, o) })
		},
	}
	for name, hangUp := range hangUps {
		r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
		r.holdAnswers = true
		r.dial()
		r.pass(31*time.Second, Activity{})
		hangUp(r)
		v := r.ended.Verdict
		if v.Cause != trace.PeerGaveUp || !strings.Contains(v.Detail, "it had waited 31s for the check of its login") {
			t.Errorf("%s: %v", name, v)
		}
		if name != "Terminate-Request" && !strings.Contains(v.Detail, "bye") {
			t.Errorf("%s: %v", name, v)
		}
	}
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.holdAnswers = true
	r.dial()
	r.answer()
	r.pass(2*time.Second, Activity{})
	r.step(func(o *Out) { r.s.Lost(trace.Verdict{Cause: trace.CallClosed}, r.now, o) })
	if v := r.ended.Verdict; v.Cause != trace.PeerGaveUp || v.Detail != "it had waited 2s for an address" {
		t.Error(v)
	}
}

func TestLostByItselfIsNoGivingUp(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.holdAnswers = true
	r.dial()
	r.step(func(o *Out) { r.s.Lost(trace.Verdict{Cause: trace.TunnelLost}, r.now, o) })
	if v := r.ended.Verdict; v.Cause != trace.TunnelLost {
		t.Error(v)
	}
}

func TestALinkOnWhichOnlyThePeerIsHeard(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.mute = true
	r.step(func(o *Out) { r.s.Start(l2tp.ICCN{}, r.now, o) })
	r.step(func(o *Out) {
		r.s.Frame(encode(ppp.Frame{Protocol: ppp.LCP, Packet: []byte{1, 1, 0, 4}}), r.now, o)
	})
	r.pass(2*time.Minute, Activity{})
	v := r.ended.Verdict
	if v.Cause != trace.LinkOneWay || !strings.Contains(v.Detail, "Configure-Requests sent, none answered") {
		t.Error(v)
	}
	if r.ended.Result.Result != l2tp.CDNTimeout || r.ended.Cause.Code != 5 {
		t.Errorf("%+v", r.ended)
	}
}

func TestAMethodThatThePeerRefuses(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthEAP))
	r.lcp = negotiate.NewLCP(negotiate.LCPConfig{MRU: 1400, Magic: 77, AcceptAuthentication: []negotiate.AuthProtocol{negotiate.AuthPAP}})
	r.dial()
	r.pass(10*time.Second, Activity{})
	if v := r.ended.Verdict; v.Cause != trace.AuthenticationRefused ||
		!strings.HasSuffix(v.Detail, "the peer's answer is Configure-Nak: authentication PAP; offered: EAP") {
		t.Error(v)
	}
}

func TestWhyThereIsNoAddress(t *testing.T) {
	for _, test := range []struct {
		err     error
		want    trace.Cause
		result  uint16
		message trace.Cause
	}{
		{&pool.ExhaustedError{Pools: []pool.Usage{{Pool: "p", Size: 250, Leased: 250}}}, trace.NoAddress, l2tp.CDNError, trace.NoAddress},
		{&pool.InUseError{Address: netip.MustParseAddr("10.0.0.1"), Holder: "1/2"}, trace.AddressInUse, l2tp.CDNError, trace.AddressInUse},
		{&pool.ReservedError{}, trace.AddressInUse, l2tp.CDNError, trace.AddressInUse},
		{&pool.UnknownPoolError{Name: "p"}, trace.NoSuchPool, l2tp.CDNError, trace.AddressFault},
		{pool.ErrNoPool, trace.NoPool, l2tp.CDNError, trace.NoPool},
		{errors.New("x"), trace.AddressFault, l2tp.CDNError, trace.AddressFault},
	} {
		r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
		r.leaseErr = test.err
		r.dial()
		v := r.ended.Verdict
		if v.Cause != test.want || !strings.HasSuffix(v.Detail, test.err.Error()) || LeaseVerdict(test.err).Cause != v.Cause {
			t.Errorf("%v: %v", test.err, v)
		}
		if got := r.ended.Result; got.Result != test.result || got.Message != test.message.String() {
			t.Errorf("%v: the LAC is told %+v", test.err, got)
		}
	}
}

// What is malformed is told to the administrator; to the peer it is no answer, as it always was.
func TestAMalformedAnswer(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.peerLCP(func(o *negotiate.Out) { r.lcp.Open(r.now, o); r.lcp.Up(r.now, o) })
	r.step(func(o *Out) { r.s.Start(l2tp.ICCN{}, r.now, o) })
	for len(r.queue) > 0 && r.ended == nil {
		f := r.queue[0]
		r.queue = r.queue[1:]
		if f.Protocol == ppp.CHAP {
			f.Packet[4] = 15 // octets of the value
		}
		r.step(func(o *Out) { r.s.Frame(encode(f), r.now, o) })
	}
	v := r.ended.Verdict
	if v.Cause != trace.MalformedProof || !strings.Contains(v.Detail, "malformed") {
		t.Error(v)
	}
	if got := r.ended.Result; got.Result != l2tp.CDNTimeout || got.Message != trace.AuthenticationNoAnswer.String() || r.ended.Cause.Code != 13 {
		t.Errorf("%+v, %+v", got, r.ended.Cause)
	}
}
