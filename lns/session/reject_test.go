package session

import (
	"testing"
	"time"

	"lnsgate/lns/negotiate"
	"lnsgate/lns/ppp"
)

// rejects counts the Protocol-Rejects for so many frames of a protocol.
func (r *rig) rejects(p ppp.Protocol, frames int) int {
	r.mute = true // the client of the tests would be confused
	before := r.saidTo(ppp.LCP, ppp.ProtocolReject)
	for range frames {
		r.step(func(o *Out) { r.s.Frame(encode(ppp.Frame{Protocol: p, Packet: []byte{0x60, 0, 0, 0}}), r.now, o) })
	}
	return r.saidTo(ppp.LCP, ppp.ProtocolReject) - before
}

func TestRFC1661Section57ProtocolRejectsAreLimited(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.dial()
	r.wantOpen()
	if n := r.rejects(ppp.IPv6, 1000); n != rejectAtOnce {
		t.Errorf("1000 frames at once: %d rejects", n)
	}
	if n := r.rejects(ppp.CCP, 1); n != 1 {
		t.Errorf("another protocol: %d rejects", n)
	}
	r.now = r.now.Add(2 * rejectEvery)
	if n := r.rejects(ppp.IPv6, 1000); n != 2 {
		t.Errorf("two seconds later: %d rejects", n)
	}
	r.now = r.now.Add(time.Minute)
	if n := r.rejects(ppp.IPv6, 1000); n != rejectAtOnce {
		t.Errorf("a minute later: %d rejects", n)
	}
}

func TestManyProtocolsShareTheBudgetsOfAFew(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.dial()
	r.wantOpen()
	sum := 0
	for p := ppp.Protocol(0x4001); p < 0x4401; p += 2 {
		sum += r.rejects(p, 10)
	}
	if sum > rejectProtocols*rejectAtOnce || len(r.s.rejected) > rejectProtocols {
		t.Errorf("%d rejects, %d budgets", sum, len(r.s.rejected))
	}
}
