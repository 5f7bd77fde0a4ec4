package session

import (
	"testing"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
	"lnsgate/lns/authenticate"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/negotiate"
	"lnsgate/lns/ppp"
)

// fromLAC is what a LAC that has run LCP and CHAP with the peer says in its ICCN.
func fromLAC(method uint16) l2tp.ICCN {
	challenge := []byte("0123456789abcdef")
	proof := secret.NewAnswerer(userName, aaa.NewSecret(password), [16]byte{9}).CHAP(5, challenge)
	call := l2tp.ICCN{
		InitialReceivedLCP: ppp.AppendMRU(nil, 1492),
		LastReceivedLCP:    ppp.AppendMagic(ppp.AppendMRU(nil, 1492), 77),
		LastSentLCP:        ppp.AppendMagic(ppp.AppendAuthentication(nil, ppp.CHAP, ppp.AlgorithmMD5), 78),
		ProxyAuth:          l2tp.ProxyAuth{Present: true, Type: method, Name: userName, Challenge: challenge, ID: 5, Response: proof},
	}
	if method == l2tp.ProxyAuthPAP {
		call.ProxyAuth.Challenge, call.ProxyAuth.Response = nil, []byte(password)
		call.LastSentLCP = ppp.AppendAuthentication(nil, ppp.PAP, 0)
	}
	return call
}

// the LAC ran LCP and the login already; the peer waits for our answer to its proof and starts IPCP.
func TestQ48ProxyLCPAndAuthenticationAreUsed(t *testing.T) {
	for _, method := range []uint16{l2tp.ProxyAuthCHAP, l2tp.ProxyAuthPAP} {
		r := newRig(t, testPolicy(negotiate.AuthCHAPMD5, negotiate.AuthPAP))
		r.step(func(o *Out) { r.s.Start(fromLAC(method), r.now, o) })
		if r.asks != 1 || r.s.Name() != userName || r.s.Phase() != Network {
			t.Fatalf("%d asks, name %q, at %s", r.asks, r.s.Name(), r.s.Phase())
		}
		if r.saidTo(ppp.LCP, ppp.ConfigureRequest) != 0 {
			t.Error("LCP was negotiated again")
		}
		verdict := r.last(ppp.CHAP)
		if method == l2tp.ProxyAuthPAP {
			verdict = r.last(ppp.PAP)
		}
		if p, err := ppp.ParsePacket(verdict); err != nil || (method == l2tp.ProxyAuthCHAP && (p.Code != ppp.CHAPSuccess || p.Identifier != 5)) {
			t.Errorf("the peer got %+v", p)
		}
		r.startIPCP()
		r.settle()
		r.step(func(o *Out) { r.s.Advance(r.s.Deadline(), Activity{}, o) }) // our first request went out before the peer was there
		r.settle()
		r.wantOpen()
		if r.opened.PeerMRU != 1460 { // never above our own MRU
			t.Errorf("peer MRU %d", r.opened.PeerMRU)
		}
	}
}

func TestProxyAuthenticationIsAskedAgainWhenThePolicySaysSo(t *testing.T) {
	policy := testPolicy(negotiate.AuthCHAPMD5)
	policy.ProxyAuthentication = false
	r := newRig(t, policy)
	r.step(func(o *Out) { r.s.Start(fromLAC(l2tp.ProxyAuthCHAP), r.now, o) })
	if r.asks != 0 || r.saidTo(ppp.CHAP, ppp.CHAPChallenge) != 1 || r.saidTo(ppp.LCP, ppp.ConfigureRequest) != 0 {
		t.Errorf("%d asks, %d challenges, at %s", r.asks, r.saidTo(ppp.CHAP, ppp.CHAPChallenge), r.s.Phase())
	}
}

func TestProxyLCPIsNegotiatedAgainWhenThePolicySaysSo(t *testing.T) {
	policy := testPolicy(negotiate.AuthCHAPMD5)
	policy.ProxyLCP = false
	r := newRig(t, policy)
	r.mute = true
	r.step(func(o *Out) { r.s.Start(fromLAC(l2tp.ProxyAuthCHAP), r.now, o) })
	if r.saidTo(ppp.LCP, ppp.ConfigureRequest) == 0 || r.s.Phase() != Link {
		t.Errorf("at %s", r.s.Phase())
	}
}

func TestProxyAnswerOfAMethodThatIsNotOfferedIsNotUsed(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthMSCHAPv2))
	r.mute = true
	r.step(func(o *Out) { r.s.Start(fromLAC(l2tp.ProxyAuthPAP), r.now, o) })
	if r.asks != 0 {
		t.Error("a PAP password was checked although only MS-CHAPv2 is offered")
	}
}

func TestWrongProxyProofIsRejected(t *testing.T) {
	r := newRig(t, testPolicy(negotiate.AuthCHAPMD5))
	r.password = "another"
	r.step(func(o *Out) { r.s.Start(fromLAC(l2tp.ProxyAuthCHAP), r.now, o) })
	if p, err := ppp.ParsePacket(r.last(ppp.CHAP)); err != nil || p.Code != ppp.CHAPFailure {
		t.Errorf("the peer got %+v", p)
	}
}

// FuzzFrames feeds a session whatever a peer may say, in any order and with time going by.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{0, 12, 0xff, 3, 0xc0, 0x21, 1, 1, 0, 4})
	f.Add([]byte{1, 10, 0xc0, 0x21, 2, 1, 0, 4, 3, 9, 0xc2, 0x23, 2, 1, 0, 4})
	f.Add([]byte{2, 8, 0x80, 0x21, 1, 1, 0, 4, 5, 8, 0x80, 0x57, 1, 1, 0, 4})
	f.Fuzz(func(t *testing.T, script []byte) {
		policy := testPolicy(negotiate.AuthMSCHAPv2, negotiate.AuthPAP)
		s, now := New(policy), start
		var out Out
		if len(script) > 0 && script[0]&1 == 0 {
			s.Start(l2tp.ICCN{LastSentLCP: script, LastReceivedLCP: script}, now, &out)
		} else {
			s.Start(l2tp.ICCN{}, now, &out)
		}
		for len(script) > 2 {
			op, n := script[0], min(int(script[1]), len(script)-2)
			frame := script[2 : 2+n]
			script = script[2+n:]
			out = Out{}
			switch op % 6 {
			case 0, 1, 2:
				s.Frame(frame, now, &out)
			case 3:
				now = now.Add(3e9)
				s.Advance(now, Activity{}, &out)
			case 4:
				s.Authenticated(s.generation, aaa.Decision{Account: "a"}, nil, now, &out)
			case 5:
				if !s.Leased(s.generation, goodLease, nil, now, &out) && out.End != nil {
					t.Error("a refused lease changed the session")
				}
			}
			if len(out.Frames) > 64 {
				t.Fatalf("%d frames in answer to one", len(out.Frames))
			}
			if s.Phase() == Ended && !s.Deadline().IsZero() {
				t.Fatal("an ended session has a deadline")
			}
		}
	})
}

var _ authenticate.Credentials = (*secret.Answerer)(nil)
