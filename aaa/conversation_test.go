package aaa_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
)

// talkers is a gateway with one domain whose chain has three back ends.
func talkers(t *testing.T, possible func(*aaa.Decision) error) (*aaa.Gateway, [3]*aaatest.Fake) {
	fakes := [3]*aaatest.Fake{aaatest.NewFake("first"), aaatest.NewFake("second"), aaatest.NewFake("third")}
	return mustGateway(t, aaa.Config{
		DefaultDomain: "d",
		Backends:      []aaa.Backend{fakes[0], fakes[1], fakes[2]},
		Domains:       []aaa.Domain{{Name: "d", Chain: []string{"first", "second", "third"}, ContinueOnError: true, Accounting: []string{"books"}, Filter: "open"}},
		Possible:      possible,
	}), fakes
}

func TestAChallengeEndsTheWalkAndNamesItsBackend(t *testing.T) {
	g, fakes := talkers(t, nil)
	fakes[0].SetOther(aaatest.Answer{Err: unknown})
	said := &aaa.Challenge{Packet: []byte{1, 2, 0, 4}, State: []byte("s"), Timeout: time.Minute}
	fakes[1].SetOther(aaatest.Answer{Err: said})
	fakes[2].SetOther(aaatest.Answer{})
	_, err := g.Authenticate(context.Background(), &aaa.Request{Name: "bob", Proof: aaa.Proof{Method: aaa.EAP}})
	var c *aaa.Challenge
	if !errors.As(err, &c) || c.Backend != "second" || string(c.State) != "s" || c.Timeout != time.Minute {
		t.Fatalf("%+v, %v", c, err)
	}
	if said.Backend != "" {
		t.Error("the back end's own value was written to")
	}
}

func TestAConversationStaysWithItsBackend(t *testing.T) {
	g, fakes := talkers(t, nil)
	for _, f := range fakes {
		f.SetOther(aaatest.Answer{Err: errBroken})
	}
	fakes[2].SetOther(aaatest.Answer{})
	goOn := &aaa.Request{Name: "bob", Backend: "second", Proof: aaa.Proof{Method: aaa.EAP, State: []byte("s")}}
	if _, err := g.Authenticate(context.Background(), goOn); err == nil {
		t.Error("another back end than the one that asked took the answer")
	}
	later := &aaa.Request{Name: "bob", Backend: "second", Proof: aaa.Proof{Method: aaa.PAP}}
	if d, err := g.Authorize(context.Background(), later); err != nil || d.Backend != "third" {
		t.Errorf("the walk from the second on: %+v, %v", d, err)
	}
	if n := len(fakes[0].Calls()); n != 0 {
		t.Errorf("the back end before the one named was asked %d times", n)
	}
	gone := &aaa.Request{Name: "bob", Backend: "elsewhere"}
	if _, err := g.Authorize(context.Background(), gone); rejection(t, err).Cause != aaa.UnknownUser {
		t.Errorf("a back end that is no longer in the chain: %v", err)
	}
}

func TestWhatIsNotPossibleIsRejected(t *testing.T) {
	g, fakes := talkers(t, func(d *aaa.Decision) error {
		if d.Filter != "open" {
			return errors.New("there is no filter " + d.Filter)
		}
		return nil
	})
	fakes[0].SetOther(aaatest.Answer{Grant: aaa.Grant{Filter: "shut"}})
	request := &aaa.Request{Name: "bob", Proof: aaa.Proof{Method: aaa.PAP}}
	_, err := g.Authenticate(context.Background(), request)
	if r := rejection(t, err); r.Cause != aaa.Misconfigured || r.Backend != "first" || r.Domain != "d" || r.Detail != "there is no filter shut" {
		t.Errorf("%+v", r)
	}
	fakes[0].SetOther(aaatest.Answer{})
	d, err := g.Authenticate(context.Background(), request)
	if err != nil || d.Filter != "open" || len(d.Accounting) != 1 {
		t.Errorf("the domain's filter and accounting: %+v, %v", d, err)
	}
}

// What came inside of EAP is EAP to the domain, whatever it was inside.
func TestAProofInsideOfEAPIsJudgedAsEAP(t *testing.T) {
	fake := aaatest.NewFake("first")
	fake.SetOther(aaatest.Answer{})
	g := mustGateway(t, aaa.Config{DefaultDomain: "any", Backends: []aaa.Backend{fake}, Domains: []aaa.Domain{
		{Name: "any", Chain: []string{"first"}},
		{Name: "eap", Chain: []string{"first"}, Methods: []aaa.Method{aaa.EAP}},
		{Name: "pap", Chain: []string{"first"}, Methods: []aaa.Method{aaa.PAP}},
	}})
	for _, c := range []struct {
		domain         string
		proof          aaa.Proof
		login, account bool // whether Authenticate, and Authorize, let it through
	}{
		{"any", aaa.Proof{Method: aaa.PAP, InEAP: true}, true, true},
		{"any", aaa.Proof{InEAP: true}, false, true},
		{"eap", aaa.Proof{Method: aaa.PAP, InEAP: true}, true, true},
		{"eap", aaa.Proof{Method: aaa.PAP}, false, true},
		{"pap", aaa.Proof{Method: aaa.PAP, InEAP: true}, false, false},
		{"pap", aaa.Proof{InEAP: true}, false, false},
		{"pap", aaa.Proof{Method: aaa.PAP}, true, true},
	} {
		r := &aaa.Request{Name: "bob@" + c.domain, Proof: c.proof}
		for question, ask := range map[string]func(context.Context, *aaa.Request) (aaa.Decision, error){"login": g.Authenticate, "account": g.Authorize} {
			_, err := ask(t.Context(), r)
			if want := question == "login" && c.login || question == "account" && c.account; want != (err == nil) {
				t.Errorf("%s %s %+v: %v", question, c.domain, c.proof, err)
			} else if err != nil && rejection(t, err).Cause != aaa.MethodNotAllowed {
				t.Errorf("%s %s %+v: %v", question, c.domain, c.proof, err)
			}
		}
	}
}
