package control

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"lnsgate/lns/l2tp"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// end is one side of a pair: a tunnel, what it did, and what its owner would answer.
type end struct {
	*Tunnel
	name   string
	out    Out
	done   []Action        // everything but Send and Said
	said   []string        // "SCCRQ", "ZLB", "SCCRQ again"
	faults []error         // what Receive named
	refuse l2tp.ResultCode // LNS: refuse calls with this, if set
	silent bool            // LNS: do not answer CallRequested
	nextID l2tp.SessionID
	wire   [][]byte // sent, not yet taken
}

// pair is a LAC and an LNS with a wire between them and a clock.
type pair struct {
	t        testing.TB
	now      time.Time
	lac, lns *end
	drop     func(from *end, datagram []byte) bool
}

func newPair(t testing.TB, lac, lns Config) *pair {
	lac.Role, lns.Role = LAC, LNS
	lac.HostName, lns.HostName = "lac", "lns"
	lac.LocalTunnel, lns.LocalTunnel = 11, 22
	return &pair{t: t, now: start,
		lac: &end{Tunnel: New(lac), name: "lac", nextID: 100},
		lns: &end{Tunnel: New(lns), name: "lns", nextID: 200}}
}

// do runs a step of one end and collects what it wants.
func (p *pair) do(e *end, step func(now time.Time, out *Out)) {
	e.out.Actions = nil
	step(p.now, &e.out)
	actions := e.out.Actions
	for _, a := range actions {
		switch a := a.(type) {
		case Send:
			e.wire = append(e.wire, a.Datagram)
		case Said:
			if a.Sent {
				s := a.Message.String()
				if a.Again {
					s += " again"
				}
				e.said = append(e.said, s)
			}
		default:
			e.done = append(e.done, a)
		}
	}
	for _, a := range actions {
		if c, ok := a.(CallRequested); ok && !e.silent {
			p.decide(e, c)
		}
	}
}

func (p *pair) decide(e *end, c CallRequested) {
	p.do(e, func(now time.Time, out *Out) {
		if e.refuse != (l2tp.ResultCode{}) {
			e.RefuseCall(c.PeerSession, e.refuse, now, out)
			return
		}
		e.nextID++
		if err := e.AcceptCall(e.nextID, c.PeerSession, now, out); err != nil {
			p.t.Errorf("AcceptCall: %v", err)
		}
	})
}

func (p *pair) other(e *end) *end {
	if e == p.lac {
		return p.lns
	}
	return p.lac
}

// settle carries datagrams until nobody has anything to say at this moment.
func (p *pair) settle() {
	for range 10000 {
		moved := false
		for _, e := range []*end{p.lac, p.lns} {
			if len(e.wire) == 0 {
				continue
			}
			moved = true
			d := e.wire[0]
			e.wire = e.wire[1:]
			if p.drop != nil && p.drop(e, d) {
				continue
			}
			p.hand(p.other(e), d)
		}
		if !moved {
			return
		}
	}
	p.t.Fatal("the two ends never stop talking")
}

func (p *pair) hand(to *end, datagram []byte) {
	p.do(to, func(now time.Time, out *Out) {
		if err := to.Receive(datagram, now, out); err != nil {
			to.faults = append(to.faults, err)
		}
	})
}

// run lets time pass until d later.
func (p *pair) run(d time.Duration) {
	limit := p.now.Add(d)
	for range 100000 {
		p.settle()
		next := earliest(p.lac.Deadline(), p.lns.Deadline())
		if next.IsZero() || next.After(limit) {
			p.now = limit
			return
		}
		if next.After(p.now) {
			p.now = next
		}
		for _, e := range []*end{p.lac, p.lns} {
			if due := e.Deadline(); !due.IsZero() && !due.After(p.now) {
				p.do(e, e.Advance)
				if again := e.Deadline(); !again.IsZero() && !again.After(p.now) {
					p.t.Fatalf("%s: deadline %v is still due at %v", e.name, again, p.now)
				}
			}
		}
	}
	p.t.Fatal("time does not pass")
}

func (p *pair) dial() {
	p.do(p.lac, p.lac.Dial)
	p.settle()
}

func (p *pair) place(id l2tp.SessionID) {
	p.do(p.lac, func(now time.Time, out *Out) {
		if err := p.lac.PlaceCall(id, l2tp.ICRQ{CallSerial: 7}, l2tp.ICCN{TxSpeed: 1000, FramingType: 1}, now, out); err != nil {
			p.t.Errorf("PlaceCall: %v", err)
		}
	})
	p.settle()
}

// names is the kind of each action: "TunnelUp CallUp".
func names(actions []Action) string {
	var s []string
	for _, a := range actions {
		s = append(s, strings.TrimPrefix(fmt.Sprintf("%T", a), "control."))
	}
	return strings.Join(s, " ")
}

func last[T Action](t testing.TB, e *end) T {
	t.Helper()
	for i := len(e.done) - 1; i >= 0; i-- {
		if a, ok := e.done[i].(T); ok {
			return a
		}
	}
	var none T
	t.Fatalf("%s: no %T among %v", e.name, none, names(e.done))
	return none
}

func wantSaid(t testing.TB, e *end, want string) {
	t.Helper()
	if got := strings.Join(e.said, " "); got != want {
		t.Errorf("%s said %q, want %q", e.name, got, want)
	}
}

func wantDone(t testing.TB, e *end, want string) {
	t.Helper()
	if got := names(e.done); got != want {
		t.Errorf("%s did %q, want %q", e.name, got, want)
	}
}
