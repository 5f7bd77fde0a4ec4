package control

import (
	"errors"
	"strings"
	"testing"
	"time"

	"lnsgate/lns/l2tp"
)

// script plays the peer of one tunnel, message by message. The peer's tunnel id is 7.
type script struct {
	testing.TB
	tun    *Tunnel
	now    time.Time
	ns, nr uint16 // the peer's counters
	secret []byte
	sent   []l2tp.Message // by the tunnel, since the last call of take
	heads  []l2tp.Header
	done   []Action
	err    error
}

func newScript(t testing.TB, cfg Config) *script {
	cfg.HostName, cfg.LocalTunnel = "us", 22
	return &script{TB: t, tun: New(cfg), now: start, secret: cfg.Secret}
}

func (s *script) do(step func(now time.Time, out *Out)) {
	s.Helper()
	var out Out
	step(s.now, &out)
	for _, a := range out.Actions {
		switch a := a.(type) {
		case Said:
		case Send:
			h, payload, err := l2tp.ParseHeader(a.Datagram)
			m, err2 := l2tp.Parse(payload, s.secret)
			if err := errors.Join(err, err2); err != nil {
				s.Fatalf("sent %x: %v", a.Datagram, err)
			}
			s.sent, s.heads = append(s.sent, m), append(s.heads, h)
			if m.Type() != l2tp.TypeZLB {
				s.nr = h.Ns + 1
			}
		default:
			s.done = append(s.done, a)
		}
	}
}

// raw gives the tunnel a message of the peer as octets.
func (s *script) raw(session l2tp.SessionID, body []byte) {
	s.Helper()
	d := l2tp.AppendControl(nil, 22, session, s.ns, s.nr, body)
	if len(body) > 0 {
		s.ns++
	}
	s.do(func(now time.Time, out *Out) { s.err = s.tun.Receive(d, now, out) })
}

func (s *script) say(session l2tp.SessionID, m l2tp.Message) {
	s.Helper()
	s.raw(session, l2tp.Append(nil, m, l2tp.AppendOptions{}))
}

func (s *script) ack() { s.raw(0, nil) }

func (s *script) at(d time.Duration) {
	s.now = start.Add(d)
	s.do(s.tun.Advance)
}

// take gives the types of what was sent, and the actions, and forgets both.
func (s *script) take() (sent, done string) {
	var types []string
	for _, m := range s.sent {
		types = append(types, m.Type().String())
	}
	sent, done = strings.Join(types, " "), names(s.done)
	s.sent, s.heads, s.done = nil, nil, nil
	return sent, done
}

func (s *script) want(sent, done string, state State) {
	s.Helper()
	gotSent, gotDone := s.take()
	if gotSent != sent || gotDone != done || s.tun.State() != state {
		s.Errorf("sent %q, did %q, state %v (error %v); want %q, %q, %v", gotSent, gotDone, s.tun.State(), s.err, sent, done, state)
	}
}

var (
	goodSCCRQ = l2tp.SCCRQ{HostName: "peer", AssignedTunnel: 7, ReceiveWindow: 8, Framing: 3}
	goodSCCRP = l2tp.SCCRP{HostName: "peer", AssignedTunnel: 7, ReceiveWindow: 8, Framing: 3}
	badSCCRQ  = l2tp.SCCRQ{ProtocolVersion: 0x0200, HostName: "peer", AssignedTunnel: 7}
	badSCCRP  = l2tp.SCCRP{ProtocolVersion: 0x0200, HostName: "peer", AssignedTunnel: 7}
)

// tunnelIn is a script whose tunnel is in the given state, everything acknowledged.
func tunnelIn(t testing.TB, state State, cfg Config) *script {
	t.Helper()
	s := newScript(t, cfg)
	switch state {
	case StateWaitCtlReply:
		s.do(s.tun.Dial)
	case StateWaitCtlConn:
		s.say(0, goodSCCRQ)
		s.ack()
	case StateEstablished:
		if cfg.Role == LAC {
			s.do(s.tun.Dial)
			s.say(0, goodSCCRP)
		} else {
			s.say(0, goodSCCRQ)
			s.say(0, l2tp.SCCCN{})
		}
		s.ack()
	case StateClosing:
		s.say(0, goodSCCRQ)
		s.say(0, l2tp.SCCCN{})
		s.do(func(now time.Time, out *Out) { s.tun.Close(l2tp.ResultCode{Result: 1}, now, out) })
	case StateFinished:
		s.do(func(now time.Time, out *Out) { s.tun.Close(l2tp.ResultCode{Result: 1}, now, out) })
	}
	if s.tun.State() != state {
		t.Fatalf("state %v, want %v", s.tun.State(), state)
	}
	s.take()
	return s
}
