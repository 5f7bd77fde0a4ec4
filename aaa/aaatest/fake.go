package aaatest

import (
	"context"
	"sync"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
)

// Answer is what a Fake says to one name.
type Answer struct {
	Grant    aaa.Grant
	Err      error           // instead of the grant: a *aaa.Rejection, or any other error for a broken back end
	Password aaa.Secret      // if set, Authenticate checks the proof against it, and MS-CHAPv2 gets its reply
	Wait     <-chan struct{} // if set, the answer comes when this is closed, or the context's error when that ends first
}

// Call is one question that a Fake was asked.
type Call struct {
	Name      string
	Domain    string
	Authorize bool
}

// Fake is a back end that says what it was told to say. It is safe for concurrent use.
type Fake struct {
	name string

	mu      sync.Mutex
	answers map[string]Answer
	other   Answer
	calls   []Call
}

// NewFake makes a back end that knows nobody.
func NewFake(name string) *Fake {
	return &Fake{name: name, answers: map[string]Answer{}, other: Answer{Err: &aaa.Rejection{Cause: aaa.UnknownUser}}}
}

// Set has the fake answer a from now on when it is asked for exactly this name.
func (f *Fake) Set(name string, a Answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[name] = a
}

// SetOther has the fake answer a from now on when it is asked for any other name.
func (f *Fake) SetOther(a Answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.other = a
}

// Calls returns what was asked so far, in order.
func (f *Fake) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Call(nil), f.calls...)
}

// Name returns the name the fake was made with.
func (f *Fake) Name() string { return f.name }

// Authenticate gives the answer that was set.
func (f *Fake) Authenticate(ctx context.Context, q *aaa.Query) (aaa.Grant, error) {
	a, err := f.answer(ctx, q, false)
	if err != nil {
		return aaa.Grant{}, err
	}
	if !a.Password.IsZero() {
		reply, err := secret.Clear(a.Password).Check(q.Identity.Raw, q.Request.Proof)
		if err != nil {
			return aaa.Grant{}, err
		}
		a.Grant.Reply, a.Grant.Keys = reply, secret.Clear(a.Password).LinkKeys(q.Request.Proof)
	}
	return a.Grant, nil
}

// Authorize gives the answer that was set, without a look at the proof.
func (f *Fake) Authorize(ctx context.Context, q *aaa.Query) (aaa.Grant, error) {
	a, err := f.answer(ctx, q, true)
	if err != nil {
		return aaa.Grant{}, err
	}
	a.Grant.Reply = ""
	return a.Grant, nil
}

func (f *Fake) answer(ctx context.Context, q *aaa.Query, authorize bool) (Answer, error) {
	a := f.record(q, authorize)
	if a.Wait != nil {
		select {
		case <-a.Wait:
		case <-ctx.Done():
			return Answer{}, ctx.Err()
		}
	}
	return a, a.Err
}

func (f *Fake) record(q *aaa.Query, authorize bool) Answer {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, Call{Name: q.Identity.Raw, Domain: q.Domain, Authorize: authorize})
	if a, set := f.answers[q.Identity.Raw]; set {
		return a
	}
	return f.other
}
