package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/aaa/secret"
)

// kinds lists the stored forms of an account.
func kinds(t *testing.T, pool *pgxpool.Pool, account string) string {
	t.Helper()
	return one[string](t, pool, `SELECT coalesce(string_agg(kind || coalesce(' by ' || key_id, ''), ', ' ORDER BY kind), '') FROM credentials WHERE account = $1`, account)
}

func TestTheStoredFormFollowsTheMethodsOfTheDomain(t *testing.T) {
	pool := sharedPool(t)
	keys := testKeys(t, "k1")
	b := New(pool, Config{Keys: NewKeyring(keys)})
	for methods, want := range map[string]struct {
		form string
		can  []aaa.Method
	}{
		"{}":             {"sealed by k1", aaatest.Methods},
		"{pap}":          {"argon2id", []aaa.Method{aaa.PAP}},
		"{mschapv2}":     {"nt by k1", []aaa.Method{aaa.PAP, aaa.MSCHAPv2}},
		"{pap,mschapv2}": {"nt by k1", []aaa.Method{aaa.PAP, aaa.MSCHAPv2}},
		"{pap,chap}":     {"sealed by k1", aaatest.Methods},
		"{eap}":          {"sealed by k1", aaatest.Methods},
	} {
		domain := "d" + strings.Trim(strings.ReplaceAll(methods, ",", "."), "{}")
		name := "bob@" + domain
		run(t, pool, `INSERT INTO domains (name, methods) VALUES ($1, $2::text[])`, domain, methods)
		run(t, pool, `INSERT INTO accounts (name, password) VALUES ($1, 'Grüße')`, name)
		run(t, pool, `INSERT INTO credentials (account, kind, value) VALUES ($1, 'bcrypt', $2)`, name, []byte(bcryptOf(t, "old")))
		mustSeal(t, pool, keys)
		if got := kinds(t, pool, name); got != want.form {
			t.Errorf("methods %s: stored as %q, want %q", methods, got, want.form)
		}
		if clear := one[bool](t, pool, `SELECT password IS NOT NULL FROM accounts WHERE name = $1`, name); clear {
			t.Errorf("methods %s: the clear password is still there", methods)
		}
		for _, m := range want.can {
			if _, err := login(b, m, name, "Grüße"); err != nil {
				t.Errorf("methods %s: %s: %v", methods, m, err)
			}
		}
	}
	if n := one[int](t, pool, `SELECT count(*) FROM credentials WHERE position('Grüße'::bytea IN value) > 0`); n != 0 {
		t.Errorf("%d credentials hold the password in clear", n)
	}
}

func TestRawNTHashesAreSealed(t *testing.T) {
	pool := sharedPool(t)
	nt, _ := secret.NTHashOf(aaa.NewSecret("pw"))
	run(t, pool, `INSERT INTO accounts (name) VALUES ('bob')`)
	run(t, pool, `INSERT INTO credentials (account, kind, value) VALUES ('bob', 'nt', $1)`, nt[:])
	mustSeal(t, pool, testKeys(t, "k1"))
	if got := kinds(t, pool, "bob"); got != "nt by k1" {
		t.Errorf("stored as %q", got)
	}
	b := New(pool, Config{Keys: NewKeyring(testKeys(t, "k1"))})
	if _, err := login(b, aaa.MSCHAPv2, "bob", "pw"); err != nil {
		t.Error(err)
	}
}

// A row that is copied to another account opens nothing, whoever wrote it.
func TestSwappedRowsAreRefused(t *testing.T) {
	pool := sharedPool(t)
	keys := NewKeyring(testKeys(t, "k1"))
	run(t, pool, `INSERT INTO accounts (name, password) VALUES ('alice', 'a'), ('bob', 'b')`)
	mustSeal(t, pool, keys.Get())
	run(t, pool, `UPDATE credentials c SET value = o.value FROM credentials o WHERE c.account <> o.account`)
	b := New(pool, Config{Keys: keys})
	for _, name := range []string{"alice", "bob"} {
		for _, password := range []string{"a", "b"} {
			_, err := login(b, aaa.CHAP, name, password)
			if causeOf(err) != aaa.Misconfigured || !errors.Is(err, secret.ErrSeal) && !strings.Contains(err.Error(), "another account") {
				t.Errorf("%s with %s: %v", name, password, err)
			}
		}
	}
	run(t, pool, `UPDATE credentials c SET value = o.value FROM credentials o WHERE c.account <> o.account`)
	run(t, pool, `UPDATE accounts SET name = 'alice2' WHERE name = 'alice'`)
	if _, err := login(b, aaa.CHAP, "alice2", "a"); err != nil {
		t.Errorf("after a new name: %v", err)
	}
}

