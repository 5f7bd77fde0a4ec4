package authenticate

import (
	"bytes"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/ppp"
)

// respond makes a Response of the peer.
func respond(id, kind uint8, data string) ppp.Frame {
	return ppp.Frame{Protocol: ppp.EAP, Packet: ppp.EAPPacket{Code: ppp.EAPResponse, Identifier: id, Type: kind, Data: []byte(data)}.Append(nil)}
}

// requestOf makes a Request of a back end.
func requestOf(id, kind uint8, data string) []byte {
	return ppp.EAPPacket{Code: ppp.EAPRequest, Identifier: id, Type: kind, Data: []byte(data)}.Append(nil)
}

// challenged walks an authenticator to where the peer has a back end's Request with identifier 43 to answer.
func challenged(t *testing.T) authenticator {
	t.Helper()
	a := newAuthenticator(t, aaa.EAP)
	a.start()
	a.receive(respond(42, ppp.EAPIdentity, "bob"))
	out := a.challenge(&aaa.Challenge{Packet: requestOf(43, 25, "peap"), State: []byte("state"), Backend: "radius"})
	if len(out.Frames) != 1 || !bytes.Equal(out.Frames[0].Packet, requestOf(43, 25, "peap")) {
		t.Fatalf("challenged: %+v", out)
	}
	return a
}

func (a authenticator) challenge(c *aaa.Challenge) Out {
	var out Out
	a.Challenge(c, at(1), &out)
	return out
}

func TestRFC3748Section5_1_TheIdentityIsAskedForFirst(t *testing.T) {
	a := newAuthenticator(t, aaa.EAP)
	out := a.start()
	if p := only(t, out); out.Frames[0].Protocol != ppp.EAP || p.Code != ppp.EAPRequest || p.Identifier != 42 || !bytes.Equal(p.Data, []byte{ppp.EAPIdentity}) {
		t.Fatalf("starts with %+v", p)
	}
	padded := respond(42, ppp.EAPIdentity, "bob")
	whole := bytes.Clone(padded.Packet)
	padded.Packet = append(padded.Packet, 0, 0, 0)
	out = a.receive(padded)
	if out.Ask == nil || out.Ask.Name != "bob" || out.Ask.Proof.Method != aaa.EAP || !bytes.Equal(out.Ask.Proof.EAP, whole) ||
		out.Ask.Proof.State != nil || out.Ask.Backend != "" {
		t.Errorf("asks %+v", out.Ask)
	}
	if !a.Deadline().IsZero() {
		t.Error("a timer runs while the back end thinks")
	}
}

// The name goes with every packet, whatever the peer sends in it.
func TestRFC3579Section2_1_TheIdentityGoesWithEveryResponse(t *testing.T) {
	a := challenged(t)
	out := a.receive(respond(43, ppp.EAPNak, "\x15"))
	if out.Ask == nil || out.Ask.Name != "bob" || string(out.Ask.Proof.State) != "state" || out.Ask.Backend != "radius" ||
		out.Ask.Proof.EAP[4] != ppp.EAPNak {
		t.Errorf("asks %+v", out.Ask)
	}
}

func TestRFC3748Section4_1_WhatIsNoAnswerToTheRequestIsDropped(t *testing.T) {
	for name, f := range map[string]ppp.Frame{
		"an earlier identifier": respond(42, ppp.EAPIdentity, "bob"),
		"a later identifier":    respond(44, 25, "x"),
		"a Request":             {Protocol: ppp.EAP, Packet: requestOf(43, 25, "peap")},
		"a Success":             {Protocol: ppp.EAP, Packet: []byte{3, 43, 0, 4}},
		"a Failure":             {Protocol: ppp.EAP, Packet: []byte{4, 43, 0, 4}},
		"an unknown code":       {Protocol: ppp.EAP, Packet: []byte{9, 43, 0, 5, 25}},
		"no type":               {Protocol: ppp.EAP, Packet: []byte{2, 43, 0, 4}},
		"a length too long":     {Protocol: ppp.EAP, Packet: []byte{2, 43, 0, 9, 25}},
		"a length too short":    {Protocol: ppp.EAP, Packet: []byte{2, 43, 0, 3, 25}},
		"nothing":               {Protocol: ppp.EAP},
		"CHAP":                  answer(aaa.CHAP, 43),
	} {
		a := challenged(t)
		nothing(t, name, a.receive(f))
		if out := a.receive(respond(43, 25, "x")); out.Ask == nil {
			t.Errorf("%s: the right answer is not taken any more", name)
		}
	}
}

