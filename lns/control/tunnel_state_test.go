package control

import (
	"testing"
	"time"

	"lnsgate/lns/l2tp"
)

type cell struct {
	sent, done string
	next       State
}

func tell(m l2tp.Message) func(*script) { return func(s *script) { s.say(0, m) } }

func adminClose(s *script) {
	s.do(func(now time.Time, out *Out) { s.tun.Close(l2tp.ResultCode{Result: 6}, now, out) })
}

// Every cell of the table of section 7.2.1, and those it leaves out. "idle" after a clean-up is our closing (somebody
// still has to acknowledge) or finished (nobody has).
func TestRFC2661Section7_2_1_EveryStateAndEvent(t *testing.T) {
	const (
		idle  = StateIdle
		reply = StateWaitCtlReply
		conn  = StateWaitCtlConn
		open  = StateEstablished
		clos  = StateClosing
		fin   = StateFinished
	)
	states := []State{idle, reply, conn, open, clos, fin}
	for _, row := range []struct {
		event string
		do    func(*script)
		cells map[State]cell
	}{
		{"local open request", func(s *script) { s.do(s.tun.Dial) }, map[State]cell{
			idle: {"SCCRQ", "", reply}, reply: {"", "", reply}, conn: {"", "", conn}, open: {"", "", open},
			clos: {"", "", clos}, fin: {"", "", fin}}},
		{"SCCRQ, acceptable", tell(goodSCCRQ), map[State]cell{
			idle: {"SCCRP", "", conn}, reply: {"", "Collision", reply}, conn: {"StopCCN", "TunnelDown", clos},
			open: {"StopCCN", "TunnelDown", clos}, clos: {"ZLB", "", clos}, fin: {"", "", fin}}},
		{"SCCRQ, not acceptable", tell(badSCCRQ), map[State]cell{
			idle: {"StopCCN", "TunnelDown", clos}, reply: {"", "Collision", reply}, conn: {"StopCCN", "TunnelDown", clos},
			open: {"StopCCN", "TunnelDown", clos}, clos: {"ZLB", "", clos}, fin: {"", "", fin}}},
		{"SCCRP, acceptable", tell(goodSCCRP), map[State]cell{
			idle: {"StopCCN", "TunnelDown", clos}, reply: {"SCCCN", "TunnelUp", open}, conn: {"StopCCN", "TunnelDown", clos},
			open: {"StopCCN", "TunnelDown", clos}, clos: {"ZLB", "", clos}, fin: {"", "", fin}}},
		{"SCCRP, not acceptable", tell(badSCCRP), map[State]cell{
			idle: {"StopCCN", "TunnelDown", clos}, reply: {"StopCCN", "TunnelDown", clos}, conn: {"StopCCN", "TunnelDown", clos},
			open: {"StopCCN", "TunnelDown", clos}, clos: {"ZLB", "", clos}, fin: {"", "", fin}}},
		{"SCCCN", tell(l2tp.SCCCN{}), map[State]cell{
			idle: {"", "Finished", fin}, reply: {"StopCCN", "TunnelDown", clos}, conn: {"ZLB", "TunnelUp", open},
			open: {"StopCCN", "TunnelDown", clos}, clos: {"ZLB", "", clos}, fin: {"", "", fin}}},
		{"StopCCN", tell(l2tp.StopCCN{AssignedTunnel: 7, Result: l2tp.ResultCode{Result: 1}}), map[State]cell{
			idle: {"ZLB", "Finished", fin}, reply: {"ZLB", "TunnelDown", clos}, conn: {"ZLB", "TunnelDown", clos},
			open: {"ZLB", "TunnelDown", clos}, clos: {"ZLB", "", clos}, fin: {"", "", fin}}},
		{"HELLO", tell(l2tp.Hello{}), map[State]cell{
			idle: {"", "Finished", fin}, reply: {"ZLB", "", reply}, conn: {"ZLB", "", conn},
			open: {"ZLB", "", open}, clos: {"ZLB", "", clos}, fin: {"", "", fin}}},
		{"ICRQ", tell(l2tp.ICRQ{AssignedSession: 3}), map[State]cell{
			idle: {"", "Finished", fin}, reply: {"CDN", "", reply}, conn: {"CDN", "", conn},
			open: {"", "CallRequested", open}, clos: {"ZLB", "", clos}, fin: {"", "", fin}}},
		{"OCRQ", tell(l2tp.OCRQ{AssignedSession: 3}), map[State]cell{
			idle: {"", "Finished", fin}, reply: {"CDN", "", reply}, conn: {"CDN", "", conn},
			open: {"CDN", "", open}, clos: {"ZLB", "", clos}, fin: {"", "", fin}}},
		{"ZLB", (*script).ack, map[State]cell{
			idle: {"", "Finished", fin}, reply: {"", "", reply}, conn: {"", "", conn},
			open: {"", "", open}, clos: {"", "Finished", fin}, fin: {"", "", fin}}},
		{"admin close", adminClose, map[State]cell{
			idle: {"", "Finished", fin}, reply: {"", "TunnelDown", clos}, conn: {"StopCCN", "TunnelDown", clos},
			open: {"StopCCN", "TunnelDown", clos}, clos: {"", "", clos}, fin: {"", "", fin}}},
	} {
		for _, state := range states {
			t.Run(row.event+" in "+state.String(), func(t *testing.T) {
				s := tunnelIn(t, state, Config{})
				if state == clos && row.event != "ZLB" {
					s.nr-- // the peer has not seen our StopCCN yet
				}
				if state == reply && (row.event == "ICRQ" || row.event == "OCRQ" || row.event == "ZLB" || row.event == "HELLO") {
					s.ack() // the peer has our SCCRQ
					s.take()
				}
				if state == reply && row.event == "admin close" {
					s.nr = 0
				}
				row.do(s)
				c, ok := row.cells[state]
				if !ok {
					t.Fatal("no cell")
				}
				s.want(c.sent, c.done, c.next)
			})
		}
	}
}

