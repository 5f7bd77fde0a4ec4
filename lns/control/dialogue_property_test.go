package control

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"lnsgate/lns/l2tp"
)

// A login with several calls over a link that loses, repeats and reorders: every call comes up once at both ends with
// matching ids, nobody finds fault with anybody, and closing leaves nothing.
func TestPropertyLoginOverABadLink(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		p := newPair(t, Config{ReceiveWindow: rapid.Uint16Range(0, 5).Draw(r, "lac window"), HelloInterval: 3 * time.Second},
			Config{ReceiveWindow: rapid.Uint16Range(0, 5).Draw(r, "lns window"), HelloInterval: 2 * time.Second})
		calls := l2tp.SessionID(rapid.IntRange(1, 5).Draw(r, "calls"))
		trouble := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 200).Draw(r, "trouble")
		n := 0
		p.drop = func(from *end, d []byte) bool {
			if n++; n > len(trouble) {
				return false
			}
			switch trouble[n-1] {
			case 0: // lost
				return true
			case 1: // repeated
				p.hand(p.other(from), d)
			case 2: // overtaken by all that is on the way
				from.wire = append(from.wire, d)
				return true
			}
			return false
		}
		p.do(p.lac, p.lac.Dial)
		for id := range calls {
			p.do(p.lac, func(now time.Time, out *Out) {
				if err := p.lac.PlaceCall(id+1, l2tp.ICRQ{}, l2tp.ICCN{}, now, out); err != nil {
					r.Fatal(err)
				}
			})
		}
		p.run(29 * time.Second)
		peers := map[l2tp.SessionID]l2tp.SessionID{}
		for _, a := range p.lac.done {
			if up, ok := a.(CallUp); ok {
				peers[up.Session] = up.PeerSession
			}
		}
		ups := 0
		for _, a := range p.lns.done {
			if up, ok := a.(CallUp); ok {
				if ups++; peers[up.PeerSession] != up.Session {
					r.Fatalf("ids differ: %+v, the LAC has %v", up, peers)
				}
			}
		}
		if ups != int(calls) || len(peers) != int(calls) {
			r.Fatalf("%d calls up at the LNS, %d at the LAC, want %d: %v %v", ups, len(peers), calls, names(p.lac.done), names(p.lns.done))
		}
		p.do(p.lns, func(now time.Time, out *Out) { p.lns.Close(l2tp.ResultCode{Result: 6}, now, out) })
		p.run(3 * time.Minute)
		if p.lac.State() != StateFinished || p.lns.State() != StateFinished || len(p.lac.faults)+len(p.lns.faults) > 0 {
			r.Fatalf("%v %v, faults %v %v", p.lac.State(), p.lns.State(), p.lac.faults, p.lns.faults)
		}
	})
}
