package authenticate

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
	"lnsgate/lns/ppp"
)

// The real credentials implement the interface without knowing it.
var _ Credentials = (*secret.Answerer)(nil)

// script is Credentials that answer as told.
type script struct {
	md5, mschap []byte
	genuine     bool
	asked       int // how often a response was computed
}

func newScript() *script {
	return &script{md5: bytes.Repeat([]byte{1}, 16), mschap: bytes.Repeat([]byte{2}, 49), genuine: true}
}

func (s *script) PAP() aaa.Secret              { return aaa.NewSecret("pw") }
func (s *script) CHAP(uint8, []byte) []byte    { s.asked++; return s.md5 }
func (s *script) MSCHAPv2([]byte) []byte       { s.asked++; return s.mschap }
func (s *script) VerifyMSCHAPv2(m string) bool { return s.genuine && m != "" }

// peer is a Peer under test with its Out.
type peer struct {
	*Peer
	t *testing.T
}

func newPeer(t *testing.T, m aaa.Method, c Credentials) peer {
	return peer{NewPeer(PeerConfig{Method: m, Name: "bob", Credentials: c}), t}
}

func (p peer) start() Out {
	var out Out
	p.Start(t0, &out)
	return out
}

func (p peer) receive(f ppp.Frame, now time.Time) Out {
	var out Out
	p.Receive(f, now, &out)
	return out
}

func (p peer) advance(now time.Time) Out {
	var out Out
	p.Advance(now, &out)
	return out
}

func challenge(id uint8, value []byte) ppp.Frame {
	return frame(ppp.CHAP, ppp.CHAPChallenge, id, ppp.CHAPValue{Value: value, Name: []byte("LNS")}.Append(nil))
}

func verdictFrame(m aaa.Method, ok bool, id uint8, message string) ppp.Frame {
	data := []byte(message)
	if m == aaa.PAP {
		data = ppp.AppendPAPMessage(nil, message)
	}
	return frame(protocolOf(m), verdictCode(m, ok), id, data)
}

func TestPeerLogsInByEveryMethod(t *testing.T) {
	for _, m := range methods {
		for _, ok := range []bool{true, false} {
			p := newPeer(t, m, newScript())
			out, id := p.start(), uint8(1)
			if m != aaa.PAP {
				nothing(t, "Start", out)
				out, id = p.receive(challenge(77, testChallenge), at(1)), 77
			}
			sent := only(t, out)
			if sent.Identifier != id || sent.Code != answerCode(m) {
				t.Errorf("%s: sends %+v", m, sent)
			}
			checkAnswer(t, m, sent)
			out = p.receive(verdictFrame(m, ok, id, "the text"), at(2))
			want := Done{OK: ok, Message: "the text"}
			if !ok {
				want.Reason = Refused
			}
			if !reflect.DeepEqual(out, Out{Done: &want}) || !p.Deadline().IsZero() {
				t.Errorf("%s, verdict %v: %+v", m, ok, out.Done)
			}
			nothing(t, "the verdict again", p.receive(verdictFrame(m, ok, id, "the text"), at(3)))
			nothing(t, "much later", p.advance(at(1000)))
		}
	}
}

func checkAnswer(t *testing.T, m aaa.Method, sent ppp.Packet) {
	t.Helper()
	if m == aaa.PAP {
		r, err := ppp.ParsePAPRequest(sent.Data)
		if err != nil || string(r.Name) != "bob" || string(r.Password) != "pw" {
			t.Errorf("%+v, %v", r, err)
		}
		return
	}
	v, err := ppp.ParseCHAPValue(sent.Data)
	if err != nil || string(v.Name) != "bob" || len(v.Value) != responseLength(m) {
		t.Errorf("%s: %+v, %v", m, v, err)
	}
}

