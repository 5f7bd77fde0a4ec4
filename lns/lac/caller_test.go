package lac

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/negotiate"
	"lnsgate/lns/ppp"
)

func TestLogin(t *testing.T) {
	for _, c := range []struct {
		offer  negotiate.AuthProtocol
		accept []aaa.Method
		method string
	}{
		{negotiate.AuthCHAPMD5, []aaa.Method{aaa.CHAP}, "chap"},
		{negotiate.AuthMSCHAPv2, []aaa.Method{aaa.MSCHAPv2, aaa.CHAP}, "mschapv2"},
		{negotiate.AuthPAP, []aaa.Method{aaa.PAP}, "pap"},
	} {
		t.Run(c.method, func(t *testing.T) {
			w := newWorld(t, newScriptedLNS("Admin@123", c.offer), testConfig())
			w.dial(testLogin("l2tpuser", "Admin@123", c.accept...))
			w.until("up", time.Second, w.isUp)
			u := w.up()
			if u.Address != netip.MustParseAddr("10.10.1.10") || u.Peer != netip.MustParseAddr("10.10.0.1") {
				t.Errorf("address %s, peer %s", u.Address, u.Peer)
			}
			if u.DNS[0] != netip.MustParseAddr("10.0.0.53") {
				t.Errorf("DNS %v", u.DNS)
			}
			if u.Method != c.method || u.ServerName != "LNS" || u.ServerVendor != "test" {
				t.Errorf("method %q, server %q of %q", u.Method, u.ServerName, u.ServerVendor)
			}
			if u.PeerMRU != 1400 {
				t.Errorf("may send %d octets", u.PeerMRU)
			}
			if u.Took <= 0 || u.TunnelTook <= 0 || u.TunnelTook >= u.Took {
				t.Errorf("took %s, the tunnel %s", u.Took, u.TunnelTook)
			}
		})
	}
}

func TestLoginIsToldStepByStep(t *testing.T) {
	w := newWorld(t, chapLNS(), testConfig())
	w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
	w.until("up", time.Second, w.isUp)
	var heard []string
	for _, s := range w.said {
		arrow := "<"
		if s.Sent {
			arrow = ">"
		}
		heard = append(heard, arrow+" "+s.What)
		if s.Again {
			t.Errorf("%s is told as a repetition", s.What)
		}
	}
	at := 0
	for _, want := range []string{
		"> SCCRQ", "< SCCRP", "> SCCCN", "> ICRQ", "< ICRP", "> ICCN", "> LCP Configure-Request",
		"< CHAP Challenge", "> CHAP Response", "< CHAP Success", "> IPCP Configure-Request", "< IPCP Configure-Ack",
	} {
		i := slices.Index(heard[at:], want)
		if i < 0 {
			t.Fatalf("%q is missing after place %d:\n%s", want, at, w.dialogue())
		}
		at += i + 1
	}
	for _, want := range []string{"tunnel 4711", "MRU 1460", "CHAP-MD5", "name l2tpuser", "address 10.10.1.10"} {
		if !strings.Contains(w.dialogue(), want) {
			t.Errorf("%q is not told:\n%s", want, w.dialogue())
		}
	}
	if strings.Contains(w.dialogue(), "Admin@123") {
		t.Error("the password is told")
	}
}

func TestPAPPasswordIsNotTold(t *testing.T) {
	w := newWorld(t, newScriptedLNS("Admin@123", negotiate.AuthPAP), testConfig())
	w.dial(testLogin("l2tpuser", "Admin@123", aaa.PAP))
	w.until("up", time.Second, w.isUp)
	if d := w.dialogue(); strings.Contains(d, "Admin@123") || !strings.Contains(d, "password ****") {
		t.Errorf("the dialogue should show stars for the password:\n%s", d)
	}
}