func TestRFC2661Section4_4_2_VersionNotSupported(t *testing.T) {
	s := newScript(t, Config{})
	s.say(0, badSCCRQ)
	stop := s.sent[0].(l2tp.StopCCN)
	if stop.Result.Result != l2tp.StopCCNVersion || stop.Result.Error != 0x0100 || stop.AssignedTunnel != 22 || s.heads[0].Tunnel != 7 {
		t.Errorf("%+v %+v", stop, s.heads[0])
	}
}

// A StopCCN of ours is resent until it is acknowledged or the peer is given up, and then nothing is left.
func TestRFC2661Section5_7_OurStopCCNIsKeptUntilAcknowledged(t *testing.T) {
	s := tunnelIn(t, StateEstablished, Config{})
	adminClose(s)
	s.want("StopCCN", "TunnelDown", StateClosing)
	for _, at := range []int{1, 3, 7, 15, 23} {
		s.at(time.Duration(at) * time.Second)
		s.want("StopCCN", "", StateClosing)
	}
	s.at(31 * time.Second)
	s.want("", "Finished", StateFinished)
	if !s.tun.Deadline().IsZero() {
		t.Error("a finished tunnel has a deadline")
	}

	s = tunnelIn(t, StateEstablished, Config{})
	adminClose(s)
	s.ack()
	s.want("StopCCN", "TunnelDown Finished", StateFinished)
	if s.ack(); s.err != ErrFinished {
		t.Error(s.err)
	}
}

// What the peer acknowledges counts also where its message is not taken. Nothing else may ever come of it.
func TestOurStopCCNIsAcknowledgedByAMessageOutsideOfTheWindow(t *testing.T) {
	s := tunnelIn(t, StateEstablished, Config{})
	adminClose(s)
	s.ns += 1000
	s.say(0, l2tp.Hello{})
	s.want("StopCCN", "TunnelDown Finished", StateFinished)
	if s.err != ErrOutsideWindow {
		t.Error(s.err)
	}
}

// The peer's StopCCN is acknowledged as often as it comes, for a full resend cycle.
func TestRFC2661Section5_8_LingerAfterThePeersStopCCN(t *testing.T) {
	s := tunnelIn(t, StateEstablished, Config{})
	stop := l2tp.StopCCN{AssignedTunnel: 7, Result: l2tp.ResultCode{Result: 6}}
	s.say(0, stop)
	s.want("ZLB", "TunnelDown", StateClosing)
	s.at(30 * time.Second)
	s.ns--
	s.say(0, stop)
	s.want("ZLB", "", StateClosing)
	s.at(31 * time.Second)
	s.want("", "Finished", StateFinished)
}

