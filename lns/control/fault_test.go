package control

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unsafe"

	"lnsgate/lns/l2tp"
)

// with appends an unknown AVP with the M bit set.
func with(m l2tp.Message) []byte {
	return append(l2tp.Append(nil, m, l2tp.AppendOptions{}), 0x80, 6, 0, 0, 0, 99)
}

func TestRFC2661Section4_2_UnknownMandatoryAVPClosesAtItsScope(t *testing.T) {
	// In the message that opens the tunnel: the StopCCN finds the peer although nothing else is known.
	s := newScript(t, Config{})
	s.raw(0, with(goodSCCRQ))
	s.wantStop(l2tp.StopCCNError, "attribute 99")
	if r := s.sent[0].(l2tp.StopCCN).Result; r.Error != l2tp.ErrUnknownMandatory || s.heads[0].Tunnel != 7 {
		t.Errorf("%v %+v", r, s.heads[0])
	}
	s = callIn(t, CallEstablished, LNS)
	s.raw(0, with(l2tp.Hello{}))
	s.want("StopCCN", "TunnelDown", StateClosing)
}

func TestQ55UnknownMandatoryAVPInACallClosesOnlyTheCall(t *testing.T) {
	s := callIn(t, CallEstablished, LNS)
	s.raw(1, with(l2tp.WEN{}))
	cdn := s.sent[0].(l2tp.CDN)
	if cdn.Result.Result != l2tp.CDNError || cdn.Result.Error != l2tp.ErrUnknownMandatory || cdn.AssignedSession != 1 || s.heads[0].Session != 3 {
		t.Errorf("%+v %+v", cdn, s.heads[0])
	}
	s.want("CDN", "CallDown", StateEstablished)
	s.raw(0, with(l2tp.ICRQ{AssignedSession: 5}))
	if s.heads[0].Session != 5 {
		t.Errorf("%+v", s.heads[0])
	}
	s.want("CDN", "", StateEstablished)
	s.raw(0, with(l2tp.WEN{})) // about no call at all
	s.want("ZLB", "", StateEstablished)
}

func TestQ55Tolerated(t *testing.T) {
	s := newScript(t, Config{TolerateUnknownMandatory: true})
	s.raw(0, with(goodSCCRQ))
	s.raw(0, with(l2tp.SCCCN{}))
	s.want("SCCRP ZLB", "TunnelUp", StateEstablished)
}

func TestRFC2661Section4_4_1_UnknownMessageType(t *testing.T) {
	unknown := func(flags byte) []byte { return []byte{flags, 8, 0, 0, 0, 0, 0, 77} }
	s := tunnelIn(t, StateEstablished, Config{})
	s.raw(0, unknown(0x00))
	s.want("ZLB", "", StateEstablished)
	s.raw(0, unknown(0x80))
	s.wantStop(l2tp.StopCCNError, "message type 77")
	for _, flags := range []byte{0, 0x80} {
		s = newScript(t, Config{})
		s.raw(0, unknown(flags))
		s.want("", "Finished", StateFinished)
	}
}

// Apple's client: HELLOs before the SCCRQ, to wake up IPsec. No answer, no ban, no tunnel.
func TestQ11HelloBeforeSCCRQIsIgnored(t *testing.T) {
	s := newScript(t, Config{})
	s.say(0, l2tp.Hello{})
	s.want("", "Finished", StateFinished)
	if s.err != ErrUnexpected {
		t.Error(s.err)
	}
}

// Whatever opens no tunnel must not leave one behind.
func TestNothingButSCCRQOpensATunnel(t *testing.T) {
	for name, d := range map[string][]byte{
		"ZLB":             l2tp.AppendControl(nil, 0, 0, 0, 0, nil),
		"ahead":           l2tp.AppendControl(nil, 0, 0, 1, 0, l2tp.Append(nil, goodSCCRQ, l2tp.AppendOptions{})),
		"far ahead":       l2tp.AppendControl(nil, 0, 0, 99, 0, l2tp.Append(nil, goodSCCRQ, l2tp.AppendOptions{})),
		"acknowledges":    l2tp.AppendControl(nil, 0, 0, 0, 1, l2tp.Append(nil, goodSCCRQ, l2tp.AppendOptions{})),
		"unreadable call": l2tp.AppendControl(nil, 0, 0, 0, 0, l2tp.Append(nil, l2tp.ICRQ{}, l2tp.AppendOptions{})),
		"no AVP":          l2tp.AppendControl(nil, 0, 0, 0, 0, []byte{1, 2, 3}),
	} {
		s := newScript(t, Config{})
		s.do(func(now time.Time, out *Out) { s.err = s.tun.Receive(d, now, out) })
		if s.err == nil {
			t.Errorf("%s: no error", name)
		}
		s.want("", "Finished", StateFinished)
	}
}