func TestWrongPasswordEndsAtAuthentication(t *testing.T) {
	for _, c := range []struct {
		offer  negotiate.AuthProtocol
		method aaa.Method
		words  string
	}{
		{negotiate.AuthCHAPMD5, aaa.CHAP, "the server refused the login"},
		{negotiate.AuthPAP, aaa.PAP, "the server refused the login"},
		{negotiate.AuthMSCHAPv2, aaa.MSCHAPv2, "error 691 (name or password wrong)"},
	} {
		t.Run(c.method.String(), func(t *testing.T) {
			w := newWorld(t, newScriptedLNS("Admin@123", c.offer), testConfig())
			w.dial(testLogin("l2tpuser", "wrong", c.method))
			w.until("the end", time.Minute, w.isOver)
			e := w.end()
			if e.Stage != StageAuthentication || e.Cause != CauseWrongPassword || !e.ByServer {
				t.Errorf("ended at %s, cause %s, by the server %t", e.Stage, e.Cause, e.ByServer)
			}
			if !strings.Contains(e.Reason, c.words) || e.Advice == "" {
				t.Errorf("reason %q, advice %q", e.Reason, e.Advice)
			}
			w.until("all closed", time.Minute, w.isDone)
		})
	}
}

func TestNoAnswerEndsAtTunnel(t *testing.T) {
	w := newWorld(t, chapLNS(), testConfig())
	w.lose = func(int, bool) bool { return true }
	w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
	w.until("the end", 40*time.Second, w.isOver)
	e := w.end()
	if e.Stage != StageTunnel || e.Cause != CauseNoAnswer || e.ByServer {
		t.Errorf("ended at %s, cause %s, by the server %t", e.Stage, e.Cause, e.ByServer)
	}
	for _, want := range []string{"UDP 1701", "address", "firewall"} {
		if !strings.Contains(e.Advice, want) {
			t.Errorf("the advice does not speak of %q: %s", want, e.Advice)
		}
	}
	if !strings.Contains(e.Error(), "tunnel") {
		t.Errorf("error %q", e.Error())
	}
}

func TestTimeoutIsNamedAfterWhatItWaitedFor(t *testing.T) {
	for stage, cause := range map[Stage]Cause{
		StageLink: CauseLinkNoAnswer, StageAuthentication: CauseLoginNoAnswer, StageUp: CauseLoginNoAnswer,
		StageAddress: CauseAddressNoAnswer,
	} {
		t.Run(stage.String(), func(t *testing.T) {
			lns := chapLNS()
			lns.mute = func(s Stage) bool { return s == stage }
			w := newWorld(t, lns, testConfig())
			w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
			w.until("the end", 2*time.Minute, w.isOver)
			want := min(stage, StageAddress)
			if stage == StageUp {
				want = StageAuthentication // the verdict was what never came
			}
			if e := w.end(); e.Stage != want || e.Cause != cause {
				t.Errorf("ended at %s, cause %s (%s), want %s, %s", e.Stage, e.Cause, e.Reason, want, cause)
			}
		})
	}
}

func TestTunnelSecret(t *testing.T) {
	for _, c := range []struct {
		ours, theirs string
		up           bool
	}{
		{"s3cret", "s3cret", true}, {"s3cret", "other", false}, {"", "s3cret", false}, {"s3cret", "", false},
	} {
		t.Run(c.ours+"/"+c.theirs, func(t *testing.T) {
			lns, cfg := chapLNS(), testConfig()
			lns.secret, cfg.Secret = []byte(c.theirs), []byte(c.ours)
			w := newWorld(t, lns, cfg)
			w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
			w.until("an outcome", time.Minute, func() bool { return w.isUp() || w.isOver() })
			if w.isUp() != c.up {
				t.Fatalf("up %t, want %t\n%s", w.isUp(), c.up, w.dialogue())
			}
			if !c.up && (w.end().Stage != StageTunnel || w.end().Cause != CauseTunnelSecret) {
				t.Errorf("ended at %s, cause %s: %s", w.end().Stage, w.end().Cause, w.end().Reason)
			}
		})
	}
}

func TestHiddenAVPs(t *testing.T) {
	lns, cfg := chapLNS(), testConfig()
	lns.secret, cfg.Secret, cfg.HideAVPs = []byte("s3cret"), []byte("s3cret"), true
	w := newWorld(t, lns, cfg)
	w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
	w.until("up", time.Second, w.isUp)
}