func TestRFC3748Section5_3_ANakIsNoIdentity(t *testing.T) {
	a := newAuthenticator(t, aaa.EAP)
	a.start()
	nothing(t, "a Nak", a.receive(respond(42, ppp.EAPNak, "\x04")))
	if out := a.advance(at(31)); out.Done == nil || out.Done.Reason != MalformedAnswer {
		t.Errorf("%+v", out.Done)
	}
}

// One doubled on the way must not double all that follows, nor cost a second check.
func TestADoubledResponseIsHandedUpOnce(t *testing.T) {
	a := challenged(t)
	first := respond(43, 25, "hello")
	if out := a.receive(first); out.Ask == nil {
		t.Fatal("not handed up")
	}
	nothing(t, "again while it is checked", a.receive(first))
	nothing(t, "another one while it is checked", a.receive(respond(43, 25, "other")))
	a.challenge(&aaa.Challenge{Packet: requestOf(43, 25, "the same identifier"), State: []byte("s")})
	nothing(t, "again after it was answered", a.receive(first))
	if out := a.receive(respond(43, 25, "next")); out.Ask == nil || string(out.Ask.Proof.State) != "s" {
		t.Errorf("the next one: %+v", out)
	}
}

func TestRFC3748Section4_3_TheRequestIsRepeatedUnchanged(t *testing.T) {
	a := challenged(t)
	for i := range DefaultMaxTransmit - 1 {
		if d := a.Deadline(); !d.Equal(at(4 + 3*float64(i))) {
			t.Fatalf("repeat %d is due at %s", i, d)
		}
		out := a.advance(a.Deadline())
		if len(out.Frames) != 1 || !bytes.Equal(out.Frames[0].Packet, requestOf(43, 25, "peap")) || out.Done != nil {
			t.Fatalf("repeat %d: %+v", i, out)
		}
	}
	nothing(t, "after the last repeat", a.advance(at(1+29.9)))
	if out := a.advance(at(31)); out.Done == nil || out.Done.Reason != ChallengeUnanswered || len(out.Frames) != 0 {
		t.Errorf("%+v", out)
	}
	nothing(t, "an answer after the end", a.receive(respond(43, 25, "x")))
}

func TestAPersonHasTheTimeThatTheBackEndGives(t *testing.T) {
	for _, tc := range []struct {
		timeout, given, want time.Duration
	}{
		{0, 0, DefaultTimeout}, {0, 55 * time.Second, 55 * time.Second}, {0, 5 * time.Second, 5 * time.Second},
		{0, time.Hour, time.Minute}, {90 * time.Second, time.Hour, 90 * time.Second}, {90 * time.Second, 0, 90 * time.Second},
	} {
		a := authenticator{NewAuthenticator(Config{Protocol: aaa.EAP, Identifier: 42, Timeout: tc.timeout}), t}
		a.start()
		a.receive(respond(42, ppp.EAPIdentity, "bob"))
		a.challenge(&aaa.Challenge{Packet: requestOf(43, 6, "code?"), Timeout: tc.given})
		if got := a.Patience().Sub(at(1)); got != tc.want {
			t.Errorf("%+v: %s", tc, got)
		}
		for now := at(1); a.stage == stageAsking; now = a.Deadline() {
			if out := a.advance(now); out.Done != nil && !now.Equal(at(1).Add(tc.want)) {
				t.Errorf("%+v: over at %s", tc, now)
			}
		}
	}
}

func TestRFC3748Section4_2_TheVerdictOfTheServerGoesToThePeerAsItIs(t *testing.T) {
	for _, tc := range []struct {
		ok     bool
		packet []byte
		want   []byte
	}{
		{true, []byte{3, 77, 0, 4}, []byte{3, 77, 0, 4}},
		{false, []byte{4, 78, 0, 4}, []byte{4, 78, 0, 4}},
		{true, nil, []byte{3, 43, 0, 4}},
		{false, nil, []byte{4, 43, 0, 4}},
		{true, []byte{4, 77, 0, 4}, []byte{3, 43, 0, 4}}, // what the server said of the login counts (RFC 3579 section 2.6.3)
		{false, []byte{3, 77, 0, 4}, []byte{4, 43, 0, 4}},
		{false, requestOf(77, 25, ""), []byte{4, 43, 0, 4}},
		{true, []byte{3, 77}, []byte{3, 43, 0, 4}},
	} {
		a := challenged(t)
		last := respond(43, 25, "x")
		a.receive(last)
		out := a.resolve(Result{OK: tc.ok, Packet: tc.packet})
		if len(out.Frames) != 1 || !bytes.Equal(out.Frames[0].Packet, tc.want) || out.Done == nil || out.Done.OK != tc.ok {
			t.Errorf("%+v: %+v", tc, out)
			continue
		}
		if out = a.receive(last); len(out.Frames) != 1 || !bytes.Equal(out.Frames[0].Packet, tc.want) || out.Ask != nil || out.Done != nil {
			t.Errorf("%+v: the last Response again gets %+v", tc, out)
		}
		nothing(t, "another Response after the end", a.receive(respond(43, 25, "y")))
	}
}

