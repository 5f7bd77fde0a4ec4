package authenticate

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/ppp"
)

var (
	t0            = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	testChallenge = []byte("0123456789abcdef")
	methods       = []aaa.Method{aaa.PAP, aaa.CHAP, aaa.MSCHAPv2}
)

const testReply = "S=407A5589115FD0D6209F510FE9C04566932CDA56"

func at(seconds float64) time.Time { return t0.Add(time.Duration(seconds * float64(time.Second))) }

// authenticator is an Authenticator under test with its Out.
type authenticator struct {
	*Authenticator
	t *testing.T
}

func newAuthenticator(t *testing.T, m aaa.Method) authenticator {
	return authenticator{NewAuthenticator(Config{Protocol: m, LocalName: "LNS", Challenge: testChallenge, Identifier: 42}), t}
}

func (a authenticator) start() Out {
	var out Out
	a.Start(t0, &out)
	return out
}

func (a authenticator) receive(f ppp.Frame) Out {
	var out Out
	a.Receive(f, at(1), &out)
	return out
}

func (a authenticator) resolve(r Result) Out {
	var out Out
	a.Resolve(r, at(2), &out)
	return out
}

func (a authenticator) advance(now time.Time) Out {
	var out Out
	a.Advance(now, &out)
	return out
}

// answer is what a peer called bob answers.
func answer(m aaa.Method, id uint8) ppp.Frame {
	switch m {
	case aaa.PAP:
		data := ppp.PAPRequest{Name: []byte("bob"), Password: []byte("pw")}.Append(nil)
		return frame(ppp.PAP, ppp.PAPAuthenticateRequest, id, data)
	case aaa.CHAP:
		return response(id, 16)
	default:
		return response(id, 49)
	}
}

// response is a CHAP Response whose value has n octets.
func response(id uint8, n int) ppp.Frame {
	value := ppp.CHAPValue{Value: bytes.Repeat([]byte{0x77}, n), Name: []byte("bob")}
	return frame(ppp.CHAP, ppp.CHAPResponse, id, value.Append(nil))
}

func frame(p ppp.Protocol, c ppp.Code, id uint8, data []byte) ppp.Frame {
	return ppp.Frame{Protocol: p, Packet: ppp.Packet{Code: c, Identifier: id, Data: data}.Append(nil)}
}

