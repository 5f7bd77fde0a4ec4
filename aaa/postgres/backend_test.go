package postgres

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/crypto/bcrypt"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/aaa/secret"
)

// store writes the accounts of the conformance suite as an administrator would.
func store(t *testing.T, pool *pgxpool.Pool, accounts []aaatest.Account) {
	run(t, pool, `INSERT INTO domains (name) VALUES ('default'), ('sales'), ('corp')`)
	run(t, pool, `INSERT INTO pools (name) VALUES ('p1'), ('p2')`)
	for _, a := range accounts {
		g := a.Grant
		run(t, pool, `INSERT INTO accounts (name, password, disabled, pools, dns, nbns, session_timeout, idle_timeout, mtu)
			VALUES ($1, $2, $3, $4, $5, $6, nullif($7::float8, 0) * interval '1 s', nullif($8::float8, 0) * interval '1 s', nullif($9::int, 0))`,
			a.Name, a.Password.Reveal(), a.Disabled, g.Pools, servers(g.DNS), servers(g.NBNS), g.SessionTimeout.Seconds(),
			g.IdleTimeout.Seconds(), g.MTU)
		if g.Address.IsValid() {
			run(t, pool, `INSERT INTO static_addresses (account, address) VALUES ($1, $2)`, a.Name, g.Address)
		}
	}
}

func servers(pair [2]netip.Addr) []netip.Addr {
	return slices.DeleteFunc(slices.Clone(pair[:]), func(a netip.Addr) bool { return !a.IsValid() })
}

// The back end keeps its contract whatever stands in the database, and whatever stands before it.
func TestConformance(t *testing.T) {
	keys := testKeys(t, "k1")
	for name, variant := range map[string]struct{ sealed, pooled bool }{
		"clear password in the column": {},
		"sealed, behind a pooler":      {sealed: true, pooled: true},
	} {
		t.Run(name, func(t *testing.T) {
			pool := openPool(t, sharedDSN(t), variant.pooled)
			if variant.pooled {
				pool = forgetful(t, pool)
			}
			aaatest.Run(t, func(t *testing.T, accounts []aaatest.Account) aaa.Backend {
				run(t, pool, `TRUNCATE accounts, domains, pools CASCADE`)
				store(t, pool, accounts)
				if variant.sealed {
					mustSeal(t, pool, keys)
				}
				return New(pool, Config{Keys: NewKeyring(keys)})
			})
		})
	}
}

