package local

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/aaa/secret"
)

func clear(password string) secret.Credential { return secret.Clear(aaa.NewSecret(password)) }

func mustNew(t *testing.T, accounts ...Account) *Backend {
	t.Helper()
	b, err := New(accounts)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The peer must not learn from the time taken which names exist: by structure, every answer costs one check.
func TestEveryOutcomeChecksOneCredentialOnce(t *testing.T) {
	for _, m := range aaatest.Methods {
		for _, test := range []struct {
			name, password string
			want           aaa.Cause
		}{
			{"l2tpuser", "Admin@123", aaa.CauseNone},
			{"l2tpuser", "wrong", aaa.WrongPassword},
			{"nobody", "Admin@123", aaa.UnknownUser},
			{"gone", "Admin@123", aaa.AccountDisabled},
			{"gone", "wrong", aaa.AccountDisabled},
		} {
			b := mustNew(t,
				Account{Name: "l2tpuser", Credential: clear("Admin@123")},
				Account{Name: "gone", Credential: clear("Admin@123"), Disabled: true})
			var checked []string
			b.check = func(c secret.Credential, name string, p aaa.Proof) (string, error) {
				checked = append(checked, name)
				if c.IsZero() != (test.want == aaa.UnknownUser) {
					t.Errorf("%s: checked against %s", test.name, c)
				}
				return c.Check(name, p)
			}
			_, err := b.Authenticate(context.Background(), aaatest.NewQuery(test.name, aaatest.NewProof(m, test.name, test.password)))
			var r *aaa.Rejection
			if errors.As(err, &r); (err == nil) != (test.want == aaa.CauseNone) || r != nil && r.Cause != test.want {
				t.Errorf("%s with %q by %s: %v", test.name, test.password, m, err)
			}
			if !slices.Equal(checked, []string{test.name}) {
				t.Errorf("%s with %q by %s: checked %q", test.name, test.password, m, checked)
			}
		}
	}
}

func TestTheRejectionTellsTheAdministratorTheTruth(t *testing.T) {
	b := mustNew(t,
		Account{Name: "l2tpuser", Credential: clear("pw")}, Account{Name: "bob@default", Credential: clear("pw")},
		Account{Name: "bob@sales", Credential: clear("pw")}, Account{Name: "gone", Credential: clear("pw"), Disabled: true},
		Account{Name: "hashed", Credential: secret.NTHash([16]byte{1})}, Account{Name: `CORP\carol`, Credential: clear("pw")},
		Account{Name: "erin@Sales", Credential: clear("pw")})
	for _, test := range []struct {
		name, password string
		method         aaa.Method
		want           string
	}{
		{"l2tpuser", "no", aaa.PAP, `wrong password`},
		{"l2tpuser@default", "pw", aaa.PAP, `unknown user: no account is stored as "l2tpuser@default"; stored as "l2tpuser": the user must type it without the domain`},
		{`DEFAULT\l2tpuser`, "pw", aaa.PAP, `unknown user: no account is stored as "DEFAULT\\l2tpuser"; stored as "l2tpuser": the user must type it without the domain`},
		{"bob", "pw", aaa.PAP, `unknown user: no account is stored as "bob"; stored as "bob@default": the user must type the domain too; there is "bob@sales", in domain "sales"`},
		{"bob@elsewhere", "pw", aaa.PAP, `unknown user: no account is stored as "bob@elsewhere"`},
		{"L2TPUser", "pw", aaa.PAP, `unknown user: no account is stored as "L2TPUser"; stored as "l2tpuser": only upper and lower case differ, the name must be typed exactly`},
		{"erin@sales", "pw", aaa.PAP, `unknown user: no account is stored as "erin@sales"; stored as "erin@Sales": only upper and lower case differ, the name must be typed exactly`},
		{"carol@corp", "pw", aaa.PAP, `unknown user: no account is stored as "carol@corp"; stored as "CORP\\carol": the domain must be written the same way`},
		{"gone", "pw", aaa.PAP, `account disabled: the password was right`},
		{"gone", "no", aaa.PAP, `account disabled: and the proof was wrong too: wrong password`},
		{"bob@default", "no", aaa.CHAP, `wrong password`},
		{"nobody", "no", aaa.CHAP, `unknown user: no account is stored as "nobody"`},
		{"hashed", "pw", aaa.CHAP, `no credential for this authentication method: CHAP needs the clear password, only the NT hash is stored; use mschapv2 or pap, or store the password`},
	} {
		_, err := b.Authenticate(context.Background(), aaatest.NewQuery(test.name, aaatest.NewProof(test.method, test.name, test.password)))
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: %v\nwant %s", test.name, err, test.want)
		}
	}
}

