package session

import (
	"testing"
	"time"

	"lnsgate/lns/negotiate"
	"lnsgate/lns/ppp"
	"lnsgate/lns/trace"
)

// advanceOnce lets the session act at its deadline and says whether the deadline has moved into the future.
func (r *rig) advanceOnce(at time.Time) bool {
	r.now = at
	r.step(func(o *Out) { r.s.Advance(r.now, Activity{}, o) })
	d := r.s.Deadline()
	return r.ended != nil || d.IsZero() || d.After(r.now)
}

// A peer hangs up shortly before the setup timeout: the deadline has to move on, or the goroutine of the tunnel spins.
func TestDeadlineMovesOnWhenThePeerHangsUpBeforeTheSetupTimeout(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.holdAnswers = true
	r.dial() // waits for the check of the login
	r.now = start.Add(59 * time.Second)
	r.peerLCP(func(o *negotiate.Out) { r.lcp.Close(r.now, o) })
	r.settle()
	if r.s.Phase() != Closing {
		t.Fatalf("phase %s", r.s.Phase())
	}
	if !r.advanceOnce(start.Add(60 * time.Second)) {
		t.Errorf("at the setup timeout the deadline stays at %v, now is %v: a busy loop until closeTimeout", r.s.Deadline(), r.now)
	}
}

// The same with the session timeout of an open session.
func TestDeadlineMovesOnWhenThePeerHangsUpBeforeTheSessionTimeout(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.decision.SessionTimeout = 10 * time.Second
	r.dial()
	r.wantOpen()
	r.now = start.Add(9 * time.Second)
	r.peerLCP(func(o *negotiate.Out) { r.lcp.Close(r.now, o) })
	r.settle()
	if !r.advanceOnce(start.Add(10 * time.Second)) {
		t.Errorf("the deadline stays at %v, now is %v", r.s.Deadline(), r.now)
	}
}

// RFC 1661 section 3.7: once we have said goodbye only LCP is spoken.
func TestNothingButLCPAfterOurTerminateRequest(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.holdAnswers = true
	r.dial()
	r.answer()
	r.mute = true
	r.giveLease() // IPCP has begun, the peer is silent
	r.step(func(o *Out) { r.s.Close(traceKicked(), r.now, o) })
	before := len(r.sent)
	for i := 0; i < 200 && r.ended == nil; i++ {
		r.advanceOnce(r.s.Deadline())
	}
	for _, f := range r.sent[before:] {
		if f.Protocol != ppp.LCP {
			t.Errorf("protocol %v sent while closing", f.Protocol)
		}
	}
}

// Renegotiation has no setup timeout: who has been open once may hold the lease without ever logging in again.
func TestRenegotiationIsBounded(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.decision.IdleTimeout = 5 * time.Minute
	r.dial()
	r.wantOpen()
	r.holdAnswers = true
	for range 120 { // an hour of LCP Configure-Requests, and not one login that is checked
		r.now = r.now.Add(30 * time.Second)
		r.peerLCP(func(o *negotiate.Out) { r.lcp.Down(r.now, o); r.lcp.Up(r.now, o) })
		r.settle()
		if r.ended != nil {
			return
		}
		if d := r.s.Deadline(); !d.IsZero() && d.Before(r.now) {
			r.step(func(o *Out) { r.s.Advance(r.now, Activity{}, o) })
		}
		if r.ended != nil {
			return
		}
	}
	t.Errorf("after an hour of renegotiation the session is at %s and holds %v", r.s.Phase(), r.s.Lease().Address)
}

// Junk that comes during the check must not push out the frame the peer is waited for with.
func TestUserPacketsDoNotPushOutIPCP(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.holdAnswers = true
	r.dial()
	for i := range 8 {
		r.step(func(o *Out) {
			r.s.Frame(encode(ppp.Frame{Protocol: ppp.IPv4, Packet: []byte{0x45, byte(i)}}), r.now, o)
		})
	}
	ok := false
	r.step(func(o *Out) {
		ok = r.s.Frame(encode(ppp.Frame{Protocol: ppp.IPCP, Packet: []byte{1, 1, 0, 4}}), r.now, o)
	})
	if !ok {
		t.Error("eight IPv4 packets filled the room for early frames, and the IPCP Configure-Request was dropped")
	}
}

func traceKicked() trace.Verdict { return trace.Verdict{Cause: trace.Kicked} }

func TestMalformedControlPacketsAreToldAsDropped(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.dial()
	r.wantOpen()
	for _, frame := range [][]byte{
		{0xff, 3, 0xc0, 0x21, 9, 1, 0},        // cut inside the header
		{0xff, 3, 0xc0, 0x21, 9, 1, 0, 3, 0},  // a length shorter than the header
		{0xff, 3, 0x80, 0x21, 1, 1, 0, 99, 0}, // a length beyond the packet
	} {
		said := len(r.sent)
		r.step(func(o *Out) {
			if r.s.Frame(frame, r.now, o) {
				t.Errorf("%x was taken", frame)
			}
		})
		if len(r.sent) != said {
			t.Errorf("%x was answered", frame)
		}
	}
	r.wantOpen()
}