func TestRefusedCallEndsAtSession(t *testing.T) {
	lns := chapLNS()
	lns.refuse = &l2tp.ResultCode{Result: l2tp.CDNError, Error: l2tp.ErrNoResources, Message: "no address left"}
	w := newWorld(t, lns, testConfig())
	w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
	w.until("the end", time.Minute, w.isOver)
	e := w.end()
	if e.Stage != StageCall || e.Cause != CauseCallRefused || !e.ByServer || !strings.Contains(e.Reason, "no address left") {
		t.Errorf("ended at %s, cause %s: %s", e.Stage, e.Cause, e.Reason)
	}
}

func TestNoCommonMethod(t *testing.T) {
	w := newWorld(t, newScriptedLNS("Admin@123", negotiate.AuthPAP), testConfig())
	w.dial(testLogin("l2tpuser", "Admin@123", aaa.MSCHAPv2))
	w.until("the end", time.Minute, w.isOver)
	if e := w.end(); e.Stage != StageLink || e.Cause != CauseMethod {
		t.Errorf("ended at %s, cause %s: %s", e.Stage, e.Cause, e.Reason)
	}
}

func TestServerWithoutAuthentication(t *testing.T) {
	for _, c := range []struct {
		methods []aaa.Method
		up      bool
	}{{[]aaa.Method{aaa.CHAP}, false}, {[]aaa.Method{aaa.CHAP, aaa.MethodNone}, true}} {
		w := newWorld(t, newScriptedLNS(""), testConfig())
		w.dial(testLogin("l2tpuser", "Admin@123", c.methods...))
		w.until("an outcome", time.Minute, func() bool { return w.isUp() || w.isOver() })
		if w.isUp() != c.up {
			t.Errorf("methods %v: up %t", c.methods, w.isUp())
		}
		if !c.up && w.end().Cause != CauseNotAuthenticated {
			t.Errorf("cause %s", w.end().Cause)
		}
	}
}

func TestPacketsTravelBothWays(t *testing.T) {
	w := newWorld(t, chapLNS(), testConfig())
	if _, ok := w.caller.AppendPacket(nil, w.session(), []byte{0x45}); ok {
		t.Error("a packet was framed before the session was up")
	}
	w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
	w.until("up", time.Second, w.isUp)
	packet := []byte{0x45, 0, 0, 20, 9, 9, 9}
	d, ok := w.caller.AppendPacket(nil, w.session(), packet)
	if !ok {
		t.Fatal("the packet was refused")
	}
	w.fly(d, true)
	w.until("the echo", time.Second, func() bool { return len(w.echoed) > 0 })
	if !bytes.Equal(w.echoed[0], packet) {
		t.Errorf("got % x", w.echoed[0])
	}
	if _, ok := w.caller.AppendPacket(nil, w.session(), make([]byte, 1401)); ok {
		t.Error("a packet larger than the server's MRU was framed")
	}
}

func TestServerWithoutIPv4EndsAtIPCP(t *testing.T) {
	for name, c := range map[string]struct {
		make  func(*scriptedLNS)
		cause Cause
	}{
		"rejects IPCP":     {func(l *scriptedLNS) { l.noIPCP = true }, CauseNoIPCP},
		"gives no address": {func(l *scriptedLNS) { l.assign = func() netip.Addr { return netip.Addr{} } }, CauseNoAddress},
	} {
		t.Run(name, func(t *testing.T) {
			lns := chapLNS()
			c.make(lns)
			w := newWorld(t, lns, testConfig())
			w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
			w.until("the end", time.Minute, w.isOver)
			if e := w.end(); e.Stage != StageAddress || e.Cause != c.cause {
				t.Errorf("ended at %s, cause %s: %s", e.Stage, e.Cause, e.Reason)
			}
			w.until("all closed", time.Minute, w.isDone)
		})
	}
}