func TestTheReasonOfANearMiss(t *testing.T) {
	b := mustNew(t,
		Account{Name: "l2tpuser", Credential: clear("pw")}, Account{Name: "bob@default", Credential: clear("pw")},
		Account{Name: "Erin@sales", Credential: clear("pw")}, Account{Name: "erin@default", Credential: clear("pw")})
	for name, want := range map[string]aaa.Reason{
		"nobody":           aaa.ReasonNone,
		"l2tpuser@default": aaa.NearMissDomain,
		"bob":              aaa.NearMissDomain,
		"L2TPUSER":         aaa.NearMissName,
		"bob@Default":      aaa.NearMissName,
		"erin":             aaa.NearMissDomain, // the likeliest: in this domain
	} {
		q := aaatest.NewQuery(name, aaatest.NewProof(aaa.PAP, name, "pw"))
		_, err := b.Authenticate(context.Background(), q)
		_, again := b.Authorize(context.Background(), q)
		for _, err := range []error{err, again} {
			var no *aaa.Rejection
			if !errors.As(err, &no) || no.Cause != aaa.UnknownUser || no.Reason != want {
				t.Errorf("%s: %v, %+v", name, err, no)
			}
		}
	}
}

func TestANameTypedByAnAliasIsExplained(t *testing.T) {
	b := mustNew(t, Account{Name: "bob@sales", Credential: clear("pw")})
	q := aaatest.NewQuery("bob@vertrieb", aaatest.NewProof(aaa.PAP, "bob@vertrieb", "pw"))
	q.Domain = "sales"
	_, err := b.Authenticate(context.Background(), q)
	if err == nil || !strings.Contains(err.Error(), `stored as "bob@sales": "vertrieb" is the same domain`) {
		t.Error(err)
	}
}

func TestNewReportsEveryFaultAtOnce(t *testing.T) {
	_, err := New([]Account{
		{Name: "ok", Credential: clear("pw")},
		{Name: "ok", Credential: clear("pw")},
		{Name: "a b", Credential: clear("pw")},
		{Name: "", Credential: clear("pw")},
		{Name: "nopassword"},
		{Name: "long", Credential: clear(strings.Repeat("x", 300))},
		{Name: "negative", Credential: clear("pw"), MTU: -1, SessionTimeout: -1, IdleTimeout: -1},
		{Name: "OK", Credential: clear("pw")}, // another name: case counts
	})
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%v", err)
	}
	var got []string
	for _, e := range joined.Unwrap() {
		var fault *aaa.Fault
		if errors.As(e, &fault) {
			got = append(got, fault.Path)
		}
	}
	want := []string{
		"users[1].name", "users[2].name", "users[3].name", "users[4].password", "users[5].password",
		"users[6].mtu", "users[6].session_timeout", "users[6].idle_timeout",
	}
	if !slices.Equal(got, want) || !strings.Contains(err.Error(), secret.ErrTooLong.Error()) {
		t.Errorf("faults at %q\n%v", got, err)
	}
}

func TestABackendIsASnapshot(t *testing.T) {
	accounts := []Account{{Name: "a", Credential: clear("pw"), Pools: []string{"p1"}}}
	b := mustNew(t, accounts...)
	accounts[0].Name, accounts[0].Pools[0] = "b", "p2"
	g, err := b.Authorize(context.Background(), aaatest.NewQuery("a", aaa.Proof{}))
	if err != nil || g.Account != "a" || g.Pools[0] != "p1" || b.Len() != 1 {
		t.Errorf("%+v, %v", g, err)
	}
}

// A name may be common to very many domains. Looking for near misses stays bounded, and so does what is told.
func TestNearMissesOfACommonNameAreBounded(t *testing.T) {
	var accounts []Account
	shared := clear("pw")
	for i := range 5000 {
		accounts = append(accounts, Account{Name: fmt.Sprintf("admin@d%d", i), Credential: shared})
	}
	accounts = append([]Account{{Name: "admin@default", Credential: shared}}, accounts...)
	b := mustNew(t, accounts...)
	_, err := b.Authenticate(context.Background(), aaatest.NewQuery("admin", aaa.Proof{Method: aaa.PAP}))
	if !strings.Contains(err.Error(), `stored as "admin@default"`) {
		t.Errorf("the likeliest is not told: %v", err)
	}
	if n := strings.Count(err.Error(), "; "); n != maxNearTold {
		t.Errorf("%d near misses are told: %v", n, err)
	}
}

func TestAMillionAccounts(t *testing.T) {
	const n = 1_000_000
	accounts := make([]Account, n)
	shared := clear("Admin@123")
	for i := range accounts {
		accounts[i] = Account{Name: fmt.Sprintf("user%07d@sales", i), Credential: shared}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b := mustNew(t, accounts...)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if perAccount := (after.HeapAlloc - before.HeapAlloc) / n; perAccount > 512 {
		t.Errorf("%d octets per account", perAccount)
	}
	for _, name := range []string{"user0000000@sales", "user0999999@sales"} {
		if _, err := b.Authenticate(context.Background(), aaatest.NewQuery(name, aaatest.NewProof(aaa.CHAP, name, "Admin@123"))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	runtime.KeepAlive(accounts)
}