func TestRFC1334Section2_2_1_PAPRequestsRepeatWithNewIdentifiersUntilAnswered(t *testing.T) {
	p := newPeer(t, aaa.PAP, newScript())
	first := only(t, p.start())
	for i := 1; i <= 3; i++ {
		due := at(float64(3 * i))
		if !p.Deadline().Equal(due) {
			t.Fatalf("deadline %v, want %v", p.Deadline(), due)
		}
		nothing(t, "a moment before", p.advance(due.Add(-1)))
		again := only(t, p.advance(due))
		if again.Identifier != uint8(i+1) || !bytes.Equal(again.Data, first.Data) {
			t.Errorf("repeat %d: %+v", i, again)
		}
	}
	nothing(t, "an identifier we never sent", p.receive(verdictFrame(aaa.PAP, true, 5, ""), at(10)))
	nothing(t, "an identifier we never sent", p.receive(verdictFrame(aaa.PAP, true, 0, ""), at(10)))
	if out := p.receive(verdictFrame(aaa.PAP, true, 2, ""), at(10)); out.Done == nil || !out.Done.OK {
		t.Errorf("the answer to an earlier request: %+v", out)
	}
}

func TestPAPVerdictsWithoutALengthOctetCount(t *testing.T) {
	p := newPeer(t, aaa.PAP, newScript())
	p.start()
	if out := p.receive(frame(ppp.PAP, ppp.PAPAuthenticateAck, 1, nil), at(1)); out.Done == nil || !out.Done.OK {
		t.Errorf("%+v", out)
	}
}

func TestQ38_PeerRepeatsItsResponseWithTheSameOctetsUntilTheVerdict(t *testing.T) {
	for _, m := range []aaa.Method{aaa.CHAP, aaa.MSCHAPv2} {
		s := newScript()
		p := newPeer(t, m, s)
		p.start()
		first := p.receive(challenge(9, testChallenge), t0)
		if again := p.advance(at(3)); !reflect.DeepEqual(again, first) {
			t.Errorf("%s: on the timer %+v", m, again)
		}
		if again := p.receive(challenge(9, testChallenge), at(4)); !reflect.DeepEqual(again, first) || s.asked != 1 {
			t.Errorf("%s: on the same Challenge %+v, computed %d times", m, again, s.asked)
		}
		if !p.Deadline().Equal(at(7)) {
			t.Errorf("%s: deadline %v", m, p.Deadline())
		}
		other := only(t, p.receive(challenge(10, testChallenge), at(5)))
		if other.Identifier != 10 || s.asked != 2 {
			t.Errorf("%s: a new Challenge: %+v, computed %d times", m, other, s.asked)
		}
		nothing(t, "a verdict on the old one", p.receive(verdictFrame(m, true, 9, "x"), at(6)))
	}
}

func TestPeerGivesUpWhenThePhaseIsOver(t *testing.T) {
	for _, m := range methods {
		p := newPeer(t, m, newScript())
		p.start()
		for now := 1; now < 30; now++ {
			if out := p.advance(at(float64(now))); out.Done != nil {
				t.Fatalf("%s: it gives up after %d s", m, now)
			}
		}
		if out := p.advance(at(30)); !reflect.DeepEqual(out, Out{Done: &Done{Reason: NoAnswer}}) {
			t.Errorf("%s: %+v", m, out)
		}
		nothing(t, "a late Challenge", p.receive(challenge(1, testChallenge), at(31)))
	}
}

func TestRFC2759Section5_PeerRefusesAServerThatDoesNotKnowThePassword(t *testing.T) {
	s := newScript()
	s.genuine = false
	p := newPeer(t, aaa.MSCHAPv2, s)
	p.start()
	p.receive(challenge(1, testChallenge), t0)
	out := p.receive(verdictFrame(aaa.MSCHAPv2, true, 1, testReply), at(1))
	if out.Done == nil || out.Done.OK || out.Done.Reason != ServerNotProven {
		t.Errorf("%+v", out.Done)
	}
	nothing(t, "a better Success afterwards", p.receive(verdictFrame(aaa.MSCHAPv2, true, 1, testReply), at(2)))
}