// RFC 2759 section 5: a Success without the right authenticator response must not be accepted.
func TestRFC2759Section5_ServerMustProveItself(t *testing.T) {
	lns := newScriptedLNS("Admin@123", negotiate.AuthMSCHAPv2)
	lns.reply = "S=" + strings.Repeat("0", 40)
	w := newWorld(t, lns, testConfig())
	w.dial(testLogin("l2tpuser", "Admin@123", aaa.MSCHAPv2))
	w.until("the end", time.Minute, w.isOver)
	if e := w.end(); e.Stage != StageAuthentication || e.Cause != CauseServerUnproven || e.ByServer {
		t.Errorf("ended at %s, cause %s: %s", e.Stage, e.Cause, e.Reason)
	}
}

// RFC 1661 section 5.7: an unknown protocol is rejected, and the rejection shows the packet.
func TestRFC1661Section5_7_UnknownProtocolIsRejected(t *testing.T) {
	w := newWorld(t, chapLNS(), testConfig())
	w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
	w.until("up", time.Second, w.isUp)
	served, k := w.serverCall()
	request := ppp.Packet{Code: ppp.ConfigureRequest, Identifier: 1}.Append(nil)
	served.frames(k, []ppp.Frame{{Protocol: ppp.IPv6CP, Packet: request}})
	w.said = nil
	w.fromServer(served.flush(w.now))
	w.until("the rejection", time.Second, func() bool {
		return slices.ContainsFunc(w.said, func(s Said) bool {
			return s.Sent && s.What == "LCP Protocol-Reject" && s.Detail == "IPv6CP"
		})
	})
}

// RFC 2661 section 5.4: while the server numbers its data messages, so must we.
func TestRFC2661Section5_4_NumbersDataWhenTheServerDoes(t *testing.T) {
	w := newWorld(t, chapLNS(), testConfig())
	w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
	w.until("up", time.Second, w.isUp)
	for _, numbered := range []bool{false, true, false} {
		head := ppp.AppendFrameHeader(nil, ppp.IPv4, ppp.Framing{})
		h := l2tp.Header{Tunnel: 4711, Session: 7, Length: true, Sequence: numbered}
		d := append(l2tp.AppendDataHeader(nil, h, len(head)+1), append(head, 0x45)...)
		if err := w.caller.Receive(d, w.now, &w.out); err != nil {
			t.Fatal(err)
		}
		w.collect()
		var ns []uint16
		for range 2 {
			d, _ := w.caller.AppendPacket(nil, w.session(), []byte{0x45})
			got, _, err := l2tp.ParseHeader(d)
			if err != nil || got.Sequence != numbered {
				t.Fatalf("numbered %t, want %t (%v)", got.Sequence, numbered, err)
			}
			ns = append(ns, got.Ns)
		}
		if numbered && ns[1] != ns[0]+1 {
			t.Errorf("numbers %v", ns)
		}
	}
}

func TestStrayDatagramsAreNamed(t *testing.T) {
	w := newWorld(t, chapLNS(), testConfig())
	w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
	w.until("up", time.Second, w.isUp)
	stray := l2tp.AppendDataHeader(nil, l2tp.Header{Tunnel: 4711, Session: 99, Length: true}, 0)
	if err := w.caller.Receive(stray, w.now, &w.out); !errors.Is(err, ErrUnknownSession) {
		t.Errorf("a stray session: %v", err)
	}
	for n := range stray {
		if err := w.caller.Receive(stray[:n], w.now, &w.out); err == nil {
			t.Errorf("a datagram cut to %d octets was taken", n)
		}
	}
}

// With many calls an ICCN may have to wait for the server's window. PPP waits for it.
func TestPPPBeginsBehindTheICCN(t *testing.T) {
	const calls = 40
	w := newWorld(t, chapLNS(), testConfig())
	w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
	for n := range l2tp.SessionID(calls - 1) {
		login := testLogin("l2tpuser", "Admin@123", aaa.CHAP)
		login.Session = 100 + n
		if !w.caller.Place(login, w.now, &w.out) {
			t.Fatal("a call is not taken")
		}
	}
	w.collect()
	w.until("all are up", 5*time.Second, func() bool { return len(w.ups) == calls })
	if w.lns.early > 0 {
		t.Errorf("%d frames came before their ICCN", w.lns.early)
	}
	if len(w.caller.connected)+len(w.caller.unconnected) > 0 {
		t.Errorf("kept: %v %v", w.caller.connected, w.caller.unconnected)
	}
}