func TestAMissingKeyIsNamed(t *testing.T) {
	pool := sharedPool(t)
	run(t, pool, `INSERT INTO accounts (name, password) VALUES ('alice', 'a')`)
	mustSeal(t, pool, testKeys(t, "k1"))
	for _, ring := range []*Keyring{nil, NewKeyring(nil), NewKeyring(testKeys(t, "k2"))} {
		_, err := login(New(pool, Config{Keys: ring}), aaa.PAP, "alice", "a")
		if causeOf(err) != aaa.Misconfigured || !strings.Contains(err.Error(), `"k1"`) || !strings.Contains(err.Error(), "copy the key file") {
			t.Error(err)
		}
	}
}

func TestWithoutKeysOnlyOneWayFormsAreStored(t *testing.T) {
	pool := sharedPool(t)
	run(t, pool, `INSERT INTO domains (name, methods) VALUES ('pap', '{pap}')`)
	run(t, pool, `INSERT INTO accounts (name, password) VALUES ('a@pap', 'x'), ('b', 'x')`)
	left, err := NewSealer(pool, nil, quiet).Seal(context.Background())
	if err != nil || left != 1 || kinds(t, pool, "a@pap") != "argon2id" || kinds(t, pool, "b") != "" {
		t.Errorf("%d remain, %v; %q, %q", left, err, kinds(t, pool, "a@pap"), kinds(t, pool, "b"))
	}
	if _, err := login(New(pool, Config{}), aaa.CHAP, "b", "x"); err != nil {
		t.Error(err)
	}
}

