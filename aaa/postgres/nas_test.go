package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
)

// secretsOf lists what is read of NASes: name, secret, and whether it lies open.
func secretsOf(t *testing.T, pool *pgxpool.Pool, keys *secret.Keys) (got string, faults []*NASFault) {
	t.Helper()
	list, faults, err := New(pool, Config{Keys: NewKeyring(keys)}).NASes(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range list {
		got += " " + n.Name + "=" + n.Secret.Reveal()
		if n.Clear {
			got += " (clear)"
		}
	}
	return strings.TrimSpace(got), faults
}

func TestNASesAreRead(t *testing.T) {
	pool := sharedPool(t)
	run(t, pool, `INSERT INTO domains (name) VALUES ('sales'), ('guests')`)
	run(t, pool, `INSERT INTO nas (name, source, secret, type, message_authenticator, unsigned_proxies, addresses, domain, default_domain,
		dynamic_authorization_port, certificate_names) VALUES ('full', '2001:db8::/32', 'geheim-1234', 'mikrotik', 'require', true, 'named', 'SALES', 'guests', 65535, '{a.example,b.example}')`)
	run(t, pool, `INSERT INTO nas (name, source, secret) VALUES ('plain', '192.0.2.7', 'Grüße-1234')`)
	run(t, pool, `INSERT INTO nas (name, source, secret, disabled) VALUES ('off', '192.0.2.8', 'geheim-1234', true)`)
	list, faults, err := New(pool, Config{}).NASes(context.Background())
	want := []NAS{
		{Name: "full", Source: netip.MustParsePrefix("2001:db8::/32"), Secret: aaa.NewSecret("geheim-1234"), Clear: true,
			CertificateNames: []string{"a.example", "b.example"}, Type: "mikrotik", MessageAuthenticator: "require", UnsignedProxies: true,
			Addresses: "named", Domain: "sales", DefaultDomain: "guests", DynamicAuthorizationPort: 65535},
		{Name: "plain", Source: netip.MustParsePrefix("192.0.2.7/32"), Secret: aaa.NewSecret("Grüße-1234"), Clear: true,
			CertificateNames: []string{}, Type: "standard", MessageAuthenticator: "auto", Addresses: "given", DynamicAuthorizationPort: 3799},
	}
	if err != nil || len(faults) > 0 || !reflect.DeepEqual(list, want) {
		t.Errorf("%v, %v, got\n%+v\nwant\n%+v", err, faults, list, want)
	}
	if text := fmt.Sprintf("%v %+v %#v", list, list, list); strings.Contains(text, "geheim") {
		t.Error("secrets are printed")
	}
	run(t, pool, `DELETE FROM nas`)
	if list, _, err := New(pool, Config{}).NASes(context.Background()); err != nil || len(list) > 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestSecretsOfNASesAreSealed(t *testing.T) {
	pool := sharedPool(t)
	run(t, pool, `INSERT INTO nas (name, source, secret) SELECT 'r' || i, ('10.0.' || i || '.0/24')::cidr, 'Grüße-' || i || '-1234' FROM generate_series(1, 250) i`)
	if left, err := NewSealer(pool, nil, quiet).Seal(context.Background()); err != nil || left != 250 {
		t.Errorf("without a key %d remain, %v", left, err)
	}
	keys := testKeys(t, "k1")
	mustSeal(t, pool, keys)
	if n := one[int](t, pool, `SELECT count(*) FROM nas WHERE secret IS NULL AND key_id = 'k1'`); n != 250 {
		t.Errorf("%d are sealed", n)
	}
	if n := one[int](t, pool, `SELECT count(*) FROM nas WHERE position('Grüße'::bytea IN sealed) > 0`); n != 0 {
		t.Errorf("%d hold the secret in clear", n)
	}
	run(t, pool, `DELETE FROM nas WHERE name NOT IN ('r7', 'r250')`)
	run(t, pool, `UPDATE nas SET name = 'renamed' WHERE name = 'r7'`)
	if got, faults := secretsOf(t, pool, keys); got != "r250=Grüße-250-1234 renamed=Grüße-7-1234" || len(faults) > 0 {
		t.Errorf("%s, %v", got, faults)
	}
	// A new secret takes the place of the sealed one at once, and is sealed as well.
	run(t, pool, `UPDATE nas SET secret = 'newer-secret' WHERE name = 'renamed'`)
	if got, _ := secretsOf(t, pool, keys); got != "r250=Grüße-250-1234 renamed=newer-secret (clear)" {
		t.Error(got)
	}
	mustSeal(t, pool, keys)
	if got, _ := secretsOf(t, pool, keys); got != "r250=Grüße-250-1234 renamed=newer-secret" {
		t.Error(got)
	}
}

// One NAS that cannot be served does not keep the others from it.
func TestSecretsThatDoNotOpenAreToldByRow(t *testing.T) {
	pool := sharedPool(t)
	run(t, pool, `INSERT INTO nas (name, source, secret) VALUES ('a', '10.0.0.1', 'geheim-aaaa'), ('b', '10.0.0.2', 'geheim-bbbb'), ('c', '10.0.0.3', 'geheim-cccc')`)
	mustSeal(t, pool, testKeys(t, "k1"))
	run(t, pool, `UPDATE nas SET secret = 'geheim-dddd' WHERE name = 'c'`)
	run(t, pool, `INSERT INTO nas (name, source, sealed, key_id, disabled) SELECT 'off', '10.0.0.9', sealed, 'lost', true FROM nas WHERE name = 'a'`)
	for _, keys := range []*secret.Keys{nil, testKeys(t, "k2")} {
		got, faults := secretsOf(t, pool, keys)
		if got != "c=geheim-dddd (clear)" || len(faults) != 2 {
			t.Fatalf("%s, %v", got, faults)
		}
		for i, name := range []string{"a", "b"} {
			if err := faults[i]; err.Name != name || !errors.Is(err, secret.ErrUnknownKey) ||
				!strings.Contains(err.Error(), `the secret of the NAS "`+name+`" is sealed: key "k1"`) || !strings.Contains(err.Error(), "copy the key file") {
				t.Error(err)
			}
		}
	}
	// Neither the secret of another row nor a sealed password opens here.
	run(t, pool, `UPDATE nas n SET sealed = o.sealed FROM nas o WHERE n.name IN ('a', 'b') AND o.name IN ('a', 'b') AND n.name <> o.name`)
	got, faults := secretsOf(t, pool, testKeys(t, "k1"))
	if got != "c=geheim-dddd (clear)" || len(faults) != 2 || !errors.Is(faults[0], secret.ErrSeal) || !strings.Contains(faults[0].Error(), "set it again with lnsgate nas set a --secret-stdin") {
		t.Errorf("%s, %v", got, faults)
	}
	run(t, pool, `SELECT setval(pg_get_serial_sequence('accounts', 'id'), (SELECT min(id) FROM nas), false)`) // they have the same numbers
	run(t, pool, `INSERT INTO accounts (name, password) SELECT 'u' || i, 'geheim-1234' FROM generate_series(1, 9) i`)
	mustSeal(t, pool, testKeys(t, "k1"))
	run(t, pool, `UPDATE nas n SET sealed = c.value FROM credentials c JOIN accounts a ON a.name = c.account WHERE a.id = n.id`)
	if got, faults := secretsOf(t, pool, testKeys(t, "k1")); got != "" || len(faults) != 3 {
		t.Errorf("%s, %v", got, faults)
	}
}

// A secret that is changed while the old one is being sealed is not lost.
func TestANewerSecretOfANASIsNotLost(t *testing.T) {
	pool := sharedPool(t)
	keys := testKeys(t, "k1")
	run(t, pool, `INSERT INTO nas (name, source, secret) VALUES ('r', '10.0.0.1', 'old-secret')`)
	id, digest := one[int64](t, pool, `SELECT id FROM nas`), sha256.Sum256([]byte("old-secret"))
	value, key := seal(keys, []byte("old-secret"), nasBinding(id))
	run(t, pool, `UPDATE nas SET secret = 'new-secret'`)
	run(t, pool, storeNASesSQL, []int64{id}, [][]byte{digest[:]}, [][]byte{value}, key)
	if got, _ := secretsOf(t, pool, keys); got != "r=new-secret (clear)" {
		t.Error(got)
	}
	mustSeal(t, pool, keys)
	before := one[[]byte](t, pool, `SELECT sealed FROM nas`)
	newer, _ := seal(keys, []byte("newest-secret"), nasBinding(id))
	run(t, pool, `UPDATE nas SET sealed = $1`, newer)
	run(t, pool, resealNASesSQL, []int64{id}, [][]byte{before}, [][]byte{value}, "k2")
	if got := one[[]byte](t, pool, `SELECT sealed FROM nas`); !bytes.Equal(got, newer) {
		t.Error("the rotation put an older secret back")
	}
}

// Several nodes seal at once, whoever hears first, and what they cannot seal they tell.
func TestNodesSealTheSecretsOfNASesAtOnce(t *testing.T) {
	dsn := sharedDSN(t)
	pool := openPool(t, dsn, false)
	ring := NewKeyring(testKeys(t, "k1"))
	h := &heard{}
	for range 2 {
		s := NewSealer(openPool(t, dsn, false), ring, quiet)
		background(t, s.Run)
		background(t, NewWatcher(WatcherConfig{Connect: connectConfig(t, dsn), Log: quiet, Changed: func(c []Change) { s.Changed(c); h.hear(c) }}).Run)
	}
	until(t, "they listen", 10*time.Second, func() bool { return h.has(Change{All: true}) })
	run(t, pool, `INSERT INTO nas (name, source, secret) SELECT 'r' || i, ('10.0.' || i || '.0/24')::cidr, 'geheim-' || i || '-1234' FROM generate_series(1, 150) i`)
	open := func() bool { return one[int](t, pool, `SELECT count(*) FROM nas WHERE secret IS NOT NULL`) == 0 }
	t.Logf("150 secrets sealed in %s", until(t, "all are sealed", 10*time.Second, open))
	for i := range 20 {
		run(t, pool, `UPDATE nas SET secret = $1 WHERE name = 'r7'`, fmt.Sprintf("changed-%d", i))
	}
	t.Logf("one more in %s", until(t, "one more is sealed", 10*time.Second, open))
	list, faults, err := New(pool, Config{Keys: ring}).NASes(context.Background())
	if err != nil || len(list) != 150 || len(faults) > 0 {
		t.Errorf("%d NASes, %v, %v", len(list), faults, err)
	}
	for _, n := range list {
		if want := "geheim-" + n.Name[1:] + "-1234"; n.Name != "r7" && n.Secret.Reveal() != want || n.Name == "r7" && n.Secret.Reveal() != "changed-19" {
			t.Errorf("%s has %s", n.Name, n.Secret.Reveal())
		}
	}
	until(t, "a change is told by name", 5*time.Second, func() bool { return h.has(Change{NASes, Updated, "r7", false, ""}) })
}

// Without a key file the secret works, and the log says so once.
func TestASecretThatCannotBeSealedIsTold(t *testing.T) {
	dsn := sharedDSN(t)
	pool := openPool(t, dsn, false)
	run(t, pool, `INSERT INTO nas (name, source, secret) VALUES ('r', '10.0.0.1', 'geheim-1234')`)
	lines := make(chan string, 8)
	s := NewSealer(pool, nil, slog.New(slog.NewTextHandler(writerFunc(func(b []byte) (int, error) {
		lines <- string(b)
		return len(b), nil
	}), nil)))
	background(t, s.Run)
	if line := <-lines; !strings.Contains(line, "no key file to seal them with") || !strings.Contains(line, "count=1") || strings.Contains(line, "geheim") {
		t.Error(line)
	}
	if got, _ := secretsOf(t, pool, nil); got != "r=geheim-1234 (clear)" {
		t.Error(got)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestRotationCoversSecretsOfNASes(t *testing.T) {
	pool := sharedPool(t)
	run(t, pool, `INSERT INTO accounts (name, password) VALUES ('anna', 'pw')`)
	run(t, pool, `INSERT INTO nas (name, source, secret) SELECT 'r' || i, ('10.' || i / 256 || '.' || i % 256 || '.0/24')::cidr, 'geheim-' || i || '-1234' FROM generate_series(1, $1) i`, rotateBatch+3)
	mustSeal(t, pool, testKeys(t, "k1"))
	run(t, pool, `UPDATE nas SET sealed = 'nonsense of more than twenty-eight octets' WHERE name = 'r2'`)
	run(t, pool, `UPDATE nas SET secret = 'still-in-clear' WHERE name = 'r3'`)
	s, steps := NewSealer(pool, NewKeyring(testKeys(t, "k2", "k1")), quiet), 0
	r, err := s.RotateKey(context.Background(), func(Rotation) { steps++ })
	if err != nil || r.Resealed != 1 || r.NASes != rotateBatch+1 || r.Failed != 1 || !errors.Is(r.Err, secret.ErrSeal) || !strings.Contains(r.Err.Error(), `the secret of the NAS "r2"`) || steps != 3 {
		t.Errorf("%+v, %v, %d steps", r, err, steps)
	}
	if n := one[int](t, pool, `SELECT count(*) FROM nas WHERE key_id = 'k2'`); n != rotateBatch+1 {
		t.Errorf("%d are sealed with the new key", n)
	}
	// The old key is of no use any more.
	list, faults, err := New(pool, Config{Keys: NewKeyring(testKeys(t, "k2"))}).NASes(context.Background())
	if err != nil || len(list) != rotateBatch+2 || len(faults) != 1 || faults[0].Name != "r2" {
		t.Errorf("%d, %v, %v", len(list), faults, err)
	}
	for _, n := range list {
		if want := "geheim-" + n.Name[1:] + "-1234"; n.Secret.Reveal() != want && n.Name != "r3" {
			t.Errorf("%s has %s", n.Name, n.Secret.Reveal())
		}
	}
	if r, err := s.RotateKey(context.Background(), nil); err != nil || r.NASes != 0 || r.Failed != 1 {
		t.Errorf("again: %+v, %v", r, err)
	}
}
