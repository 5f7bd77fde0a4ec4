package control

import (
	"testing"
	"time"

	"lnsgate/lns/l2tp"
)

// callIn is a script with one call in the given state: our id 1, the peer's 3.
func callIn(t testing.TB, state CallState, role Role) *script {
	t.Helper()
	before := StateEstablished
	if state == CallWaitTunnel {
		before = StateWaitCtlReply
	}
	s := tunnelIn(t, before, Config{Role: role})
	if role == LAC && state != CallIdle {
		placeOne(s)
		if state == CallEstablished {
			s.say(1, l2tp.ICRP{AssignedSession: 3})
		}
	}
	if role == LNS && state != CallIdle {
		s.say(0, l2tp.ICRQ{AssignedSession: 3, CallSerial: 99})
		if state != CallOffered {
			s.do(func(now time.Time, out *Out) { s.err = s.tun.AcceptCall(1, 3, now, out) })
		}
		if state == CallEstablished {
			s.say(1, l2tp.ICCN{TxSpeed: 64000})
		}
	}
	if s.err != nil {
		t.Fatal(s.err)
	}
	if state != CallWaitTunnel {
		s.ack()
	}
	s.take()
	return s
}

func placeOne(s *script) {
	s.do(func(now time.Time, out *Out) {
		s.err = s.tun.PlaceCall(1, l2tp.ICRQ{CallSerial: 99}, l2tp.ICCN{TxSpeed: 64000}, now, out)
	})
}

func closeOne(s *script) {
	s.do(func(now time.Time, out *Out) { s.tun.CloseCall(1, l2tp.ResultCode{Result: 3}, now, out) })
}

// ofCall says a message with our id of the call in the header, or without if the peer cannot know it.
func ofCall(session l2tp.SessionID, m l2tp.Message) func(*script) {
	return func(s *script) { s.say(session, m) }
}

type callCell struct {
	sent, done string
	left       int // calls after it
}

func checkCells(t *testing.T, role Role, states []CallState, rows map[string]struct {
	do    func(*script)
	cells []callCell
}) {
	for event, row := range rows {
		for i, state := range states {
			t.Run(event+" in "+state.String(), func(t *testing.T) {
				s := callIn(t, state, role)
				before := s.tun.State()
				row.do(s)
				c := row.cells[i]
				if n := s.tun.Sessions(); n != c.left {
					t.Errorf("%d calls, want %d", n, c.left)
				}
				if event == "tunnel-open" {
					before = StateEstablished
				}
				s.want(c.sent, c.done, before)
			})
		}
	}
}

func TestRFC2661Section7_4_1_LACIncomingCallEveryStateAndEvent(t *testing.T) {
	states := []CallState{CallIdle, CallWaitTunnel, CallWaitReply, CallEstablished}
	checkCells(t, LAC, states, map[string]struct {
		do    func(*script)
		cells []callCell
	}{
		"bearer ring": {placeOne, []callCell{
			{"ICRQ", "", 1}, {"", "", 1}, {"", "", 1}, {"", "", 1}}},
		"tunnel-open": {func(s *script) {
			if s.tun.State() == StateWaitCtlReply {
				s.say(0, goodSCCRP)
				s.ack()
			}
		}, []callCell{{"", "", 0}, {"SCCCN ICRQ", "TunnelUp", 1}, {"", "", 1}, {"", "", 1}}},
		"ICRP, acceptable": {ofCall(1, l2tp.ICRP{AssignedSession: 3}), []callCell{
			{"ZLB", "", 0}, {"ZLB", "", 1}, {"ICCN", "CallUp", 1}, {"CDN", "CallDown", 0}}},
		"ICRP, not acceptable": {func(s *script) {
			s.raw(1, l2tp.Append(nil, l2tp.ICRP{}, l2tp.AppendOptions{}))
		}, []callCell{{"ZLB", "", 0}, {"ZLB", "CallDown", 0}, {"CDN", "CallDown", 0}, {"CDN", "CallDown", 0}}},
		"ICRQ": {ofCall(1, l2tp.ICRQ{AssignedSession: 3}), []callCell{
			{"CDN", "", 0}, {"CDN", "", 1}, {"CDN", "CallDown", 0}, {"CDN", "CallDown", 0}}},
		"ICCN": {ofCall(1, l2tp.ICCN{}), []callCell{
			{"ZLB", "", 0}, {"ZLB", "", 1}, {"ZLB", "CallDown", 0}, {"CDN", "CallDown", 0}}},
		"CDN": {ofCall(1, l2tp.CDN{AssignedSession: 3}), []callCell{
			{"ZLB", "", 0}, {"ZLB", "", 1}, {"ZLB", "CallDown", 0}, {"ZLB", "CallDown", 0}}},
		"local close": {closeOne, []callCell{
			{"", "", 0}, {"", "CallDown", 0}, {"CDN", "CallDown", 0}, {"CDN", "CallDown", 0}}},
		"SLI": {ofCall(1, l2tp.SLI{}), []callCell{
			{"ZLB", "", 0}, {"ZLB", "", 1}, {"ZLB", "", 1}, {"ZLB", "LineInfo", 1}}},
		"OCRQ": {ofCall(0, l2tp.OCRQ{AssignedSession: 9}), []callCell{
			{"CDN", "", 0}, {"CDN", "", 1}, {"CDN", "", 1}, {"CDN", "", 1}}},
	})
}