func TestASuccessBeforeOurResponseProvesNothing(t *testing.T) {
	for _, m := range []aaa.Method{aaa.CHAP, aaa.MSCHAPv2} {
		p := newPeer(t, m, newScript())
		nothing(t, "before Start", p.receive(challenge(0, testChallenge), t0))
		p.start()
		nothing(t, "before the Challenge", p.receive(verdictFrame(m, true, 0, testReply), at(1)))
		nothing(t, "before the Challenge", p.receive(verdictFrame(m, false, 0, ""), at(1)))
	}
}

func TestChallengesWithoutAnAnswerEndThePhase(t *testing.T) {
	short := newScript()
	short.md5, short.mschap = short.md5[:15], nil
	for _, test := range []struct {
		method aaa.Method
		creds  *script
		frame  ppp.Frame
		want   Reason
	}{
		{aaa.CHAP, newScript(), challenge(1, nil), MalformedAnswer},
		{aaa.CHAP, newScript(), frame(ppp.CHAP, ppp.CHAPChallenge, 1, nil), MalformedAnswer},
		{aaa.CHAP, newScript(), frame(ppp.CHAP, ppp.CHAPChallenge, 1, []byte{17, 1}), MalformedAnswer},
		{aaa.MSCHAPv2, newScript(), challenge(1, make([]byte, 8)), MalformedAnswer},
		{aaa.CHAP, short, challenge(1, testChallenge), CannotAnswer},
		{aaa.MSCHAPv2, short, challenge(1, testChallenge), CannotAnswer},
	} {
		p := newPeer(t, test.method, test.creds)
		p.start()
		if out := p.receive(test.frame, at(1)); !reflect.DeepEqual(out, Out{Done: &Done{Reason: test.want}}) {
			t.Errorf("%s, %x: %+v", test.method, test.frame.Packet, out)
		}
	}
	for _, m := range []aaa.Method{aaa.MethodNone, 99} {
		if out := newPeer(t, m, newScript()).start(); out.Done == nil || out.Done.Reason != Unusable {
			t.Errorf("%s: %+v", m, out)
		}
	}
	if out := newPeer(t, aaa.PAP, nil).start(); out.Done == nil || out.Done.Reason != Unusable {
		t.Errorf("no credentials: %+v", out)
	}
}

func TestRFC1994Section2_AChallengeAfterTheEndIsAnswered(t *testing.T) {
	p := newPeer(t, aaa.CHAP, newScript())
	p.start()
	p.receive(challenge(1, testChallenge), t0)
	p.receive(verdictFrame(aaa.CHAP, true, 1, ""), at(1))
	out := p.receive(challenge(2, []byte("another")), at(60))
	if sent := only(t, out); sent.Identifier != 2 || sent.Code != ppp.CHAPResponse || out.Done != nil || !p.Deadline().IsZero() {
		t.Errorf("%+v", out)
	}
	nothing(t, "its Success", p.receive(verdictFrame(aaa.CHAP, true, 2, ""), at(61)))
	nothing(t, "a broken Challenge", p.receive(challenge(3, nil), at(62)))
}

func TestBrokenPacketsAreNamedAtTheEnd(t *testing.T) {
	for _, m := range methods {
		p := newPeer(t, m, newScript())
		p.start()
		whole := challenge(1, testChallenge).Packet
		for n := range len(whole) {
			nothing(t, "a cut packet", p.receive(ppp.Frame{Protocol: protocolOf(m), Packet: whole[:n]}, at(1)))
		}
		if out := p.advance(at(30)); out.Done == nil || out.Done.Reason != MalformedAnswer {
			t.Errorf("%s: %+v", m, out.Done)
		}
	}
}

