package aaatest

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
)

const password = "Admin@123 Grüße"

// Methods are the methods every back end has to check.
var Methods = []aaa.Method{aaa.PAP, aaa.CHAP, aaa.MSCHAPv1, aaa.MSCHAPv2}

// Run checks that a back end keeps the contract of aaa.Backend. build makes one that has exactly these accounts, and
// cleans up after itself with t.Cleanup.
func Run(t *testing.T, build func(t *testing.T, accounts []Account) aaa.Backend) {
	for name, test := range map[string]func(*testing.T, aaa.Backend){
		"a right proof is granted":                  rightProof,
		"the account's overrides are granted":       overrides,
		"a wrong proof is rejected":                 wrongProof,
		"a name must be typed exactly":              exactName,
		"a near miss is explained":                  nearMiss,
		"a disabled account is rejected":            disabled,
		"a malformed proof is rejected":             malformedProof,
		"authorize needs no proof":                  authorize,
		"a rejection holds no secret":               noSecret,
		"a grant is memory of its own":              ownMemory,
		"many may ask at once":                      concurrent,
		"the name is never empty and never changes": stableName,
	} {
		t.Run(name, func(t *testing.T) { test(t, build(t, accounts())) })
	}
}

// accounts are those the tests below speak of.
func accounts() []Account {
	return []Account{
		{Name: "l2tpuser", Password: aaa.NewSecret(password)},
		{Name: "bob@default", Password: aaa.NewSecret(password)},
		{Name: `CORP\carol`, Password: aaa.NewSecret(password)},
		{Name: "dave", Password: aaa.NewSecret(password), Disabled: true},
		{Name: "erin@sales", Password: aaa.NewSecret(password), Grant: aaa.Grant{
			Address: netip.MustParseAddr("10.9.8.7"), Pools: []string{"p1", "p2"},
			DNS:            [2]netip.Addr{netip.MustParseAddr("10.0.0.53")},
			NBNS:           [2]netip.Addr{netip.MustParseAddr("10.0.0.42"), netip.MustParseAddr("10.0.0.43")},
			SessionTimeout: time.Hour, IdleTimeout: time.Minute, MTU: 1300,
		}},
	}
}

func rightProof(t *testing.T, b aaa.Backend) {
	for _, name := range []string{"l2tpuser", "bob@default", `CORP\carol`, "erin@sales"} {
		for _, m := range Methods {
			grant, err := b.Authenticate(context.Background(), NewQuery(name, NewProof(m, name, password)))
			if err != nil {
				t.Errorf("%s by %s: %v", name, m, err)
				continue
			}
			if grant.Account != name {
				t.Errorf("%s by %s: granted to account %q", name, m, grant.Account)
			}
			if m == aaa.MSCHAPv2 && !convinces(grant.Reply, name, password) {
				t.Errorf("%s: a peer would not accept the authenticator response %q", name, grant.Reply)
			}
			if want := secret.Clear(aaa.NewSecret(password)).LinkKeys(NewProof(m, name, password)); !reflect.DeepEqual(grant.Keys, want) {
				t.Errorf("%s by %s: the keys of the link are not those that the proof makes", name, m)
			}
			if m != aaa.MSCHAPv2 && grant.Reply != "" {
				t.Errorf("%s by %s: there is a reply %q", name, m, grant.Reply)
			}
		}
	}
}

func overrides(t *testing.T, b aaa.Backend) {
	for _, account := range accounts() {
		if account.Disabled {
			continue
		}
		want := account.Grant
		want.Account = account.Name
		q := NewQuery(account.Name, NewProof(aaa.PAP, account.Name, password))
		for what, ask := range askers(b) {
			got, err := ask(context.Background(), q)
			if err != nil {
				t.Errorf("%s %s: %v", what, account.Name, err)
			}
			if len(got.Pools) == 0 {
				got.Pools = nil
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s %s granted\n%+v, want\n%+v", what, account.Name, got, want)
			}
		}
	}
}

func askers(b aaa.Backend) map[string]func(context.Context, *aaa.Query) (aaa.Grant, error) {
	return map[string]func(context.Context, *aaa.Query) (aaa.Grant, error){
		"Authenticate": b.Authenticate, "Authorize": b.Authorize,
	}
}

// cause returns the cause of a rejection, and complains about any other error and about a grant beside it.
func cause(t *testing.T, g aaa.Grant, err error) aaa.Cause {
	t.Helper()
	var r *aaa.Rejection
	if !errors.As(err, &r) {
		t.Errorf("error %v, want a *aaa.Rejection", err)
		return aaa.CauseNone
	}
	if !reflect.DeepEqual(g, aaa.Grant{}) {
		t.Errorf("a rejection comes with the grant %+v", g)
	}
	return r.Cause
}

func wrongProof(t *testing.T, b aaa.Backend) {
	for _, m := range Methods {
		for _, wrong := range []string{"", "admin@123 Grüße", password + " ", password[:5], strings.Repeat("x", 200)} {
			if m != aaa.PAP && wrong == "" {
				continue
			}
			g, err := b.Authenticate(context.Background(), NewQuery("l2tpuser", NewProof(m, "l2tpuser", wrong)))
			if c := cause(t, g, err); c != aaa.WrongPassword {
				t.Errorf("%s with %q: %s", m, wrong, c)
			}
		}
	}
	for _, m := range []aaa.Method{aaa.MethodNone, aaa.EAP} {
		if g, err := b.Authenticate(context.Background(), NewQuery("l2tpuser", aaa.Proof{Method: m})); err == nil {
			t.Errorf("%s was granted: %+v", m, g)
		}
	}
}

