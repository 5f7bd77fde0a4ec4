package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
)

func TestHashesAreBounded(t *testing.T) {
	h := newHashing(2, 100)
	var running, most atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if no := h.run(context.Background(), func() {
				if n := running.Add(1); n > most.Load() {
					most.Store(n)
				}
				pause(context.Background(), time.Millisecond)
				running.Add(-1)
			}); no != nil {
				t.Error(no)
			}
		})
	}
	wg.Wait()
	if most.Load() > 2 || h.usual.Load() < int64(time.Millisecond) {
		t.Errorf("%d at once, usual %s", most.Load(), time.Duration(h.usual.Load()))
	}
}

// occupied is a queue for one whose only place is taken until release is called.
func occupied(t *testing.T, queue int) (h *hashing, release func()) {
	t.Helper()
	h = newHashing(1, queue)
	started, end := gate(), gate()
	var wg sync.WaitGroup
	wg.Go(func() {
		h.run(context.Background(), func() { close(started); <-end })
	})
	<-started
	return h, func() { close(end); wg.Wait() }
}

func TestAHashThatWouldComeTooLateIsRefusedAtOnce(t *testing.T) {
	h, release := occupied(t, 100)
	defer release()
	h.usual.Store(int64(time.Minute))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	began := time.Now()
	no := h.run(ctx, func() { t.Error("it ran") })
	if no == nil || no.Cause != aaa.Timeout || time.Since(began) > 5*time.Second || !strings.Contains(no.Detail, "1 logins wait for their password to be hashed (1 at a time), which takes about 2m0s") {
		t.Errorf("%v after %s", no, time.Since(began))
	}
}

func TestAHashThatIsNotDoneInTimeIsRefused(t *testing.T) {
	h, release := occupied(t, 100)
	defer release()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if no := h.run(ctx, func() { t.Error("it ran") }); no == nil || no.Cause != aaa.Timeout || !no.Retryable() {
		t.Error(no)
	}
}

func TestTheQueueForHashesIsBounded(t *testing.T) {
	h, release := occupied(t, 3)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { h.run(ctx, func() {}) })
	}
	until(t, "three wait", 5*time.Second, func() bool { return h.waiting.Load() == 3 })
	if no := h.run(ctx, func() { t.Error("it ran") }); no == nil || no.Cause != aaa.BackendUnavailable || !no.Retryable() {
		t.Error(no)
	}
	release()
	wg.Wait()
}

// A password that matched is not hashed again, until the stored hash is another.
func TestAVerifiedPasswordIsNotHashedAgain(t *testing.T) {
	pool := sharedPool(t)
	run(t, pool, `INSERT INTO accounts (name) VALUES ('bob'), ('eve')`)
	run(t, pool, `INSERT INTO credentials (account, kind, value) SELECT name, 'argon2id', $1 FROM accounts`, []byte(cheapArgon2id))
	b := New(pool, Config{})
	hashed := 0
	b.check = func(c secret.Credential, name string, p aaa.Proof) (string, error) {
		hashed++
		return c.Check(name, p)
	}
	for _, step := range []struct {
		name, password string
		hashes         int
		cause          aaa.Cause
	}{
		{"bob", "password", 1, aaa.CauseNone}, {"bob", "password", 0, aaa.CauseNone}, {"bob", "wrong", 1, aaa.WrongPassword},
		{"bob", "wrong", 1, aaa.WrongPassword}, {"eve", "password", 1, aaa.CauseNone}, {"nobody", "password", 1, aaa.UnknownUser},
		{"nobody", "password", 1, aaa.UnknownUser},
	} {
		hashed = 0
		if _, err := login(b, aaa.PAP, step.name, step.password); causeOf(err) != step.cause || hashed != step.hashes {
			t.Errorf("%+v: %d hashes, %v", step, hashed, err)
		}
	}
	run(t, pool, `UPDATE credentials SET value = $1, kind = 'bcrypt' WHERE account = 'bob'`, []byte(bcryptOf(t, "other")))
	if _, err := login(b, aaa.PAP, "bob", "password"); causeOf(err) != aaa.WrongPassword {
		t.Errorf("after a change: %v", err)
	}
	run(t, pool, `UPDATE accounts SET disabled = true WHERE name = 'eve'`)
	if _, err := login(b, aaa.PAP, "eve", "password"); causeOf(err) != aaa.AccountDisabled {
		t.Errorf("after it was disabled: %v", err)
	}
}

func TestAnArgon2idStormIsServedInTimeOrRefused(t *testing.T) {
	pool := sharedPool(t)
	run(t, pool, `INSERT INTO domains (name, methods) VALUES ('pap', '{pap}')`)
	run(t, pool, `INSERT INTO accounts (name, password) SELECT 'u' || i || '@pap', 'x' FROM generate_series(1, 4) i`)
	mustSeal(t, pool, nil)
	b := New(pool, Config{Hashes: 1})
	ctx, cancel := context.WithTimeout(context.Background(), 600*time.Millisecond)
	defer cancel()
	var ok, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			q := queryPAP(fmt.Sprintf("u%d@pap", i%4+1), fmt.Sprint("wrong", i))
			switch _, err := b.Authenticate(ctx, q); causeOf(err) {
			case aaa.WrongPassword:
				ok.Add(1)
			case aaa.Timeout:
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	began := time.Now()
	wg.Wait()
	t.Logf("%d checked, %d refused, in %s", ok.Load(), refused.Load(), time.Since(began))
	if ok.Load()+refused.Load() != 60 || refused.Load() == 0 || time.Since(began) > 5*time.Second {
		t.Errorf("%d checked, %d refused", ok.Load(), refused.Load())
	}
}