func TestDatagramsThatAreNotForThisTunnel(t *testing.T) {
	s := tunnelIn(t, StateEstablished, Config{})
	for _, c := range []struct {
		d    []byte
		want error
	}{
		{nil, l2tp.ErrTruncated},
		{[]byte{0xc8, 3, 0, 0}, l2tp.ErrVersion},
		{l2tp.AppendDataHeader(nil, l2tp.Header{Tunnel: 22}, 0), ErrNotControl},
		{l2tp.AppendControl(nil, 23, 0, 2, 1, nil), ErrWrongTunnel},
		{l2tp.AppendControl(nil, 22, 0, 2, 5, nil), ErrAcknowledgement},
		{l2tp.AppendControl(nil, 22, 0, 18, 1, []byte{1}), ErrOutsideWindow},
	} {
		s.do(func(now time.Time, out *Out) { s.err = s.tun.Receive(c.d, now, out) })
		if !errors.Is(s.err, c.want) {
			t.Errorf("%x: %v, want %v", c.d, s.err, c.want)
		}
	}
	s.want("", "", StateEstablished)
}

// The D-Link client leaves the tunnel id at 0; the engine finds the tunnel by the source, and the tunnel accepts it.
func TestQ53TunnelIDZeroOnAnOpenTunnel(t *testing.T) {
	s := tunnelIn(t, StateEstablished, Config{})
	d := l2tp.AppendControl(nil, 0, 0, s.ns, s.nr, l2tp.Append(nil, l2tp.ICRQ{AssignedSession: 3}, l2tp.AppendOptions{}))
	s.do(func(now time.Time, out *Out) { s.err = s.tun.Receive(d, now, out) })
	s.want("", "CallRequested", StateEstablished)
}

func TestQ52SCCCNThatRepeatsTheSCCRQ(t *testing.T) {
	s := tunnelIn(t, StateWaitCtlConn, Config{})
	body := append(l2tp.Append(nil, l2tp.SCCCN{}, l2tp.AppendOptions{}), l2tp.Append(nil, goodSCCRQ, l2tp.AppendOptions{})[8:]...)
	s.raw(0, body)
	s.want("ZLB", "TunnelUp", StateEstablished)
}

// A ZLB may carry a session id; it acknowledges all the same.
func TestZLBWithASessionID(t *testing.T) {
	s := newScript(t, Config{})
	s.say(0, goodSCCRQ)
	s.raw(9, nil)
	if s.err != nil || !s.tun.channel.Idle() {
		t.Error(s.err)
	}
}

func TestQ03TheSCCCNIsAcknowledgedAtOnce(t *testing.T) {
	s := tunnelIn(t, StateWaitCtlConn, Config{})
	s.say(0, l2tp.SCCCN{})
	if zlb := s.heads[0]; len(s.sent) != 1 || zlb.Nr != 2 || zlb.Session != 0 {
		t.Errorf("%+v", s.heads)
	}
}

func TestQ04TheICCNIsAcknowledgedBeforePPPStarts(t *testing.T) {
	s := callIn(t, CallWaitConnect, LNS)
	var out Out
	d := l2tp.AppendControl(nil, 22, 1, s.ns, s.nr, l2tp.Append(nil, l2tp.ICCN{TxSpeed: 5, PrivateGroup: "g"}, l2tp.AppendOptions{}))
	if err := s.tun.Receive(d, s.now, &out); err != nil {
		t.Fatal(err)
	}
	if got := names(out.Actions); got != "Said Said Send CallUp" {
		t.Errorf("%v", got)
	}
	up := out.Actions[3].(CallUp)
	if up.Session != 1 || up.PeerSession != 3 || up.Call.CallSerial != 99 || up.Connected.PrivateGroup != "g" {
		t.Errorf("%+v", up)
	}
}

