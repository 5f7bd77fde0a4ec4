package aaatest_test

import (
	"context"
	"errors"
	"testing"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
)

func TestFakeAnswersAsToldAndRemembersTheQuestions(t *testing.T) {
	f := aaatest.NewFake("fake")
	broken := errors.New("broken")
	f.Set("good", aaatest.Answer{Grant: aaa.Grant{MTU: 1400}})
	f.Set("broken", aaatest.Answer{Err: broken})
	f.Set("checked", aaatest.Answer{Password: aaa.NewSecret("pw")})

	ctx := context.Background()
	if g, err := f.Authenticate(ctx, aaatest.NewQuery("good", aaa.Proof{})); err != nil || g.MTU != 1400 {
		t.Errorf("good: %+v, %v", g, err)
	}
	if _, err := f.Authenticate(ctx, aaatest.NewQuery("broken", aaa.Proof{})); !errors.Is(err, broken) {
		t.Errorf("broken: %v", err)
	}
	g, err := f.Authenticate(ctx, aaatest.NewQuery("checked", aaatest.NewProof(aaa.MSCHAPv2, "checked", "pw")))
	if err != nil || g.Reply == "" {
		t.Errorf("checked: %+v, %v", g, err)
	}
	if _, err := f.Authenticate(ctx, aaatest.NewQuery("checked", aaatest.NewProof(aaa.PAP, "checked", "no"))); err == nil {
		t.Error("checked: a wrong password was granted")
	}
	var r *aaa.Rejection
	if _, err := f.Authorize(ctx, aaatest.NewQuery("else@sales", aaa.Proof{})); !errors.As(err, &r) || r.Cause != aaa.UnknownUser {
		t.Errorf("else: %v", err)
	}
	calls := f.Calls()
	if len(calls) != 5 || calls[4] != (aaatest.Call{Name: "else@sales", Domain: "sales", Authorize: true}) {
		t.Errorf("calls: %+v", calls)
	}
}

func TestFakeWaitsForTheChannelOrTheContext(t *testing.T) {
	f := aaatest.NewFake("fake")
	gate := make(chan struct{})
	f.SetOther(aaatest.Answer{Wait: gate})

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := f.Authenticate(ctx, aaatest.NewQuery("a", aaa.Proof{})); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
	close(gate)
	if _, err := f.Authenticate(context.Background(), aaatest.NewQuery("a", aaa.Proof{})); err != nil {
		t.Errorf("with the gate open: %v", err)
	}
}