// forgetful is a pool as behind a pooler in transaction mode: nothing that a statement left on the server is there for
// the next.
func forgetful(t *testing.T, pool *pgxpool.Pool) *pgxpool.Pool {
	cfg := pool.Config()
	cfg.AfterRelease = func(conn *pgx.Conn) bool {
		_, err := conn.PgConn().Exec(context.Background(), "DISCARD ALL").ReadAll()
		return err == nil
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func bcryptOf(t testing.TB, password string) string {
	t.Helper()
	text, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// cheapArgon2id is "password", with little work.
const cheapArgon2id = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"

func TestEveryStoredFormServesItsMethods(t *testing.T) {
	pool := sharedPool(t)
	nt, err := secret.NTHashOf(aaa.NewSecret("password"))
	if err != nil {
		t.Fatal(err)
	}
	run(t, pool, `INSERT INTO accounts (name) VALUES ('argon'), ('bcrypt'), ('rawnt'), ('crypt'), ('hostile'), ('empty'), ('both')`)
	run(t, pool, `INSERT INTO credentials (account, kind, value) VALUES ('argon', 'argon2id', $1), ('bcrypt', 'bcrypt', $2), ('rawnt', 'nt', $3),
		('crypt', 'crypt', '$1$x$ntiM1/Tz/A.K1foNwVMof0'), ('hostile', 'crypt', '$6$rounds=999999999$abc$def'), ('both', 'argon2id', $1), ('both', 'nt', $3)`, []byte(cheapArgon2id), []byte(bcryptOf(t, "password")), nt[:])
	b := New(pool, Config{})
	for _, test := range []struct {
		account string
		method  aaa.Method
		cause   aaa.Cause
		words   string
	}{
		{"argon", aaa.PAP, aaa.CauseNone, ""},
		{"argon", aaa.CHAP, aaa.NoCredentialForMethod, "chap cannot be checked against what is stored (argon2id); offer pap on the virtual template, or allow chap in the domain and set the password again"},
		{"argon", aaa.MSCHAPv2, aaa.NoCredentialForMethod, "mschapv2 cannot be checked"},
		{"bcrypt", aaa.PAP, aaa.CauseNone, ""},
		{"bcrypt", aaa.CHAP, aaa.NoCredentialForMethod, "(bcrypt)"},
		{"rawnt", aaa.PAP, aaa.CauseNone, ""},
		{"rawnt", aaa.MSCHAPv2, aaa.CauseNone, ""},
		{"rawnt", aaa.CHAP, aaa.NoCredentialForMethod, "(nt)"},
		{"both", aaa.MSCHAPv2, aaa.CauseNone, ""},
		{"both", aaa.PAP, aaa.CauseNone, ""},
		{"both", aaa.CHAP, aaa.NoCredentialForMethod, "(argon2id, nt)"},
		{"crypt", aaa.PAP, aaa.CauseNone, ""},
		{"crypt", aaa.MSCHAPv2, aaa.NoCredentialForMethod, "mschapv2 cannot be checked against what is stored (crypt); offer pap on the virtual template"},
		{"hostile", aaa.PAP, aaa.Misconfigured, "what is stored in crypt can never match"},
		{"hostile", aaa.PAP, aaa.Misconfigured, "sha512-crypt with rounds=999999999; 1000 to 1000000 are allowed; set the password again"},
		{"empty", aaa.PAP, aaa.NoCredentialForMethod, "no password is stored; set one: SELECT set_password('empty', ...)"},
	} {
		_, err := login(b, test.method, test.account, "password")
		if causeOf(err) != test.cause || (err == nil) != (test.cause == aaa.CauseNone) {
			t.Errorf("%s by %s: %v", test.account, test.method, err)
		}
		if test.words != "" && !strings.Contains(fmt.Sprint(err), test.words) {
			t.Errorf("%s by %s: %v\ndoes not say %q", test.account, test.method, err, test.words)
		}
		if _, err := login(b, test.method, test.account, "Password"); err == nil {
			t.Errorf("%s by %s: a wrong password is granted", test.account, test.method)
		}
	}
}

// While a clear password stands in the column it is the password, whatever is stored besides.
func TestAClearPasswordCountsAtOnce(t *testing.T) {
	pool := sharedPool(t)
	run(t, pool, `INSERT INTO accounts (name) VALUES ('bob')`)
	run(t, pool, `INSERT INTO credentials (account, kind, value) VALUES ('bob', 'argon2id', $1)`, []byte(cheapArgon2id))
	run(t, pool, `UPDATE accounts SET password = 'newer' WHERE name = 'bob'`)
	b := New(pool, Config{})
	for _, m := range aaatest.Methods {
		if _, err := login(b, m, "bob", "newer"); err != nil {
			t.Errorf("%s: %v", m, err)
		}
		if _, err := login(b, m, "bob", "password"); causeOf(err) != aaa.WrongPassword {
			t.Errorf("%s: the old password gives %v", m, err)
		}
	}
}

func TestTheAccountOverridesItsProfile(t *testing.T) {
	pool := sharedPool(t)
	run(t, pool, `INSERT INTO pools (name) VALUES ('gold'), ('own')`)
	run(t, pool, `INSERT INTO profiles (name, max_sessions, pools, dns, nbns, session_timeout, idle_timeout, mtu, rate_up, rate_down)
		VALUES ('gold', 3, '{gold}', '{10.0.0.1}', '{10.0.0.2}', '1 day', '10 min', 1400, 1000, 2000)`)
	run(t, pool, `INSERT INTO accounts (name, password, profile) VALUES ('plain', 'x', NULL), ('gold', 'x', 'gold')`)
	run(t, pool, `INSERT INTO accounts (name, password, profile, max_sessions, pools, dns, nbns, session_timeout, idle_timeout, mtu, rate_up, rate_down)
		VALUES ('own', 'x', 'gold', 1, '{own,gold}', '{10.1.0.1,10.1.0.2}', '{10.1.0.3}', '1 mon', '90.5 s', 1300, 5000000000, 1),
		('free', 'x', 'gold', 0, NULL, NULL, NULL, '0', '0', NULL, NULL, NULL)`)
	run(t, pool, `INSERT INTO static_addresses (account, address) VALUES ('own', '10.9.0.1'), ('own', '2001:db8::1'), ('plain', '2001:db8::2')`)
	ip := netip.MustParseAddr
	gold := aaa.Grant{Account: "gold", MaxSessions: 3, Pools: []string{"gold"}, DNS: [2]netip.Addr{ip("10.0.0.1")}, NBNS: [2]netip.Addr{ip("10.0.0.2")},
		SessionTimeout: 24 * time.Hour, IdleTimeout: 10 * time.Minute, MTU: 1400, RateUp: 1000, RateDown: 2000}
	free := gold
	free.Account, free.MaxSessions, free.SessionTimeout, free.IdleTimeout = "free", none, none, none
	b := New(pool, Config{})
	for _, want := range []aaa.Grant{
		{Account: "plain"}, gold, free,
		{Account: "own", Address: ip("10.9.0.1"), MaxSessions: 1, Pools: []string{"own", "gold"}, DNS: [2]netip.Addr{ip("10.1.0.1"), ip("10.1.0.2")},
			NBNS: [2]netip.Addr{ip("10.1.0.3")}, SessionTimeout: 30 * 24 * time.Hour, IdleTimeout: 90*time.Second + 500*time.Millisecond, MTU: 1300,
			RateUp: 5000000000, RateDown: 1},
	} {
		got, err := login(b, aaa.PAP, want.Account, "x")
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\n%+v, want\n%+v", want.Account, err, got, want)
		}
	}
}

func TestAnAccountIsValidBetweenItsTimes(t *testing.T) {
	pool := sharedPool(t)
	run(t, pool, `INSERT INTO accounts (name, password, valid_from, valid_until) VALUES
		('now', 'x', now() - interval '1 h', now() + interval '1 h'), ('soon', 'x', now() + interval '1 h', NULL), ('over', 'x', NULL, now() - interval '1 s')`)
	b := New(pool, Config{})
	for name, want := range map[string]string{"now": "", "soon": "valid only from", "over": "no longer valid since"} {
		for what, ask := range map[string]func() error{
			"Authenticate": func() error { _, err := login(b, aaa.CHAP, name, "x"); return err },
			"Authorize": func() error {
				_, err := b.Authorize(context.Background(), aaatest.NewQuery(name, aaa.Proof{}))
				return err
			},
		} {
			err := ask()
			if want == "" && err == nil {
				continue
			}
			if causeOf(err) != aaa.AccountExpired || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %s: %v", what, name, err)
			}
		}
	}
}

// By structure, every answer costs one look-up, one check of one credential that costs the same, and, when it is a no,
// one look for near misses.
func TestEveryOutcomeDoesTheSameWork(t *testing.T) {
	pool := sharedPool(t)
	run(t, pool, `INSERT INTO domains (name, methods) VALUES ('pap', '{pap}'), ('all', '{}')`)
	run(t, pool, `INSERT INTO accounts (name, disabled, valid_until) VALUES ('a@pap', false, NULL), ('gone@pap', true, NULL), ('over@pap', false, now()), ('none@pap', false, NULL)`)
	run(t, pool, `INSERT INTO credentials (account, kind, value) SELECT name, 'argon2id', $1 FROM accounts WHERE name <> 'none@pap'`, []byte(cheapArgon2id))
	for _, seenBefore := range []bool{false, true} {
		b := New(pool, Config{VerifiedFor: -1})
		if seenBefore {
			if _, err := login(b, aaa.PAP, "a@pap", "password"); err != nil {
				t.Fatal(err)
			}
		}
		var slow []bool
		b.check = func(c secret.Credential, name string, p aaa.Proof) (string, error) {
			slow = append(slow, c.Slow())
			return c.Check(name, p)
		}
		for _, test := range []struct {
			name, password string
			want           aaa.Cause
		}{
			{"a@pap", "password", aaa.CauseNone}, {"a@pap", "wrong", aaa.WrongPassword}, {"nobody@pap", "password", aaa.UnknownUser},
			{"gone@pap", "password", aaa.AccountDisabled}, {"gone@pap", "wrong", aaa.AccountDisabled}, {"over@pap", "password", aaa.AccountExpired},
			{"none@pap", "password", aaa.NoCredentialForMethod},
		} {
			slow = nil
			if _, err := login(b, aaa.PAP, test.name, test.password); causeOf(err) != test.want {
				t.Errorf("%s with %q: %v", test.name, test.password, err)
			}
			if !slices.Equal(slow, []bool{true}) {
				t.Errorf("%s with %q: checks that were slow: %v", test.name, test.password, slow)
			}
		}
	}
}

func TestNearMissesAreExplained(t *testing.T) {
	pool := sharedPool(t)
	run(t, pool, `INSERT INTO domains (name) VALUES ('default'), ('sales'), ('corp')`)
	run(t, pool, `INSERT INTO domain_aliases (alias, domain) VALUES ('vertrieb', 'sales')`)
	run(t, pool, `INSERT INTO accounts (name, password) VALUES ('l2tpuser', 'x'), ('bob@default', 'x'), ('bob@sales', 'x'), ('CORP\carol', 'x')`)
	b := New(pool, Config{})
	for typed, want := range map[string]string{
		"l2tpuser@default": `stored as "l2tpuser": the user must type it without the domain`,
		"L2TPUser":         `only upper and lower case differ`,
		"bob":              `stored as "bob@default": the user must type the domain too; there is "bob@sales", in domain "sales"`,
		"carol@corp":       `stored as "CORP\\carol": the domain must be written the same way`,
		"nobody":           `unknown user: no account is stored as "nobody"`,
	} {
		if _, err := login(b, aaa.PAP, typed, "x"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", typed, err)
		}
	}
	q := aaatest.NewQuery("bob@vertrieb", aaatest.NewProof(aaa.PAP, "bob@vertrieb", "x"))
	q.Domain = "sales"
	if _, err := b.Authenticate(context.Background(), q); err == nil || !strings.Contains(err.Error(), `"vertrieb" is the same domain`) {
		t.Error(err)
	}
}

func TestOddNamesAskLikeAnyOther(t *testing.T) {
	b := New(sharedPool(t), Config{})
	for _, name := range []string{"", "\x00", "a\xff", strings.Repeat("x", 70000), "';DROP TABLE accounts;--", "%", "_", `\`} {
		if _, err := login(b, aaa.PAP, name, "x"); causeOf(err) != aaa.UnknownUser {
			t.Errorf("%q: %v", name, err)
		}
	}
}