func TestBothCloseAtOnce(t *testing.T) {
	s := tunnelIn(t, StateEstablished, Config{})
	acked := s.nr
	adminClose(s)
	s.nr = acked
	s.say(0, l2tp.StopCCN{AssignedTunnel: 7, Result: l2tp.ResultCode{Result: 1}})
	s.want("StopCCN ZLB", "TunnelDown", StateClosing)
	s.at(31 * time.Second)
	s.want("", "Finished", StateFinished)
}

func TestRFC2661Section5_8_ALostPeerClearsTunnelAndCalls(t *testing.T) {
	s := callIn(t, CallEstablished, LNS)
	s.tun.cfg.HelloInterval = time.Minute
	s.at(time.Minute)
	s.want("HELLO", "", StateEstablished)
	for _, at := range []int{61, 63, 67, 75, 83, 91} {
		s.at(time.Duration(at) * time.Second)
	}
	if down, ok := s.done[0].(TunnelDown); !ok || !down.Lost || down.ByPeer {
		t.Errorf("%+v", s.done)
	}
	s.want("HELLO HELLO HELLO HELLO HELLO", "TunnelDown Finished", StateFinished)
	if s.tun.Sessions() != 0 {
		t.Error("calls are left")
	}
}

func TestRFC2661Section5_5_HelloOnlyAfterSilence(t *testing.T) {
	s := tunnelIn(t, StateEstablished, Config{HelloInterval: time.Minute})
	if got := s.tun.Deadline(); !got.Equal(start.Add(time.Minute)) {
		t.Fatal(got)
	}
	s.now = start.Add(50 * time.Second)
	s.tun.Alive(s.now) // data
	s.at(61 * time.Second)
	s.want("", "", StateEstablished)
	s.now = start.Add(100 * time.Second)
	s.say(0, l2tp.Hello{}) // a message of the peer
	s.want("ZLB", "", StateEstablished)
	s.at(159 * time.Second)
	s.want("", "", StateEstablished)
	s.at(160 * time.Second)
	s.want("HELLO", "", StateEstablished)
	s.ack()
	if got := s.tun.Deadline(); !got.Equal(start.Add(220 * time.Second)) {
		t.Error(got.Sub(start))
	}
}

func TestHelloCanBeSwitchedOff(t *testing.T) {
	if d := tunnelIn(t, StateEstablished, Config{}).tun.Deadline(); !d.IsZero() {
		t.Error(d)
	}
}

// A HELLO never joins another message in flight.
func TestQ02NoHelloBehindAnUnansweredMessage(t *testing.T) {
	s := tunnelIn(t, StateEstablished, Config{HelloInterval: time.Millisecond})
	s.say(0, l2tp.ICRQ{AssignedSession: 3})
	s.do(func(now time.Time, out *Out) { s.err = s.tun.AcceptCall(1, 3, now, out) })
	s.want("ICRP", "CallRequested", StateEstablished)
	s.at(500 * time.Millisecond)
	s.want("", "", StateEstablished)
}

func TestSetupTimeout(t *testing.T) {
	// LNS: the peer never confirms, but acknowledges.
	s := tunnelIn(t, StateWaitCtlConn, Config{})
	s.at(29 * time.Second)
	s.want("", "", StateWaitCtlConn)
	s.at(30 * time.Second)
	if down := s.done[0].(TunnelDown); down.Lost || down.Result.Result != l2tp.StopCCNGeneral {
		t.Errorf("%+v", down)
	}
	s.want("StopCCN", "TunnelDown", StateClosing)
	// LAC: nobody there.
	s = tunnelIn(t, StateWaitCtlReply, Config{Role: LAC})
	for _, at := range []int{1, 3, 7, 15, 23} {
		s.at(time.Duration(at) * time.Second)
	}
	s.want("SCCRQ SCCRQ SCCRQ SCCRQ SCCRQ", "", StateWaitCtlReply)
	s.at(30 * time.Second)
	if down := s.done[0].(TunnelDown); !down.Lost {
		t.Errorf("%+v", down)
	}
	s.want("", "TunnelDown Finished", StateFinished)
}

