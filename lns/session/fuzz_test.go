package session

import (
	"errors"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/negotiate"
	"lnsgate/lns/ppp"
)

// FuzzLogin walks a session to where the peer is asked who it is, and then lets anything happen: frames of any content, answers
// of every kind that are due or stale, changes, time. What it asks for, opens and ends must stay in order. Each piece of the
// script is what happens, how long its octets are, and the octets.
func FuzzLogin(f *testing.F) {
	identity := []byte{0, 12, 0xc2, 0x27, 2, 0, 0, 8, 1, 'b', 'o', 'b', 0, 0}
	f.Add(append(identity, 2, 6, 1, 9, 0, 6, 4, 1, 0, 8, 0xc2, 0x27, 2, 9, 0, 6, 4, 1, 1, 0, 4, 0, 0, 12, 0x80, 0x21, 1, 1, 0, 10, 3, 6, 10, 0, 0, 9))
	f.Add(append(identity, 3, 4, 4, 0, 0, 4, 6, 1, 200))
	f.Add([]byte{7, 1, 60, 7, 1, 60, 5, 0, 8, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		r := newRig(t, testPolicy(negotiate.AuthEAP))
		r.holdAnswers = true
		r.dial()
		r.mute = true
		due := r.ask.Generation
		open, leased := false, false
		for len(script) > 1 && r.ended == nil {
			what, n := script[0], min(int(script[1]), len(script)-2)
			octets := script[2 : 2+n]
			script = script[2+n:]
			var out Out
			d := aaa.Decision{Account: "bob", Pools: []string{"p"}, AddressByPeer: what > 99, Packet: octets, SessionTimeout: time.Duration(what) * time.Second}
			switch what % 9 {
			case 0:
				r.s.Frame(append([]byte{0xff, 3}, octets...), r.now, &out)
			case 1:
				r.s.Authenticated(due, d, nil, r.now, &out)
			case 2:
				r.s.Authenticated(due, d, &aaa.Challenge{Packet: octets, Timeout: time.Duration(what) * time.Second}, r.now, &out)
			case 3:
				r.s.Authenticated(due, d, &aaa.Rejection{Cause: aaa.Refused, Packet: octets, Reply: string(octets)}, r.now, &out)
			case 4:
				leased = r.s.Leased(due, r.lease, nil, r.now, &out) || leased
			case 5:
				r.s.Leased(due, r.lease, errors.New("none"), r.now, &out)
			case 6:
				r.s.Change(aaa.Change{SessionTimeout: &d.SessionTimeout, IdleTimeout: &d.SessionTimeout})
				r.s.Reauthorized(d, r.now)
			case 7:
				for _, o := range octets {
					r.now = r.now.Add(time.Duration(o) * time.Second / 10)
				}
				r.s.Advance(r.now, Activity{}, &out)
			case 8:
				due-- // the next answer is a stale one
			}
			if out.Ask != nil && out.Address != nil {
				t.Fatal("two questions at once")
			}
			if out.Ask != nil {
				due = out.Ask.Generation
			}
			if out.Address != nil {
				due = out.Address.Generation
			}
			if len(out.Returns) > 0 && !leased {
				t.Fatal("a lease came back that was not given")
			}
			open = open && !out.Suspend || out.Open != nil
			if open != (r.s.Phase() == Open) {
				t.Fatalf("at %s, in the data path: %v", r.s.Phase(), open)
			}
			for _, frame := range out.Frames {
				if _, err := ppp.ParsePacket(frame.Packet); err != nil {
					t.Fatalf("sent %x: %v", frame.Packet, err)
				}
			}
			r.ended = out.End
		}
		if r.ended == nil && r.s.Deadline().IsZero() && r.s.Phase() != Open {
			t.Fatalf("at %s, and nothing will ever end it", r.s.Phase())
		}
	})
}