func TestRFC2661Section7_4_2_LNSIncomingCallEveryStateAndEvent(t *testing.T) {
	states := []CallState{CallIdle, CallOffered, CallWaitConnect, CallEstablished}
	broken := func(s *script) {
		s.raw(1, append(l2tp.Append(nil, l2tp.ICCN{}, l2tp.AppendOptions{}), 0x80, 6, 0, 0, 0, 99))
	}
	accept := func(s *script) {
		s.do(func(now time.Time, out *Out) { s.err = s.tun.AcceptCall(1, 3, now, out) })
	}
	refuse := func(s *script) {
		s.do(func(now time.Time, out *Out) { s.tun.RefuseCall(3, l2tp.ResultCode{Result: 4}, now, out) })
	}
	checkCells(t, LNS, states, map[string]struct {
		do    func(*script)
		cells []callCell
	}{
		"ICRQ": {ofCall(0, l2tp.ICRQ{AssignedSession: 3}), []callCell{
			{"", "CallRequested", 1}, {"CDN", "CallDown", 0}, {"CDN", "CallDown", 0}, {"CDN", "CallDown", 0}}},
		"ICRQ, unreadable": {func(s *script) {
			s.raw(0, append(l2tp.Append(nil, l2tp.ICRQ{AssignedSession: 4}, l2tp.AppendOptions{}), 0x80, 6, 0, 0, 0, 99))
		}, []callCell{{"CDN", "", 0}, {"CDN", "", 1}, {"CDN", "", 1}, {"CDN", "", 1}}},
		"ICRQ, unreadable, with the id of the call": {func(s *script) { s.raw(0, with(l2tp.ICRQ{AssignedSession: 3})) }, []callCell{
			{"CDN", "", 0}, {"CDN", "CallDown", 0}, {"CDN", "CallDown", 0}, {"CDN", "CallDown", 0}}},
		"OCRQ with the id of the call": {ofCall(0, l2tp.OCRQ{AssignedSession: 3}), []callCell{
			{"CDN", "", 0}, {"CDN", "CallDown", 0}, {"CDN", "CallDown", 0}, {"CDN", "CallDown", 0}}},
		"OCRQ, unreadable, with the id of the call": {func(s *script) { s.raw(0, with(l2tp.OCRQ{AssignedSession: 3})) }, []callCell{
			{"CDN", "", 0}, {"CDN", "CallDown", 0}, {"CDN", "CallDown", 0}, {"CDN", "CallDown", 0}}},
		"OCRP with the id of the call": {ofCall(0, l2tp.OCRP{AssignedSession: 3}), []callCell{
			{"CDN", "", 0}, {"CDN", "CallDown", 0}, {"CDN", "CallDown", 0}, {"CDN", "CallDown", 0}}},
		"accept": {accept, []callCell{
			{"", "", 0}, {"ICRP", "", 1}, {"", "", 1}, {"", "", 1}}},
		"refuse": {refuse, []callCell{
			{"", "", 0}, {"CDN", "", 0}, {"", "", 1}, {"", "", 1}}},
		"ICRP": {ofCall(1, l2tp.ICRP{AssignedSession: 3}), []callCell{
			{"CDN", "", 0}, {"CDN", "CallDown", 0}, {"CDN", "CallDown", 0}, {"CDN", "CallDown", 0}}},
		"ICCN, acceptable": {ofCall(1, l2tp.ICCN{}), []callCell{
			{"ZLB", "", 0}, {"ZLB", "", 1}, {"ZLB", "CallUp", 1}, {"CDN", "CallDown", 0}}},
		"ICCN, not acceptable": {broken, []callCell{
			{"ZLB", "", 0}, {"ZLB", "", 1}, {"CDN", "CallDown", 0}, {"CDN", "CallDown", 0}}},
		"CDN": {ofCall(1, l2tp.CDN{AssignedSession: 3}), []callCell{
			{"ZLB", "", 0}, {"ZLB", "", 1}, {"ZLB", "CallDown", 0}, {"ZLB", "CallDown", 0}}},
		"CDN that does not know our id": {ofCall(0, l2tp.CDN{AssignedSession: 3}), []callCell{
			{"ZLB", "", 0}, {"ZLB", "CallDown", 0}, {"ZLB", "CallDown", 0}, {"ZLB", "CallDown", 0}}},
		"local close": {closeOne, []callCell{
			{"", "", 0}, {"", "", 1}, {"CDN", "CallDown", 0}, {"CDN", "CallDown", 0}}},
		"WEN": {ofCall(1, l2tp.WEN{}), []callCell{
			{"ZLB", "", 0}, {"ZLB", "", 1}, {"ZLB", "", 1}, {"ZLB", "LineInfo", 1}}},
		"SLI": {ofCall(1, l2tp.SLI{}), []callCell{
			{"ZLB", "", 0}, {"ZLB", "", 1}, {"ZLB", "", 1}, {"ZLB", "LineInfo", 1}}},
		"OCRQ": {ofCall(0, l2tp.OCRQ{AssignedSession: 9}), []callCell{
			{"CDN", "", 0}, {"CDN", "", 1}, {"CDN", "", 1}, {"CDN", "", 1}}},
		"OCRP": {ofCall(0, l2tp.OCRP{AssignedSession: 9}), []callCell{
			{"CDN", "", 0}, {"CDN", "", 1}, {"CDN", "", 1}, {"CDN", "", 1}}},
		"OCRP on the call": {ofCall(1, l2tp.OCRP{AssignedSession: 9}), []callCell{
			{"CDN", "", 0}, {"CDN", "", 1}, {"CDN", "CallDown", 0}, {"CDN", "CallDown", 0}}},
		"OCCN": {ofCall(1, l2tp.OCCN{}), []callCell{
			{"ZLB", "", 0}, {"ZLB", "", 1}, {"CDN", "CallDown", 0}, {"CDN", "CallDown", 0}}},
	})
}

// One id of ours is kept for refusals: a full tunnel still has one that is neither 0 nor that of a call.
func TestAFullTunnelRefusesUnderAnIDOfItsOwn(t *testing.T) {
	s := tunnelIn(t, StateEstablished, Config{MaxSessions: 65535})
	for id := l2tp.SessionID(1); id != RefusalSession; id++ {
		s.tun.calls.add(&call{local: id, peer: id, state: CallEstablished})
	}
	s.say(0, l2tp.ICRQ{AssignedSession: 65535})
	if cdn := s.sent[0].(l2tp.CDN); cdn.Result.Result != l2tp.CDNNoFacilitiesNow || cdn.AssignedSession != RefusalSession {
		t.Errorf("%+v", cdn)
	}
	if s.tun.Sessions() != DefaultMaxSessions {
		t.Errorf("%d calls", s.tun.Sessions())
	}
}