// The ICRP carries the acknowledgement of the ICRQ; if the owner is slow, a ZLB does.
func TestTheICRQIsAcknowledgedByTheICRPOrSoon(t *testing.T) {
	s := callIn(t, CallOffered, LNS)
	s.ns--
	s.say(0, l2tp.ICRQ{AssignedSession: 3}) // repeated: acknowledged now
	s.want("ZLB", "", StateEstablished)
	s.say(0, l2tp.ICRQ{AssignedSession: 4})
	s.want("", "CallRequested", StateEstablished)
	s.at(ackDelay)
	s.want("ZLB", "", StateEstablished)
}

func TestTwoCallsWithOnePeerSession(t *testing.T) {
	s := tunnelIn(t, StateEstablished, Config{Role: LAC})
	for id := range l2tp.SessionID(2) {
		s.do(func(now time.Time, out *Out) { s.err = s.tun.PlaceCall(id+1, l2tp.ICRQ{}, l2tp.ICCN{}, now, out) })
	}
	s.say(1, l2tp.ICRP{AssignedSession: 3})
	s.say(2, l2tp.ICRP{AssignedSession: 3})
	cdn := s.sent[len(s.sent)-1].(l2tp.CDN)
	if cdn.Result.Error != l2tp.ErrInvalidSession || cdn.AssignedSession != 2 {
		t.Errorf("%+v", cdn)
	}
	if s.tun.Sessions() != 1 || s.tun.calls.byPeer[3].local != 1 {
		t.Error("the first call must stay")
	}
}

func TestCallSetupTimeout(t *testing.T) {
	for _, c := range []struct {
		role  Role
		state CallState
	}{{LAC, CallWaitReply}, {LNS, CallOffered}, {LNS, CallWaitConnect}} {
		s := callIn(t, c.state, c.role)
		s.at(29 * time.Second)
		s.take()
		s.at(30 * time.Second)
		if cdn, ok := s.sent[0].(l2tp.CDN); !ok || cdn.Result.Result != l2tp.CDNTimeout || !strings.Contains(cdn.Result.Message, "30s") {
			t.Errorf("%v: %+v", c.state, s.sent)
		}
		s.want("CDN", "CallDown", StateEstablished)
		if !s.tun.calls.empty() {
			t.Errorf("%v: something is left", c.state)
		}
	}
	s := callIn(t, CallEstablished, LNS)
	s.at(time.Hour)
	s.want("", "", StateEstablished)
}

func (s *calls) empty() bool {
	return s.count == 0 && s.byLocal == nil && s.byPeer == nil && s.pending == nil
}

func TestRFC2661Section7_5_OutgoingCallsAreRefused(t *testing.T) {
	for _, role := range []Role{LNS, LAC} {
		s := tunnelIn(t, StateEstablished, Config{Role: role})
		s.say(0, l2tp.OCRQ{AssignedSession: 9, CalledNumber: "112"})
		cdn := s.sent[0].(l2tp.CDN)
		if cdn.Result.Result != l2tp.CDNNoFacilities || s.heads[0].Session != 9 || cdn.AssignedSession == 0 {
			t.Errorf("%v: %+v", role, cdn)
		}
	}
}

func TestLimitsOfCalls(t *testing.T) {
	s := tunnelIn(t, StateEstablished, Config{MaxSessions: 1})
	s.say(0, l2tp.ICRQ{AssignedSession: 3})
	for _, id := range []l2tp.SessionID{0, RefusalSession} {
		s.do(func(now time.Time, out *Out) { s.err = s.tun.AcceptCall(id, 3, now, out) })
		if s.err != ErrSessionID {
			t.Error(id, s.err)
		}
	}
	s.do(func(now time.Time, out *Out) { s.err = s.tun.AcceptCall(1, 4, now, out) })
	if s.err != ErrUnknownSession {
		t.Error(s.err)
	}
	s.do(func(now time.Time, out *Out) { s.err = s.tun.AcceptCall(1, 3, now, out) })
	if s.err != nil {
		t.Error(s.err)
	}
	s.take()
	s.say(0, l2tp.ICRQ{AssignedSession: 4})
	if cdn := s.sent[0].(l2tp.CDN); cdn.Result.Result != l2tp.CDNNoFacilitiesNow || cdn.AssignedSession == 1 {
		t.Errorf("%+v", cdn)
	}

	s = tunnelIn(t, StateEstablished, Config{Role: LAC, MaxSessions: 2})
	for _, c := range []struct {
		id   l2tp.SessionID
		want error
	}{{0, ErrSessionID}, {RefusalSession, ErrSessionID}, {1, nil}, {1, ErrSessionID}, {2, nil}, {3, ErrTooManySessions}} {
		s.do(func(now time.Time, out *Out) { s.err = s.tun.PlaceCall(c.id, l2tp.ICRQ{}, l2tp.ICCN{}, now, out) })
		if s.err != c.want {
			t.Errorf("call %d: %v", c.id, s.err)
		}
	}
	adminClose(s)
	s.do(func(now time.Time, out *Out) { s.err = s.tun.PlaceCall(9, l2tp.ICRQ{}, l2tp.ICCN{}, now, out) })
	if s.err != ErrClosing {
		t.Error(s.err)
	}
	s.do(func(now time.Time, out *Out) { s.err = s.tun.AcceptCall(9, 9, now, out) })
	if s.err != ErrClosing {
		t.Error(s.err)
	}
}