func TestWhatThePeerCannotTakeIsTheServersFault(t *testing.T) {
	for _, tc := range []struct {
		packet []byte
		want   Reason
	}{
		{nil, ServerMalformed},
		{[]byte{1, 43, 0, 4}, ServerMalformed},
		{[]byte{1, 43, 0, 9, 25}, ServerMalformed},
		{[]byte{1, 43, 0, 5, 0}, ServerMalformed},
		{[]byte{3, 43, 0, 4}, ServerMalformed},
		{respond(43, 25, "x").Packet, ServerMalformed},
		{requestOf(43, 13, string(make([]byte, 1496))), ServerTooLong},
		{requestOf(43, 13, string(make([]byte, 1495))), ReasonNone},
	} {
		a := newAuthenticator(t, aaa.EAP)
		a.start()
		a.receive(respond(42, ppp.EAPIdentity, "bob"))
		out := a.challenge(&aaa.Challenge{Packet: tc.packet})
		switch {
		case tc.want == ReasonNone:
			if out.Done != nil || len(out.Frames) != 1 {
				t.Errorf("%d octets: %+v", len(tc.packet), out)
			}
		case out.Done == nil || out.Done.Reason != tc.want || !bytes.Equal(out.Frames[0].Packet, []byte{4, 42, 0, 4}):
			t.Errorf("%x: %+v", tc.packet[:min(len(tc.packet), 9)], out)
		}
	}
}

func TestAConversationWithoutEndIsEnded(t *testing.T) {
	a := newAuthenticator(t, aaa.EAP)
	a.start()
	a.receive(respond(42, ppp.EAPIdentity, "bob"))
	for i := range 1000 {
		id := uint8(43 + i)
		if out := a.challenge(&aaa.Challenge{Packet: requestOf(id, 25, "")}); out.Done != nil {
			if i != maxTurns || out.Done.Reason != TooManyTurns {
				t.Errorf("turn %d: %+v", i, out.Done)
			}
			return
		}
		if out := a.receive(respond(id, 25, "")); out.Ask == nil {
			t.Fatalf("turn %d: no ask", i)
		}
	}
	t.Error("it goes on for ever")
}

func TestEveryCutOfAResponseIsDropped(t *testing.T) {
	whole := respond(43, 25, "certificate").Packet
	for n := range whole {
		nothing(t, "cut", challenged(t).receive(ppp.Frame{Protocol: ppp.EAP, Packet: whole[:n]}))
	}
}

// Every stage by every event.
func TestEAPStagesByEvents(t *testing.T) {
	stages := []struct {
		name string
		walk func() authenticator
		want [5]string // for start, response, challenge, resolve, late
	}{
		{"idle", func() authenticator { return newAuthenticator(t, aaa.EAP) }, [5]string{"frame", "", "", "", ""}},
		{"asking", func() authenticator { return challenged(t) }, [5]string{"", "ask", "", "", "done"}},
		{"deciding", func() authenticator {
			a := challenged(t)
			a.receive(respond(43, 25, "x"))
			return a
		}, [5]string{"", "", "frame", "frame done", ""}},
		{"over", func() authenticator {
			a := challenged(t)
			a.receive(respond(43, 25, "x"))
			a.resolve(Result{OK: true})
			return a
		}, [5]string{"", "frame", "", "", ""}},
		{"silent", func() authenticator {
			a := challenged(t)
			a.advance(at(1000))
			return a
		}, [5]string{"", "", "", "", ""}},
	}
	events := []func(authenticator) Out{
		authenticator.start,
		func(a authenticator) Out { return a.receive(respond(43, 25, "x")) },
		func(a authenticator) Out { return a.challenge(&aaa.Challenge{Packet: requestOf(44, 25, "")}) },
		func(a authenticator) Out { return a.resolve(Result{OK: true}) },
		func(a authenticator) Out { return a.advance(at(1000)) },
	}
	for _, s := range stages {
		for i, event := range events {
			if got := describe(event(s.walk())); got != s.want[i] {
				t.Errorf("%s, event %d: %q, want %q", s.name, i, got, s.want[i])
			}
		}
	}
}

// A challenge for a method that has no room for one changes nothing.
func TestOnlyEAPTakesAChallenge(t *testing.T) {
	for _, m := range methods {
		a := newAuthenticator(t, m)
		a.start()
		a.receive(answer(m, 42))
		nothing(t, m.String(), a.challenge(&aaa.Challenge{Packet: requestOf(43, 25, "")}))
	}
}
