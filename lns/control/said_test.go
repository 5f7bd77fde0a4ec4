package control

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"lnsgate/lns/l2tp"
)

// What goes to the log says who is who and why, and never a secret.
func TestDescribe(t *testing.T) {
	for _, c := range []struct {
		m    l2tp.Message
		want string
	}{
		{l2tp.SCCRQ{HostName: "p\nc", Vendor: "v", AssignedTunnel: 7, ReceiveWindow: 4, Challenge: []byte("c")},
			`host "p\nc", tunnel 7, vendor "v", window 4, wants tunnel authentication`},
		{l2tp.SCCRP{HostName: "lns", AssignedTunnel: 9}, `host "lns", tunnel 9`},
		{l2tp.SCCCN{}, ""},
		{l2tp.SCCCN{ChallengeResponse: make([]byte, 16)}, "answers the challenge"},
		{l2tp.StopCCN{Result: l2tp.ResultCode{Result: 6, Message: "bye"}}, "result 6 (sender is being shut down): bye"},
		{l2tp.CDN{Result: l2tp.ResultCode{Result: 3}}, "result 3 (administrative reasons)"},
		{l2tp.ICRQ{AssignedSession: 1, CallSerial: 2, CallingNumber: "3", CalledNumber: "4"}, `session 1, serial 2, from "3", to "4"`},
		{l2tp.ICRP{AssignedSession: 5}, "session 5"},
		{l2tp.ICCN{TxSpeed: 64000, ProxyAuth: l2tp.ProxyAuth{Response: []byte("password")}}, "speed 64000 bit/s"},
		{l2tp.OCRQ{AssignedSession: 5, CalledNumber: "110"}, `session 5, to "110"`},
		{l2tp.OCRP{AssignedSession: 5}, "session 5"},
		{l2tp.Hello{}, ""},
	} {
		if got := describe(c.m); got != c.want {
			t.Errorf("%v: %q, want %q", c.m.Type(), got, c.want)
		}
	}
}

// Every datagram sent and every message received is told, repeats as such.
func TestSaid(t *testing.T) {
	s := newScript(t, Config{})
	var log []string
	step := func(d []byte) {
		var out Out
		if d == nil {
			s.now = s.tun.Deadline()
			s.tun.Advance(s.now, &out)
		} else if err := s.tun.Receive(d, s.now, &out); err != nil {
			t.Fatal(err)
		}
		sends := 0
		for _, a := range out.Actions {
			if _, ok := a.(Send); ok {
				sends++
			}
			if a, ok := a.(Said); ok {
				line := "<" + a.Message.String()
				if a.Sent {
					sends--
					line = ">" + a.Message.String()
				}
				if a.Again {
					line += "!"
				}
				log = append(log, line)
			}
		}
		if sends != 0 {
			t.Errorf("%d datagrams are not told", sends)
		}
	}
	body := func(m l2tp.Message) []byte { return l2tp.Append(nil, m, l2tp.AppendOptions{}) }
	step(l2tp.AppendControl(nil, 0, 0, 0, 0, body(goodSCCRQ)))
	step(l2tp.AppendControl(nil, 0, 0, 0, 0, body(goodSCCRQ)))
	step(nil)
	step(l2tp.AppendControl(nil, 22, 0, 1, 1, nil))
	step(l2tp.AppendControl(nil, 22, 0, 2, 1, body(l2tp.Hello{})))
	step(l2tp.AppendControl(nil, 22, 0, 1, 1, body(l2tp.SCCCN{})))
	want := "<SCCRQ >SCCRP <SCCRQ! >SCCRP! >SCCRP! <ZLB <HELLO <SCCCN >ZLB <HELLO >ZLB"
	if got := strings.Join(log, " "); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// A peer that has not proved to be there cannot make us queue answers without end, whether it offers calls that can be
// read or broken ones.
func TestEarlyCallsAreBounded(t *testing.T) {
	for name, body := range map[string]func(l2tp.SessionID) []byte{
		"ICRQ": func(id l2tp.SessionID) []byte {
			return l2tp.Append(nil, l2tp.ICRQ{AssignedSession: id}, l2tp.AppendOptions{})
		},
		"OCRQ": func(id l2tp.SessionID) []byte {
			return l2tp.Append(nil, l2tp.OCRQ{AssignedSession: id}, l2tp.AppendOptions{})
		},
		"broken ICRQ": func(id l2tp.SessionID) []byte { return with(l2tp.ICRQ{AssignedSession: id}) },
		"broken OCRQ": func(id l2tp.SessionID) []byte { return with(l2tp.OCRQ{AssignedSession: id}) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, Config{})
			s.say(0, goodSCCRQ)
			for i := range l2tp.SessionID(50) {
				s.nr = 0 // nothing is ever acknowledged
				s.raw(0, body(i+1))
			}
			if n := s.tun.channel.Waiting(); n != mostEarly {
				t.Errorf("%d messages wait, want %d", n, mostEarly)
			}
		})
	}
}