// only returns the one packet of an Out, and complains unless it is the only thing in it beside Done and Ask.
func only(t *testing.T, out Out) ppp.Packet {
	t.Helper()
	if len(out.Frames) != 1 {
		t.Fatalf("%d frames, want 1: %+v", len(out.Frames), out)
	}
	p, err := ppp.ParsePacket(out.Frames[0].Packet)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func nothing(t *testing.T, what string, out Out) {
	t.Helper()
	if len(out.Frames) != 0 || out.Ask != nil || out.Done != nil {
		t.Errorf("%s: %+v", what, out)
	}
}

func TestALoginByEveryMethod(t *testing.T) {
	for _, m := range methods {
		for _, ok := range []bool{true, false} {
			a := newAuthenticator(t, m)
			a.start()
			out := a.receive(answer(m, 42))
			if out.Ask == nil || len(out.Frames) != 0 || out.Done != nil {
				t.Fatalf("%s: after the answer %+v", m, out)
			}
			if out.Ask.Name != "bob" || out.Ask.Proof.Method != m {
				t.Errorf("%s: asks %+v", m, out.Ask)
			}
			out = a.resolve(Result{OK: ok, Reply: testReply})
			if out.Done == nil || out.Done.OK != ok || (out.Done.Reason == Refused) == ok || out.Ask != nil {
				t.Errorf("%s, verdict %v: %+v", m, ok, out.Done)
			}
			if p := only(t, out); p.Identifier != 42 || p.Code != verdictCode(m, ok) || out.Frames[0].Protocol != protocolOf(m) {
				t.Errorf("%s, verdict %v: sends %+v", m, ok, p)
			}
			if !a.Deadline().IsZero() {
				t.Errorf("%s: a timer runs after the end", m)
			}
		}
	}
}

func verdictCode(m aaa.Method, ok bool) ppp.Code {
	switch {
	case m == aaa.PAP && ok:
		return ppp.PAPAuthenticateAck
	case m == aaa.PAP:
		return ppp.PAPAuthenticateNak
	case ok:
		return ppp.CHAPSuccess
	}
	return ppp.CHAPFailure
}

func TestTheProofHoldsWhatTheBackEndNeeds(t *testing.T) {
	a := newAuthenticator(t, aaa.CHAP)
	a.start()
	f := answer(aaa.CHAP, 42)
	ask := a.receive(f).Ask
	want := aaa.Proof{Method: aaa.CHAP, Identifier: 42, Challenge: testChallenge, Response: bytes.Repeat([]byte{0x77}, 16)}
	if !reflect.DeepEqual(ask.Proof, want) {
		t.Errorf("%+v", ask.Proof)
	}
	for i := range f.Packet {
		f.Packet[i] = 0 // the frame may be reused
	}
	if ask.Proof.Response[0] != 0x77 || ask.Name != "bob" {
		t.Error("the proof is a view into the frame")
	}

	a = newAuthenticator(t, aaa.PAP)
	a.start()
	if got := a.receive(answer(aaa.PAP, 1)).Ask.Proof; got.Password.Reveal() != "pw" || got.Challenge != nil {
		t.Errorf("%+v", got)
	}
}

func TestRFC1994Section4_1_ChallengeIsRepeatedUntilAnsweredOrTheCountIsUsedUp(t *testing.T) {
	for _, m := range []aaa.Method{aaa.CHAP, aaa.MSCHAPv2} {
		a := authenticator{NewAuthenticator(Config{
			Protocol: m, Challenge: testChallenge, Identifier: 5, Restart: 2 * time.Second, MaxTransmit: 3, Timeout: time.Minute,
		}), t}
		first := a.start()
		for i := 1; i < 3; i++ {
			due := at(float64(2 * i))
			if !a.Deadline().Equal(due) {
				t.Errorf("%s: deadline %v, want %v", m, a.Deadline(), due)
			}
			nothing(t, "a moment before", a.advance(due.Add(-1)))
			if out := a.advance(due); !reflect.DeepEqual(out, first) {
				t.Errorf("%s: the repeat is %+v, the first was %+v", m, out, first)
			}
		}
		out := a.advance(at(6))
		if !reflect.DeepEqual(out, Out{Done: &Done{Reason: NoAnswer}}) || !a.Deadline().IsZero() {
			t.Errorf("%s: at the end %+v", m, out)
		}
		nothing(t, "an answer after the end", a.receive(answer(m, 5)))
		nothing(t, "later", a.advance(at(1000)))
	}
}

func TestTheWholePhaseIsBounded(t *testing.T) {
	for _, m := range methods {
		a := authenticator{NewAuthenticator(Config{Protocol: m, Challenge: testChallenge, Restart: time.Hour, Timeout: 7 * time.Second}), t}
		a.start()
		if !a.Deadline().Equal(at(7)) {
			t.Errorf("%s: deadline %v", m, a.Deadline())
		}
		nothing(t, "a moment before", a.advance(at(6.9)))
		if out := a.advance(at(7)); !reflect.DeepEqual(out, Out{Done: &Done{Reason: NoAnswer}}) {
			t.Errorf("%s: %+v", m, out)
		}
	}
}

func TestWaitingForTheVerdictIsTheCallersToBound(t *testing.T) {
	for _, m := range methods {
		a := newAuthenticator(t, m)
		a.start()
		a.receive(answer(m, 42))
		if !a.Deadline().IsZero() {
			t.Errorf("%s: a timer runs", m)
		}
		nothing(t, m.String(), a.advance(at(3600)))
		if out := a.resolve(Result{OK: true, Reply: testReply}); out.Done == nil || !out.Done.OK {
			t.Errorf("%s: a late verdict: %+v", m, out)
		}
	}
}

func TestQ61_TheChallengeAlwaysCarriesAName(t *testing.T) {
	for given, want := range map[string]string{"": DefaultName, "LNS": "LNS"} {
		a := authenticator{NewAuthenticator(Config{Protocol: aaa.CHAP, LocalName: given, Challenge: testChallenge, Identifier: 42}), t}
		p := only(t, a.start())
		v, err := ppp.ParseCHAPValue(p.Data)
		if err != nil || string(v.Name) != want || !bytes.Equal(v.Value, testChallenge) || p.Code != ppp.CHAPChallenge || p.Identifier != 42 {
			t.Errorf("%+v, %+v, %v", p, v, err)
		}
	}
}

func TestRFC1994Section4_1_ResponseWithAnotherIdentifierIsDropped(t *testing.T) {
	for _, m := range []aaa.Method{aaa.CHAP, aaa.MSCHAPv2} {
		a := newAuthenticator(t, m)
		a.start()
		for id := range 256 {
			if id != 42 {
				nothing(t, "wrong identifier", a.receive(answer(m, uint8(id))))
			}
		}
		if a.receive(answer(m, 42)).Ask == nil {
			t.Errorf("%s: the right one is not asked about", m)
		}
	}
}

// the Success was lost and the peer repeats its Response.
func TestQ38_ARepeatGetsTheSameOctetsAndNoSecondAsk(t *testing.T) {
	for _, m := range methods {
		for _, ok := range []bool{true, false} {
			a := newAuthenticator(t, m)
			a.start()
			a.receive(answer(m, 42))
			for range 3 {
				nothing(t, "a repeat while waiting", a.receive(answer(m, 42)))
			}
			first := a.resolve(Result{OK: ok, Reply: testReply})
			for range 3 {
				if again := a.receive(answer(m, 42)); !reflect.DeepEqual(again, Out{Frames: first.Frames}) {
					t.Errorf("%s, verdict %v: repeats %+v", m, ok, again)
				}
			}
			nothing(t, "a second verdict", a.resolve(Result{OK: !ok, Reply: testReply}))
		}
	}
}

func TestRFC1994Section4_1_AnotherResponseAfterTheVerdictGetsTheSameAnswer(t *testing.T) {
	a := newAuthenticator(t, aaa.CHAP)
	a.start()
	a.receive(answer(aaa.CHAP, 42))
	a.resolve(Result{})
	guess := ppp.CHAPValue{Value: bytes.Repeat([]byte{1}, 16), Name: []byte("root")}
	out := a.receive(frame(ppp.CHAP, ppp.CHAPResponse, 42, guess.Append(nil)))
	if p := only(t, out); p.Code != ppp.CHAPFailure || out.Ask != nil || out.Done != nil {
		t.Errorf("%+v", out)
	}
}

func TestQ58_PAPBeforeStartIsDiscardedAndRepeatsGetTheirOwnIdentifier(t *testing.T) {
	a := newAuthenticator(t, aaa.PAP)
	nothing(t, "before Start", a.receive(answer(aaa.PAP, 1)))
	nothing(t, "Start sends nothing for PAP", a.start())
	if a.receive(answer(aaa.PAP, 2)).Ask == nil {
		t.Fatal("no Ask")
	}
	nothing(t, "a repeat with a new identifier", a.receive(answer(aaa.PAP, 3)))
	other := ppp.PAPRequest{Name: []byte("root"), Password: []byte("guess")}.Append(nil)
	nothing(t, "other content while waiting", a.receive(frame(ppp.PAP, ppp.PAPAuthenticateRequest, 9, other)))
	first := only(t, a.resolve(Result{OK: true}))
	if first.Identifier != 3 {
		t.Errorf("the verdict carries identifier %d, the last request had 3", first.Identifier)
	}
	again := a.receive(answer(aaa.PAP, 4))
	if p := only(t, again); p.Identifier != 4 || p.Code != first.Code || !bytes.Equal(p.Data, first.Data) || again.Ask != nil {
		t.Errorf("after the verdict: %+v", again)
	}
}

func TestAResponseOfWrongLengthIsRefusedWithoutAnAsk(t *testing.T) {
	for _, m := range []aaa.Method{aaa.CHAP, aaa.MSCHAPv2} {
		for n := range 256 {
			a := newAuthenticator(t, m)
			a.start()
			out := a.receive(response(42, n))
			if n == responseLength(m) {
				if out.Ask == nil {
					t.Errorf("%s: %d octets: %+v", m, n, out)
				}
				continue
			}
			if out.Ask != nil || out.Done == nil || out.Done.Reason != MalformedAnswer || only(t, out).Code != ppp.CHAPFailure {
				t.Errorf("%s: %d octets: %+v", m, n, out)
			}
		}
	}
}

func TestAnswersCutAtEveryOctetNeverAsk(t *testing.T) {
	for _, m := range methods {
		whole := answer(m, 42)
		for n := range len(whole.Packet) {
			a := newAuthenticator(t, m)
			a.start()
			out := a.receive(ppp.Frame{Protocol: whole.Protocol, Packet: whole.Packet[:n]})
			if out.Ask != nil {
				t.Errorf("%s cut to %d octets: asks", m, n)
			}
			if out := a.advance(at(30)); out.Done == nil || out.Done.Reason != MalformedAnswer {
				t.Errorf("%s cut to %d octets: ends with %+v", m, n, out.Done)
			}
		}
	}
}

func TestFramesThatAreNoAnswerAreDropped(t *testing.T) {
	for _, m := range methods {
		a := newAuthenticator(t, m)
		a.start()
		for code := range 256 {
			if ppp.Code(code) != answerCode(m) {
				nothing(t, "code", a.receive(frame(protocolOf(m), ppp.Code(code), 42, answer(m, 42).Packet[4:])))
			}
		}
		for _, p := range []ppp.Protocol{ppp.LCP, ppp.IPCP, ppp.EAP, ppp.PAP, ppp.CHAP} {
			if p != protocolOf(m) {
				nothing(t, "protocol", a.receive(ppp.Frame{Protocol: p, Packet: answer(m, 42).Packet}))
			}
		}
	}
}

func answerCode(m aaa.Method) ppp.Code {
	if m == aaa.PAP {
		return ppp.PAPAuthenticateRequest
	}
	return ppp.CHAPResponse
}

// Every state meets every event.
func TestEveryStateMeetsEveryEvent(t *testing.T) {
	states := map[string]func(a authenticator){
		"idle":     func(authenticator) {},
		"asking":   func(a authenticator) { a.start() },
		"deciding": func(a authenticator) { a.start(); a.receive(answer(aaa.CHAP, 42)) },
		"over":     func(a authenticator) { a.start(); a.receive(answer(aaa.CHAP, 42)); a.resolve(Result{OK: true}) },
		"silent":   func(a authenticator) { a.start(); a.advance(at(30)) },
	}
	events := map[string]func(a authenticator) Out{
		"Start":   func(a authenticator) Out { return a.start() },
		"Answer":  func(a authenticator) Out { return a.receive(answer(aaa.CHAP, 42)) },
		"Resolve": func(a authenticator) Out { return a.resolve(Result{OK: true}) },
		"Restart": func(a authenticator) Out { return a.advance(at(3)) },
		"Timeout": func(a authenticator) Out { return a.advance(at(30)) },
		"Adopt": func(a authenticator) Out {
			var out Out
			if a.Adopt(Collected{Name: "bob", Identifier: 1, Challenge: testChallenge, Response: make([]byte, 16)}, t0, &out) != (out.Ask != nil) {
				a.t.Error("Adopt's word and its Ask differ")
			}
			return out
		},
	}
	want := map[string]map[string]string{
		"idle":     {"Start": "frame", "Answer": "", "Resolve": "", "Restart": "", "Timeout": "", "Adopt": "ask"},
		"asking":   {"Start": "", "Answer": "ask", "Resolve": "", "Restart": "frame", "Timeout": "done", "Adopt": ""},
		"deciding": {"Start": "", "Answer": "", "Resolve": "frame done", "Restart": "", "Timeout": "", "Adopt": ""},
		"over":     {"Start": "", "Answer": "frame", "Resolve": "", "Restart": "", "Timeout": "", "Adopt": ""},
		"silent":   {"Start": "", "Answer": "", "Resolve": "", "Restart": "", "Timeout": "", "Adopt": ""},
	}
	for state, reach := range states {
		for event, act := range events {
			a := newAuthenticator(t, aaa.CHAP)
			reach(a)
			if got := describe(act(a)); got != want[state][event] {
				t.Errorf("%s, %s: %q, want %q", state, event, got, want[state][event])
			}
		}
	}
}

// describe names what an Out holds.
func describe(out Out) string {
	var parts []string
	if len(out.Frames) > 0 {
		parts = append(parts, "frame")
	}
	if out.Ask != nil {
		parts = append(parts, "ask")
	}
	if out.Done != nil {
		parts = append(parts, "done")
	}
	return strings.Join(parts, " ")
}