func exactName(t *testing.T, b aaa.Backend) {
	for _, typed := range []string{
		"nobody", "L2TPUSER", "l2tpuser@default", `DEFAULT\l2tpuser`, "bob", "bob@sales", "Bob@default", "bob@DEFAULT",
		"carol", "carol@corp", `corp\carol`, "l2tpuse", "l2tpuserr", "erin", "l2tpuser\x00", "%", "' OR ''='", "",
	} {
		for _, m := range Methods {
			g, err := b.Authenticate(context.Background(), NewQuery(typed, NewProof(m, typed, password)))
			if c := cause(t, g, err); c != aaa.UnknownUser {
				t.Errorf("%q by %s: %s", typed, m, c)
			}
		}
		g, err := b.Authorize(context.Background(), NewQuery(typed, aaa.Proof{}))
		if c := cause(t, g, err); c != aaa.UnknownUser {
			t.Errorf("authorize %q: %s", typed, c)
		}
	}
}

func nearMiss(t *testing.T, b aaa.Backend) {
	for typed, stored := range map[string]string{
		"l2tpuser@default": "l2tpuser", "L2tpUser": "l2tpuser", "bob": "bob@default", "Bob@Default": "bob@default",
	} {
		_, err := b.Authenticate(context.Background(), NewQuery(typed, NewProof(aaa.PAP, typed, password)))
		var r *aaa.Rejection
		if !errors.As(err, &r) || !strings.Contains(r.Detail, `"`+stored+`"`) {
			t.Errorf("%q: %v does not name %q", typed, err, stored)
		}
	}
}

func disabled(t *testing.T, b aaa.Backend) {
	for _, m := range Methods {
		for _, typed := range []string{password, "wrong"} {
			g, err := b.Authenticate(context.Background(), NewQuery("dave", NewProof(m, "dave", typed)))
			if c := cause(t, g, err); c != aaa.AccountDisabled {
				t.Errorf("%s with %q: %s", m, typed, c)
			}
		}
	}
	g, err := b.Authorize(context.Background(), NewQuery("dave", aaa.Proof{}))
	if c := cause(t, g, err); c != aaa.AccountDisabled {
		t.Errorf("authorize: %s", c)
	}
}

func malformedProof(t *testing.T, b aaa.Backend) {
	for _, m := range []aaa.Method{aaa.CHAP, aaa.MSCHAPv1, aaa.MSCHAPv2} {
		whole := NewProof(m, "l2tpuser", password)
		for n := range len(whole.Response) {
			cut := whole
			cut.Response = whole.Response[:n]
			g, err := b.Authenticate(context.Background(), NewQuery("l2tpuser", cut))
			if c := cause(t, g, err); c != aaa.MalformedProof {
				t.Errorf("%s with %d octets: %s", m, n, c)
			}
		}
		bare := whole
		bare.Challenge = nil
		g, err := b.Authenticate(context.Background(), NewQuery("l2tpuser", bare))
		if c := cause(t, g, err); c != aaa.MalformedProof {
			t.Errorf("%s without a challenge: %s", m, c)
		}
	}
}

func authorize(t *testing.T, b aaa.Backend) {
	g, err := b.Authorize(context.Background(), NewQuery("l2tpuser", NewProof(aaa.PAP, "l2tpuser", "wrong")))
	if err != nil || g.Account != "l2tpuser" || g.Reply != "" {
		t.Errorf("got %+v, %v", g, err)
	}
}

func noSecret(t *testing.T, b aaa.Backend) {
	for _, name := range []string{"l2tpuser", "dave", "nobody", "bob"} {
		_, err := b.Authenticate(context.Background(), NewQuery(name, NewProof(aaa.PAP, name, "hunter2")))
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func ownMemory(t *testing.T, b aaa.Backend) {
	q := NewQuery("erin@sales", NewProof(aaa.PAP, "erin@sales", password))
	for what, ask := range askers(b) {
		before, err := ask(context.Background(), q)
		if err != nil || len(before.Pools) != 2 {
			t.Fatalf("%s: %+v, %v", what, before, err)
		}
		before.Pools[0] = "changed by the caller"
		after, err := ask(context.Background(), q)
		if err != nil || after.Pools[0] != "p1" {
			t.Errorf("%s: %+v, %v", what, after, err)
		}
	}
}

func concurrent(t *testing.T, b aaa.Backend) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for _, m := range Methods {
				typed := password
				if i%2 == 1 {
					typed = "wrong"
				}
				_, err := b.Authenticate(context.Background(), NewQuery("l2tpuser", NewProof(m, "l2tpuser", typed)))
				if (err == nil) != (i%2 == 0) {
					t.Errorf("%s with %q: %v", m, typed, err)
				}
			}
		})
	}
	wg.Wait()
}

func stableName(t *testing.T, b aaa.Backend) {
	before := b.Name()
	_, _ = b.Authorize(context.Background(), NewQuery("l2tpuser", aaa.Proof{}))
	if after := b.Name(); before == "" || after != before {
		t.Errorf("it is called %q, then %q", before, after)
	}
}