// A dump of a tunnel or of its configuration shows no secret.
func TestDumpShowsNoTunnelSecret(t *testing.T) {
	cfg := Config{HostName: "us", LocalTunnel: 22, Secret: []byte("hunter2")}
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		for _, v := range []any{cfg, &cfg, New(cfg), *New(cfg)} {
			text := fmt.Sprintf(verb, v)
			if strings.Contains(text, "hunter2") || strings.Contains(text, "104 117 110") || strings.Contains(text, "0x68, 0x75") {
				t.Errorf("%s of %T shows it: %s", verb, v, text)
			}
		}
	}
}

func TestNames(t *testing.T) {
	for s, want := range map[State]string{StateIdle: "idle", StateWaitCtlReply: "wait-ctl-reply", StateWaitCtlConn: "wait-ctl-conn",
		StateEstablished: "established", StateClosing: "closing", StateFinished: "finished"} {
		if s.String() != want {
			t.Errorf("%q, want %q", s, want)
		}
	}
	for s, want := range map[CallState]string{CallIdle: "idle", CallOffered: "offered", CallWaitTunnel: "wait-tunnel",
		CallWaitReply: "wait-reply", CallWaitConnect: "wait-connect", CallEstablished: "established"} {
		if s.String() != want {
			t.Errorf("%q, want %q", s, want)
		}
	}
	for v, want := range map[Verdict]string{Deliver: "deliver", Nothing: "nothing", Duplicate: "duplicate", Kept: "kept", Dropped: "dropped"} {
		if v.String() != want {
			t.Errorf("%q, want %q", v, want)
		}
	}
	if LNS.String() != "LNS" || LAC.String() != "LAC" {
		t.Error("roles")
	}
}

// What we say of a call is told with our own id of it, also when it is said again: whoever writes it down need not search.
func TestSaidOfACallHasOurID(t *testing.T) {
	s := newScript(t, Config{})
	s.say(0, goodSCCRQ)
	s.say(0, l2tp.SCCCN{})
	s.say(0, l2tp.ICRQ{AssignedSession: 3})
	var own []l2tp.SessionID
	s.do(func(now time.Time, out *Out) {
		if err := s.tun.AcceptCall(201, 3, now, out); err != nil {
			t.Fatal(err)
		}
		s.tun.CloseCall(201, l2tp.ResultCode{Result: l2tp.CDNAdministrative}, now, out)
		for range 3 {
			s.tun.Advance(now.Add(time.Second), out)
		}
		for _, a := range out.Actions {
			if a, ok := a.(Said); ok && a.Message.OfCall() {
				own = append(own, a.Own)
			}
		}
	})
	if len(own) < 2 || slices.ContainsFunc(own, func(id l2tp.SessionID) bool { return id != 201 }) {
		t.Errorf("ids of ours: %v", own)
	}
}
