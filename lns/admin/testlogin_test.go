package admin

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"lnsgate/lns/trace"
)

// tries is a server where the password of everybody is "right".
func tries(now func() time.Time, test func()) *Server {
	return New(Config{Engine: twoTunnels(), Now: now, TestLogin: func(_ context.Context, t LoginTest) (f LoginForecast, err error) {
		test()
		f.Verdict.Cause = trace.WrongPassword
		if f.Checked = t.Password == "right"; f.Checked {
			f.Verdict.Cause = trace.LoggedIn
		}
		return f, nil
	}})
}

func by(name string) context.Context {
	return WithActor(context.Background(), Actor{Name: name, Role: Operate, From: "192.0.2.7"})
}

// Who may test logins must not guess passwords that way, nor unseen.
func TestPasswordsThatAreTriedAreCountedAndWrittenDown(t *testing.T) {
	now := noon
	s := tries(func() time.Time { return now }, func() {})
	try := func(who, password string) error {
		_, err := s.trial(by(who), LoginTest{User: "bert", Password: password})
		return err
	}
	for range 3 * guessBurst { // the right one, and none at all, are no guesses
		if err := errors.Join(try("desk", "right"), try("desk", "")); err != nil {
			t.Fatal(err)
		}
	}
	for i := range guessBurst {
		if err := try("desk", "secret guess"); err != nil {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	var wait *WaitError
	if err := try("desk", "right"); !errors.As(err, &wait) || wait.After <= 0 {
		t.Errorf("one guess too many: %v", err)
	}
	if err := errors.Join(try("desk", ""), try("anna", "wrong")); err != nil {
		t.Errorf("what guesses nothing, and another operator: %v", err)
	}
	now = now.Add(guessPause)
	if err := try("desk", "wrong"); err != nil {
		t.Errorf("after the pause: %v", err)
	}
	changes := s.changes.last(auditKept)
	if want := 3*guessBurst + guessBurst + 3; len(changes) != want {
		t.Fatalf("%d are written down, want %d", len(changes), want)
	}
	if c := changes[0]; c.Name != "desk" || c.Action != "test login with a password" || c.Target != "bert" || c.Detail != "verdict wrong-password" || c.Error != "" {
		t.Errorf("got %+v", c)
	}
	if c := changes[2]; !strings.Contains(c.Error, "too many wrong passwords") {
		t.Errorf("got %+v", c)
	}
	for _, c := range changes {
		if strings.Contains(c.Detail+c.Target+c.Error, "guess") {
			t.Errorf("a password is written down: %+v", c)
		}
	}
}

func TestFewPasswordsAreTriedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var abreast, most atomic.Int32
		s := tries(time.Now, func() {
			most.Store(max(most.Load(), abreast.Add(1)))
			time.Sleep(time.Second)
			abreast.Add(-1)
		})
		var all sync.WaitGroup
		for _, who := range strings.Split("abcdefgh", "") {
			all.Go(func() { _, _ = s.trial(by(who), LoginTest{User: "bert", Password: "right"}) })
		}
		all.Wait()
		if most.Load() != trialsAtOnce {
			t.Errorf("%d at once, want %d", most.Load(), trialsAtOnce)
		}
	})
}