// converse lets both sides talk until neither has anything to say; lose says which frame is lost, counted from 0 over
// both directions. The checks are those of aaa/secret.
func converse(t *testing.T, m aaa.Method, typed string, lose map[int]bool) (server, client *Done, asks int) {
	t.Helper()
	stored := secret.Clear(aaa.NewSecret("Admin@123"))
	a := NewAuthenticator(Config{Protocol: m, Challenge: testChallenge, Identifier: 200})
	p := NewPeer(PeerConfig{Method: m, Name: `CORP\bob`, Credentials: secret.NewAnswerer(`CORP\bob`, aaa.NewSecret(typed), [16]byte{3})})
	var fromServer, fromClient Out
	a.Start(t0, &fromServer)
	p.Start(t0, &fromClient)
	now, sent := t0, 0
	for range 60 {
		toServer, toClient := fromClient.Frames, fromServer.Frames
		if fromServer.Done != nil {
			server = fromServer.Done
		}
		if fromClient.Done != nil {
			client = fromClient.Done
		}
		ask := fromServer.Ask
		fromServer, fromClient = Out{}, Out{}
		if ask != nil {
			asks++
			reply, err := stored.Check(ask.Name, ask.Proof)
			a.Resolve(Result{OK: err == nil, Reply: reply}, now, &fromServer)
		}
		for _, f := range toServer {
			if sent++; !lose[sent-1] {
				a.Receive(f, now, &fromServer)
			}
		}
		for _, f := range toClient {
			if sent++; !lose[sent-1] {
				p.Receive(f, now, &fromClient)
			}
		}
		if describe(fromServer) == "" && describe(fromClient) == "" {
			now = earlier(a.Deadline(), p.Deadline())
			if now.IsZero() {
				return server, client, asks
			}
			a.Advance(now, &fromServer)
			p.Advance(now, &fromClient)
		}
	}
	t.Fatalf("%s: the conversation does not end", m)
	return nil, nil, 0
}

// Both sides with real credentials: whichever frames are lost, they come to the same end with one check.
func TestBothSidesAgreeWhicheverTwoFramesAreLost(t *testing.T) {
	for _, m := range methods {
		for typed, ok := range map[string]bool{"Admin@123": true, "wrong": false} {
			for i := range 6 {
				for j := range 6 {
					server, client, asks := converse(t, m, typed, map[int]bool{i: true, j: true})
					if server == nil || client == nil || server.OK != ok || client.OK != ok || asks != 1 {
						t.Errorf("%s with %q, %d and %d lost: server %+v, client %+v, %d checks", m, typed, i, j, server, client, asks)
					}
				}
			}
		}
	}
}

func FuzzPeer(f *testing.F) {
	f.Add(uint8(0), verdictFrame(aaa.PAP, true, 1, "x").Packet, []byte{})
	f.Add(uint8(1), challenge(1, testChallenge).Packet, verdictFrame(aaa.CHAP, true, 1, "x").Packet)
	f.Add(uint8(2), challenge(1, testChallenge).Packet, verdictFrame(aaa.CHAP, true, 1, testReply).Packet)
	f.Add(uint8(2), challenge(1, nil).Packet, []byte{3, 1, 0, 4})
	f.Fuzz(func(t *testing.T, which uint8, first, second []byte) {
		m := methods[int(which)%len(methods)]
		s := newScript()
		s.genuine = false
		p := newPeer(t, m, s)
		outs := []Out{
			p.start(), p.receive(ppp.Frame{Protocol: protocolOf(m), Packet: first}, at(1)),
			p.receive(ppp.Frame{Protocol: protocolOf(m), Packet: second}, at(2)), p.advance(at(3)), p.advance(at(100)),
		}
		dones := 0
		for _, out := range outs {
			dones += bit(out.Done != nil)
			if out.Done != nil && out.Done.OK && m == aaa.MSCHAPv2 {
				t.Fatal("it trusts a server that proved nothing")
			}
		}
		if dones != 1 {
			t.Fatalf("%d Dones", dones)
		}
	})
}
