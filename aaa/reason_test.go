package aaa_test

import (
	"context"
	"errors"
	"testing"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
)

func TestEveryReasonHasItsOwnWords(t *testing.T) {
	seen := map[string]aaa.Reason{}
	for _, r := range aaa.Reasons() {
		if other, twice := seen[r.String()]; r.String() == "" || twice {
			t.Errorf("reason %d reads %q, as reason %d does", r, r.String(), other)
		}
		seen[r.String()] = r
	}
	if got := aaa.Reason(200).String(); got != "reason 200" {
		t.Error(got)
	}
}

// reasonOf logs bob in and returns why that failed.
func reasonOf(t *testing.T, g *aaa.Gateway) *aaa.Rejection {
	t.Helper()
	_, err := g.Authenticate(context.Background(), &aaa.Request{Name: "bob", Proof: aaa.Proof{Method: aaa.PAP}})
	var no *aaa.Rejection
	if !errors.As(err, &no) {
		t.Fatal(err)
	}
	return no
}

func TestTheReasonOfABackEndComesThrough(t *testing.T) {
	one, two := aaatest.NewFake("one"), aaatest.NewFake("two")
	one.SetOther(aaatest.Answer{Err: aaa.Reject(aaa.UnknownUser, "a").For(aaa.NearMissDomain)})
	two.SetOther(aaatest.Answer{Err: aaa.Reject(aaa.UnknownUser, "b")})
	for _, chain := range [][]string{{"one", "two"}, {"two", "one"}} {
		g := mustGateway(t, aaa.Config{DefaultDomain: "d", Backends: []aaa.Backend{one, two}, Domains: []aaa.Domain{{Name: "d", Chain: chain}}})
		if no := reasonOf(t, g); no.Cause != aaa.UnknownUser || no.Reason != aaa.NearMissDomain {
			t.Errorf("%v: %v, %v", chain, no, no.Reason)
		}
	}
}

func TestTheReasonWhyAGrantIsImpossible(t *testing.T) {
	fake := aaatest.NewFake("fake")
	fake.SetOther(aaatest.Answer{})
	for _, fault := range []error{aaa.Reject(aaa.Misconfigured, "no pool x").For(aaa.NoSuchPool), errors.New("no pool x")} {
		g := mustGateway(t, aaa.Config{DefaultDomain: "d", Backends: []aaa.Backend{fake}, Domains: []aaa.Domain{{Name: "d", Chain: []string{"fake"}}},
			Possible: func(*aaa.Decision) error { return fault }})
		var typed *aaa.Rejection
		want := aaa.ReasonNone
		if errors.As(fault, &typed) {
			want = aaa.NoSuchPool
		}
		if no := reasonOf(t, g); no.Cause != aaa.Misconfigured || no.Reason != want || no.Detail != "no pool x" || no.Backend != "fake" || no.Domain != "d" {
			t.Errorf("%v: %+v", fault, no)
		}
	}
}