// A password that is changed while the old one is being sealed is not lost.
func TestANewerPasswordIsNotLost(t *testing.T) {
	pool := sharedPool(t)
	keys := testKeys(t, "k1")
	run(t, pool, `INSERT INTO accounts (name, password) VALUES ('bob', 'old')`)
	s := NewSealer(pool, NewKeyring(keys), quiet)
	old := "old"
	var d stored
	d.add(unsealed{account: one[int64](t, pool, `SELECT id FROM accounts`), clear: &old}, keys)
	run(t, pool, `UPDATE accounts SET password = 'new' WHERE name = 'bob'`)
	run(t, pool, storeSQL, d.accounts, d.digests, d.kinds, d.values, d.keys)
	if kinds(t, pool, "bob") != "" || one[string](t, pool, `SELECT password FROM accounts`) != "new" {
		t.Error("the newer password was sealed away")
	}
	if _, err := s.Seal(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := login(New(pool, Config{Keys: NewKeyring(keys)}), aaa.CHAP, "bob", "new"); err != nil {
		t.Error(err)
	}
}

// A clear password is gone within a second, whoever wrote it and however many nodes there are.
func TestClearPasswordsAreSealedAtOnce(t *testing.T) {
	dsn := sharedDSN(t)
	pool := openPool(t, dsn, false)
	ring := NewKeyring(testKeys(t, "k1"))
	for range 3 {
		s := NewSealer(openPool(t, dsn, false), ring, quiet)
		background(t, s.Run)
		w := NewWatcher(WatcherConfig{Connect: connectConfig(t, dsn), Changed: s.Changed, Log: quiet})
		background(t, w.Run)
	}
	run(t, pool, `INSERT INTO accounts (name, password) SELECT 'user' || i, 'pw' || i FROM generate_series(1, 1000) i`)
	took := until(t, "all are sealed", 10*time.Second, func() bool {
		return one[int](t, pool, `SELECT count(*) FROM accounts WHERE password IS NOT NULL`) == 0
	})
	t.Logf("1000 accounts sealed in %s", took)
	until(t, "a change is sealed", 2*time.Second, func() bool {
		return one[int](t, pool, `SELECT count(*) FROM credentials`) == 1000
	})
	run(t, pool, `UPDATE accounts SET password = 'changed' WHERE name = 'user7'`)
	took = until(t, "one more is sealed", 10*time.Second, func() bool {
		return one[int](t, pool, `SELECT count(*) FROM accounts WHERE password IS NOT NULL`) == 0
	})
	t.Logf("one account sealed in %s", took)
	b := New(pool, Config{Keys: ring})
	for name, password := range map[string]string{"user7": "changed", "user1000": "pw1000"} {
		if _, err := login(b, aaa.MSCHAPv2, name, password); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Everything is sealed with the new key while logins go on, a rotation that is stopped goes on where it was, and what
// cannot be opened is named.
func TestRotateKeyOnline(t *testing.T) {
	const accounts = 1200
	pool := sharedPool(t)
	run(t, pool, `INSERT INTO domains (name, methods) VALUES ('nt', '{mschapv2}')`)
	run(t, pool, `INSERT INTO accounts (name, password) SELECT 'user' || i || CASE WHEN i % 2 = 0 THEN '@nt' ELSE '' END, 'pw' || i FROM generate_series(1, $1) i`, accounts)
	mustSeal(t, pool, testKeys(t, "k1"))
	run(t, pool, `UPDATE credentials SET value = 'nonsense of enough octets'::bytea WHERE account = 'user3'`)

	ring := NewKeyring(testKeys(t, "k2", "k1"))
	b, s := New(pool, Config{Keys: ring}), NewSealer(pool, ring, quiet)
	stop, failed := make(chan struct{}), make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 4; ; i = i%accounts + 1 {
			select {
			case <-stop:
				return
			default:
			}
			name := fmt.Sprintf("user%d", i)
			if i%2 == 0 {
				name += "@nt"
			}
			if _, err := login(b, aaa.MSCHAPv2, name, fmt.Sprintf("pw%d", i)); err != nil && i != 3 {
				failed <- err
				return
			}
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	if r, err := s.RotateKey(ctx, func(Rotation) { cancel() }); err == nil || r.Resealed == 0 || r.Resealed >= accounts {
		t.Errorf("stopped after one step: %+v, %v", r, err)
	}
	r, err := s.RotateKey(context.Background(), nil)
	close(stop)
	wg.Wait()
	select {
	case err := <-failed:
		t.Errorf("a login failed during the rotation: %v", err)
	default:
	}
	if err != nil || r.Key != "k2" || r.Failed != 1 || r.Err == nil || !strings.Contains(r.Err.Error(), `"user3"`) {
		t.Errorf("%+v, %v", r, err)
	}
	if n := one[int](t, pool, `SELECT count(*) FROM credentials WHERE key_id = 'k2'`); n != accounts-1 {
		t.Errorf("%d of %d are sealed with the new key", n, accounts)
	}
	// The old key is of no use any more, and a second rotation has nothing to do but to fail again.
	ring.Set(testKeys(t, "k2"))
	if _, err := login(b, aaa.MSCHAPv2, "user2@nt", "pw2"); err != nil {
		t.Error(err)
	}
	if r, err := s.RotateKey(context.Background(), nil); err != nil || r.Resealed != 0 || r.Failed != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := NewSealer(pool, nil, quiet).RotateKey(context.Background(), nil); err == nil {
		t.Error("rotated without keys")
	}
}

// A password that was changed between the two statements of a step stays as the administrator set it.
func TestRotationLeavesANewerPasswordAlone(t *testing.T) {
	pool := sharedPool(t)
	run(t, pool, `INSERT INTO accounts (name, password) VALUES ('bob', 'old')`)
	mustSeal(t, pool, testKeys(t, "k1"))
	before := one[[]byte](t, pool, `SELECT value FROM credentials`)
	run(t, pool, `UPDATE credentials SET value = 'newer'`)
	run(t, pool, resealSQL, []string{"bob"}, []string{"sealed"}, [][]byte{before}, [][]byte{[]byte("resealed")}, "k2")
	if got := one[[]byte](t, pool, `SELECT value FROM credentials`); !bytes.Equal(got, []byte("newer")) {
		t.Errorf("%q", got)
	}
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if _, err := ReadKeys(path); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	for _, add := range []struct {
		id    string
		first bool
	}{{"k1", true}, {"k2", false}, {"k3", true}} {
		if err := AddKey(path, add.id, add.first); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := ReadKeys(path)
	if err != nil || strings.Join(keys.IDs(), " ") != "k3 k1 k2" {
		t.Errorf("%v, %v", keys.IDs(), err)
	}
	for _, id := range []string{"k1", "a b", ""} {
		if err := AddKey(path, id, true); err == nil {
			t.Errorf("key %q was added", id)
		}
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o602} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadKeys(path); !errors.Is(err, ErrOpenToOthers) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if _, err := ReadKeys(t.TempDir()); err == nil {
		t.Error("a folder was read")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".keys-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Only one node seals at a time, and the others neither wait nor fail.
func TestSealersTakeTurns(t *testing.T) {
	pool := sharedPool(t)
	tx, err := pool.BeginTx(context.Background(), pgx.TxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background()) //nolint:errcheck // it changed nothing
	if _, err := tx.Exec(context.Background(), sealLockSQL); err != nil {
		t.Fatal(err)
	}
	if _, err := NewSealer(pool, nil, quiet).Seal(context.Background()); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
}