func TestRFC3145DisconnectCauseBothWays(t *testing.T) {
	s := callIn(t, CallEstablished, LNS)
	cause := &l2tp.PPPDisconnectCause{Code: 13, Message: "wrong password"}
	s.do(func(now time.Time, out *Out) {
		s.tun.CloseCallFor(1, l2tp.ResultCode{Result: 3}, cause, now, out)
	})
	if cdn := s.sent[0].(l2tp.CDN); cdn.DisconnectCause == nil || *cdn.DisconnectCause != *cause {
		t.Errorf("%+v", cdn)
	}
	s = callIn(t, CallEstablished, LNS)
	s.say(1, l2tp.CDN{AssignedSession: 3, DisconnectCause: cause})
	if down := s.done[0].(CallDown); down.Cause == nil || *down.Cause != *cause || !down.ByPeer {
		t.Errorf("%+v", down)
	}
}

// A login survives the loss of any one datagram, and of any two.
func TestLossOfAnyTwoDatagrams(t *testing.T) {
	const all = 14
	for i := range all {
		for j := i; j < all; j++ {
			t.Run(fmt.Sprint(i, " ", j), func(t *testing.T) {
				n := 0
				p := newPair(t, Config{ReceiveWindow: 1}, Config{})
				p.drop = func(*end, []byte) bool { n++; return n-1 == i || n-1 == j }
				p.dial()
				p.place(1)
				p.run(20 * time.Second)
				wantDone(t, p.lac, "TunnelUp CallUp")
				wantDone(t, p.lns, "TunnelUp CallRequested CallUp")
				p.do(p.lns, func(now time.Time, out *Out) { p.lns.Close(l2tp.ResultCode{Result: 6}, now, out) })
				p.run(2 * time.Minute)
				wantDone(t, p.lac, "TunnelUp CallUp TunnelDown Finished")
				wantDone(t, p.lns, "TunnelUp CallRequested CallUp TunnelDown Finished")
			})
		}
	}
}

// Many calls at once through a small window, with every third datagram lost at first.
func TestManyCallsOverABadLink(t *testing.T) {
	p := newPair(t, Config{}, Config{ReceiveWindow: 4})
	p.dial()
	n := 0
	p.drop = func(*end, []byte) bool { n++; return n < 300 && n%3 == 0 }
	for id := range l2tp.SessionID(200) {
		p.do(p.lac, func(now time.Time, out *Out) {
			if err := p.lac.PlaceCall(id+1, l2tp.ICRQ{}, l2tp.ICCN{}, now, out); err != nil {
				t.Error(err)
			}
		})
	}
	p.lac.cfg.SetupTimeout, p.lns.cfg.SetupTimeout = time.Hour, time.Hour
	for _, c := range p.lac.calls.pending {
		c.setup.deadline = p.now.Add(time.Hour)
	}
	p.run(10 * time.Minute)
	up := 0
	for _, a := range p.lns.done {
		if _, ok := a.(CallUp); ok {
			up++
		}
	}
	if up != 200 || p.lac.Sessions() != 200 || p.lac.calls.pending != nil && p.lac.calls.oldest() != nil {
		t.Errorf("%d calls up at the LNS, %d at the LAC", up, p.lac.Sessions())
	}
}