func TestQ05Q25DuplicateSCCRQGetsTheSameSCCRP(t *testing.T) {
	s := newScript(t, Config{Secret: []byte("s"), RequireAuthentication: true})
	s.say(0, goodSCCRQ)
	first := s.sent[0].(l2tp.SCCRP)
	for i := range 3 {
		s.ns, s.nr = 0, 0
		s.now = s.now.Add(300 * time.Millisecond)
		s.say(0, goodSCCRQ)
		again := s.sent[i+1].(l2tp.SCCRP)
		if string(again.Challenge) != string(first.Challenge) || s.heads[i+1] != s.heads[0] {
			t.Errorf("%+v, want %+v", again, first)
		}
	}
	s.want("SCCRP SCCRP SCCRP SCCRP", "", StateWaitCtlConn)
}

func TestQ42ARestartedPeerSupersedesItsTunnel(t *testing.T) {
	d := l2tp.AppendControl(nil, 0, 0, 0, 0, l2tp.Append(nil, goodSCCRQ, l2tp.AppendOptions{}))
	other := goodSCCRQ
	other.Firmware = 9
	d2 := l2tp.AppendControl(nil, 0, 0, 0, 0, l2tp.Append(nil, other, l2tp.AppendOptions{}))
	hello := l2tp.AppendControl(nil, 0, 0, 0, 0, l2tp.Append(nil, l2tp.Hello{}, l2tp.AppendOptions{}))
	if s := tunnelIn(t, StateEstablished, Config{Role: LAC}); s.tun.SupersededBy(d, start.Add(time.Hour)) {
		t.Error("a tunnel that we dialled is superseded")
	}
	for _, c := range []struct {
		name  string
		state State
		d     []byte
		after time.Duration
		want  bool
	}{
		{"repeat while waiting", StateWaitCtlConn, d, 20 * time.Second, false},
		{"another SCCRQ while waiting", StateWaitCtlConn, d2, 0, true},
		{"late repeat", StateEstablished, d, 5 * time.Second, false},
		{"same SCCRQ much later", StateEstablished, d, 11 * time.Second, true},
		{"another SCCRQ", StateEstablished, d2, 0, true},
		{"tunnel is closing", StateClosing, d, 0, true},
		{"no SCCRQ", StateEstablished, hello, time.Hour, false},
		{"rubbish", StateEstablished, d[:5], time.Hour, false},
	} {
		if got := tunnelIn(t, c.state, Config{}).tun.SupersededBy(c.d, start.Add(c.after)); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestRFC2661Section4_4_3_TieBreaker(t *testing.T) {
	low, high := []byte("AAAAAAAA"), []byte("BBBBBBBB")
	for _, c := range []struct {
		name         string
		ours, theirs []byte
		done         string
		err          error
		state        State
	}{
		{"neither: two tunnels", nil, nil, "Collision", nil, StateWaitCtlReply},
		{"only ours", low, nil, "", ErrTieWon, StateWaitCtlReply},
		{"only theirs", nil, high, "TunnelDown Collision Finished", nil, StateFinished},
		{"ours is lower", low, high, "", ErrTieWon, StateWaitCtlReply},
		{"theirs is lower", high, low, "TunnelDown Collision Finished", nil, StateFinished},
		{"equal", low, low, "TunnelDown Finished", nil, StateFinished},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := tunnelIn(t, StateWaitCtlReply, Config{SingleTunnel: true})
			s.tun.tie = c.ours
			q := goodSCCRQ
			q.TieBreaker = c.theirs
			s.say(0, q)
			if s.err != c.err {
				t.Error(s.err)
			}
			s.want("", c.done, c.state)
		})
	}
	s := newScript(t, Config{SingleTunnel: true})
	s.do(s.tun.Dial)
	if q := s.sent[0].(l2tp.SCCRQ); len(q.TieBreaker) != 8 {
		t.Errorf("%+v", q)
	}
}
