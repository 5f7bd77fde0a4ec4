package local

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
)

// Name is the name chains use for this back end.
const Name = "local"

// Backend answers from the accounts it was made with. It is immutable and safe for concurrent use.
type Backend struct {
	accounts []Account
	byName   map[string]int32 // exact name -> index
	near     nearIndex

	// check is Credential.Check; a test counts the calls.
	check func(c secret.Credential, name string, p aaa.Proof) (string, error)
}

// New makes a back end of the accounts, or reports every fault at once: the error joins one *aaa.Fault for each, with
// paths such as users[3].name.
func New(accounts []Account) (*Backend, error) {
	b := &Backend{
		accounts: append([]Account(nil), accounts...),
		byName:   make(map[string]int32, len(accounts)),
		check:    secret.Credential.Check,
	}
	b.near = newNearIndex(len(accounts))
	var faults []error
	for i := range b.accounts {
		faults = append(faults, b.add(int32(i))...)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return b, nil
}

// add enters one account and returns what is wrong with it.
func (b *Backend) add(i int32) (faults []error) {
	account := &b.accounts[i]
	account.Pools = append([]string(nil), account.Pools...)
	fault := func(field, format string, args ...any) {
		path := fmt.Sprintf("users[%d].%s", i, field)
		faults = append(faults, &aaa.Fault{Path: path, Problem: fmt.Sprintf(format, args...)})
	}
	if id, err := aaa.ParseIdentity(account.Name); err != nil {
		fault("name", "nobody can log in with it: %v", err)
	} else if before, taken := b.byName[account.Name]; taken {
		fault("name", "%q is taken by users[%d]", account.Name, before)
	} else {
		b.byName[account.Name] = i
		b.near.add(id.User, i)
	}
	if err := account.Credential.Validate(); err != nil {
		fault("password", "user %q: %v", account.Name, err)
	} else if account.Credential.IsZero() {
		fault("password", "user %q has none", account.Name)
	}
	for _, n := range []struct {
		field string
		bad   bool
	}{
		{"mtu", account.MTU < 0}, {"max_sessions", account.MaxSessions < 0}, {"session_timeout", account.SessionTimeout < 0}, {"idle_timeout", account.IdleTimeout < 0},
	} {
		if n.bad {
			fault(n.field, "user %q: it is negative", account.Name)
		}
	}
	return faults
}

// Name returns "local".
func (b *Backend) Name() string { return Name }

// Len returns the number of accounts.
func (b *Backend) Len() int { return len(b.accounts) }

// Authenticate checks the proof. An unknown name is checked against a dummy credential, a disabled account against its
// own, and the near misses are looked for whenever the answer is no, so that the three ways to fail do the same work.
func (b *Backend) Authenticate(_ context.Context, q *aaa.Query) (aaa.Grant, error) {
	account, known := b.find(q)
	reply, err := b.check(account.Credential, q.Identity.Raw, q.Request.Proof)
	if err == nil && known && !account.Disabled {
		grant := account.grant(reply)
		grant.Keys = account.Credential.LinkKeys(q.Request.Proof)
		return grant, nil
	}
	near, reason := b.explain(q)
	switch {
	case !known:
		return aaa.Grant{}, unknown(q, near, reason)
	case account.Disabled && err != nil:
		return aaa.Grant{}, reject(aaa.AccountDisabled, "and the proof was wrong too: "+err.Error(), near)
	case account.Disabled:
		no := reject(aaa.AccountDisabled, "the password was right", near)
		no.Proven = true
		return aaa.Grant{}, no
	}
	return aaa.Grant{}, withNear(err, near)
}

// Authorize says what the account would get, without a proof.
func (b *Backend) Authorize(_ context.Context, q *aaa.Query) (aaa.Grant, error) {
	account, known := b.find(q)
	switch {
	case !known:
		near, reason := b.explain(q)
		return aaa.Grant{}, unknown(q, near, reason)
	case account.Disabled:
		return aaa.Grant{}, &aaa.Rejection{Cause: aaa.AccountDisabled}
	}
	return account.grant(""), nil
}

// find returns the account with exactly the name typed. An unknown one is an account with the dummy credential.
func (b *Backend) find(q *aaa.Query) (*Account, bool) {
	if i, known := b.byName[q.Identity.Raw]; known {
		return &b.accounts[i], true
	}
	return &Account{}, false
}

// unknown is the rejection of a name that no account has.
func unknown(q *aaa.Query, near string, reason aaa.Reason) *aaa.Rejection {
	return reject(aaa.UnknownUser, fmt.Sprintf("no account is stored as %q", q.Identity.Raw), near).For(reason)
}

func reject(cause aaa.Cause, details ...string) *aaa.Rejection {
	r := &aaa.Rejection{Cause: cause}
	for _, d := range details {
		if d != "" {
			r.Detail = strings.TrimPrefix(r.Detail+"; "+d, "; ")
		}
	}
	return r
}

// withNear adds near misses to the rejection of a check.
func withNear(err error, near string) error {
	var r *aaa.Rejection
	if !errors.As(err, &r) {
		return err
	}
	return reject(r.Cause, r.Detail, near).For(r.Reason)
}