// Thousands of idle tunnels are kept: everything of set-up is gone once it is over.
func TestMemoryOfAnIdleTunnel(t *testing.T) {
	if n := unsafe.Sizeof(Tunnel{}); n > 800 {
		t.Errorf("a Tunnel has %d octets", n)
	}
	s := callIn(t, CallEstablished, LNS)
	c := s.tun.calls.byLocal[1]
	s.tun.Deadline()
	if s.tun.channel.queue != nil || s.tun.channel.early != nil || c.setup != nil || s.tun.calls.pending != nil || s.tun.challenge != nil {
		t.Errorf("set-up is kept: %+v %+v", s.tun, c)
	}
}

func FuzzReceive(f *testing.F) {
	for _, m := range []l2tp.Message{goodSCCRQ, goodSCCRP, l2tp.SCCCN{}, l2tp.ICRQ{AssignedSession: 3}, l2tp.ICCN{}, l2tp.CDN{}, l2tp.StopCCN{}, l2tp.WEN{}} {
		f.Add(uint8(3), true, l2tp.AppendControl(nil, 22, 1, 2, 1, l2tp.Append(nil, m, l2tp.AppendOptions{})))
	}
	f.Add(uint8(0), false, l2tp.AppendControl(nil, 0, 0, 0, 0, l2tp.Append(nil, goodSCCRQ, l2tp.AppendOptions{})))
	f.Fuzz(func(t *testing.T, state uint8, lac bool, d []byte) {
		role := LNS
		if lac {
			role = LAC
		}
		s := newScript(t, Config{Role: role, Secret: tunnelSecret})
		switch state % 4 {
		case 1:
			s.do(s.tun.Dial)
		case 2:
			s.say(0, goodSCCRQ)
		case 3:
			s.say(0, goodSCCRQ)
			s.say(0, l2tp.SCCCN{})
		}
		for range 3 {
			s.do(func(now time.Time, out *Out) { s.err = s.tun.Receive(d, now, out) })
			s.do(s.tun.Advance)
		}
		for range 100 {
			due := s.tun.Deadline()
			if due.IsZero() {
				break
			}
			s.now = due
			s.do(s.tun.Advance)
			if again := s.tun.Deadline(); !again.IsZero() && !again.After(due) {
				t.Fatalf("deadline %v stays due", again)
			}
		}
	})
}

// StopCCN does not wait behind what was never sent.
func TestCloseDropsWhatWasNotSent(t *testing.T) {
	s := newScript(t, Config{})
	q := goodSCCRQ
	q.ReceiveWindow = 1
	s.say(0, q)
	s.say(0, l2tp.SCCCN{})
	for i := range l2tp.SessionID(5) {
		s.say(0, l2tp.OCRQ{AssignedSession: i + 1})
		s.nr = 1 // only our SCCRP is acknowledged
	}
	s.want("SCCRP ZLB CDN ZLB ZLB ZLB ZLB", "TunnelUp", StateEstablished)
	adminClose(s)
	s.nr = 2
	s.ack()
	s.want("StopCCN", "TunnelDown", StateClosing)
}

// The CDN about an ICRP that cannot be read goes to the id that the ICRP gave.
func TestUnreadableICRPIsAnsweredToItsSession(t *testing.T) {
	s := callIn(t, CallWaitReply, LAC)
	s.raw(1, with(l2tp.ICRP{AssignedSession: 8}))
	if cdn := s.sent[0].(l2tp.CDN); s.heads[0].Session != 8 || cdn.AssignedSession != 1 {
		t.Errorf("%+v %+v", s.heads[0], cdn)
	}
	if !s.tun.calls.empty() {
		t.Error("something is left")
	}
}

// A call that ended during set-up does not time out a second time.
func TestACallEndsOnce(t *testing.T) {
	s := callIn(t, CallWaitReply, LAC)
	s.do(func(now time.Time, out *Out) { s.err = s.tun.PlaceCall(2, l2tp.ICRQ{}, l2tp.ICCN{}, now, out) })
	s.say(2, l2tp.ICRP{AssignedSession: 4})
	s.do(func(now time.Time, out *Out) { s.tun.CloseCall(1, l2tp.ResultCode{Result: 3}, now, out) })
	s.ack()
	s.take()
	s.at(31 * time.Second)
	s.want("", "", StateEstablished)
	if s.tun.Sessions() != 1 {
		t.Errorf("%d calls", s.tun.Sessions())
	}
}
