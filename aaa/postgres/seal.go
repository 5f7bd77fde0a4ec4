package postgres

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
)

// Times and sizes of a Sealer.
const (
	sealBatch = 100                    // accounts of one transaction; more would be announced without their names
	sealSpend = 400 * time.Millisecond // of computing hashes within one transaction
	sealRetry = 5 * time.Second
	sealLook  = time.Minute // even if nothing is announced
)

// Sealer takes clear passwords out of accounts.password, and raw NT hashes out of credentials, and stores what the
// methods of the domain need: argon2id where only PAP is allowed, the sealed NT hash where MS-CHAPv2 is allowed and
// neither CHAP nor EAP, else the sealed password. It seals what stands in nas.secret, too. Any number of nodes may run one;
// they take turns.
type Sealer struct {
	db   *database
	keys *Keyring
	log  *slog.Logger
	wake chan struct{}
}

// NewSealer makes a sealer. Without keys it stores argon2id only, and leaves the rest as it is.
func NewSealer(pool *pgxpool.Pool, keys *Keyring, log *slog.Logger) *Sealer {
	return &Sealer{newDatabase(pool, 30*time.Second), keys, log, make(chan struct{}, 1)}
}

// Changed has the sealer look when accounts, credentials or NASes have changed. Hand it what a Watcher tells. It does not wait.
func (s *Sealer) Changed(changes []Change) {
	if slices.ContainsFunc(changes, func(c Change) bool {
		return c.Table == Every || c.Table == Accounts || c.Table == Credentials || c.Table == NASes
	}) {
		s.Wake()
	}
}

// Wake has the sealer look now: after a reload of the keys.
func (s *Sealer) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run seals until the context ends.
func (s *Sealer) Run(ctx context.Context) {
	warned := false
	for ctx.Err() == nil {
		left, err := s.Seal(ctx)
		wait := sealLook
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, ErrBusy):
			wait = time.Second
		case err != nil:
			wait = sealRetry
			s.log.Warn("clear passwords and secrets stay in the database until the next try", "cause", err)
		case left > 0 && !warned:
			s.log.Warn("clear passwords and secrets of NASes stay in the database: this node has no key file to seal them with", "count", left)
		}
		warned = err == nil && left > 0
		s.rest(ctx, wait)
	}
}

// rest waits until somebody wakes the sealer, or for a time.
func (s *Sealer) rest(ctx context.Context, most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-s.wake:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// ErrBusy says that another node is sealing. Match with errors.Is.
var ErrBusy = errors.New("another node is sealing")

// Seal seals all there is, and returns how many clear passwords, raw NT hashes and secrets of NASes remain for want of a key.
// Errors: ErrBusy, or a *aaa.Rejection.
func (s *Sealer) Seal(ctx context.Context) (left int, err error) {
	for _, next := range []batch{s.accounts(unsealedSQL), s.accounts(rawSQL), s.nases} {
		for at, more := int64(0), true; more && err == nil; {
			var p progress
			err = s.db.ask(ctx, "seal passwords", func(ctx context.Context) error {
				return pgx.BeginFunc(ctx, s.db.pool, func(tx pgx.Tx) (err error) {
					p, err = s.alone(ctx, tx, next, at)
					return err
				})
			})
			at, more, left = p.at, p.more, left+p.left
		}
	}
	return left, err
}

// batch seals what lies open of some rows behind a number.
type batch func(ctx context.Context, tx pgx.Tx, after int64) (progress, error)

// alone runs a batch while no other node seals.
func (s *Sealer) alone(ctx context.Context, tx pgx.Tx, next batch, after int64) (p progress, err error) {
	var mine bool
	if err := tx.QueryRow(ctx, sealLockSQL).Scan(&mine); err != nil {
		return p, err
	} else if !mine {
		return p, ErrBusy
	}
	return next(ctx, tx, after)
}

// The lock is that of a transaction, so that it also holds behind a pooler.
const sealLockSQL = `SELECT pg_try_advisory_xact_lock(hashtext('lnsgate seal'))`

// Both list accounts behind a number, with the clear password or the raw NT hash.
const (
	unsealedSQL = `
SELECT a.id, a.password, NULL::bytea, coalesce(d.methods, '{}')
FROM accounts a LEFT JOIN domains d ON d.name = a.domain
WHERE a.password IS NOT NULL AND a.id > $1 ORDER BY a.id LIMIT $2`

	rawSQL = `
SELECT a.id, NULL::text, c.value, '{}'::text[]
FROM credentials c JOIN accounts a ON a.name = c.account
WHERE c.kind = 'nt' AND c.key_id IS NULL AND a.password IS NULL AND a.id > $1 ORDER BY a.id LIMIT $2`
)

// unsealed is a secret that lies open.
type unsealed struct {
	account int64
	clear   *string
	hash    []byte
	methods []string
}

// progress of a batch: up to which account or NAS, whether there are more, and how many stay as they are.
type progress struct {
	at   int64
	more bool
	left int
}

// accounts is a batch of what a statement lists of accounts.
func (s *Sealer) accounts(source string) batch {
	return func(ctx context.Context, tx pgx.Tx, after int64) (progress, error) {
		return s.sealAccounts(ctx, tx, source, after)
	}
}

func (s *Sealer) sealAccounts(ctx context.Context, tx pgx.Tx, source string, after int64) (p progress, err error) {
	rows, err := tx.Query(ctx, source, after, sealBatch)
	if err != nil {
		return p, err
	}
	open, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (u unsealed, err error) {
		return u, row.Scan(&u.account, &u.clear, &u.hash, &u.methods)
	})
	if err != nil {
		return p, err
	}
	p = progress{at: after, more: len(open) == sealBatch}
	var done stored
	keys, began := s.keys.Get(), time.Now()
	for _, u := range open {
		if time.Since(began) > sealSpend {
			p.more = true
			break
		}
		if p.at = u.account; !done.add(u, keys) {
			p.left++
		}
	}
	if len(done.accounts) > 0 {
		_, err = tx.Exec(ctx, storeSQL, done.accounts, done.digests, done.kinds, done.values, done.keys)
	}
	return p, err
}

// storeSQL replaces what lies open by the stored form, unless it was changed since it was read: then the newer one stays
// until the next look. The comparison is by digest, so that no clear password stands in a statement.
const storeSQL = `
WITH form AS (
	SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::text[], $4::bytea[], $5::text[]) AS f(id, digest, kind, value, key)
), cleared AS (
	UPDATE accounts a SET password = NULL FROM form f
	WHERE a.id = f.id AND sha256(convert_to(a.password, 'UTF8')) = f.digest RETURNING a.id, a.name
), same AS (
	SELECT c.id, c.name FROM cleared c
	UNION ALL
	SELECT f.id, a.name FROM form f JOIN accounts a ON a.id = f.id JOIN credentials c ON c.account = a.name
	WHERE a.password IS NULL AND c.kind = 'nt' AND c.key_id IS NULL AND f.kind = 'nt' AND sha256(c.value) = f.digest
), stale AS (
	DELETE FROM credentials c USING cleared d, form f WHERE c.account = d.name AND f.id = d.id AND c.kind <> f.kind
)
INSERT INTO credentials (account, kind, value, key_id)
SELECT s.name, f.kind, f.value, nullif(f.key, '') FROM same s JOIN form f ON f.id = s.id
ON CONFLICT (account, kind) DO UPDATE SET value = EXCLUDED.value, key_id = EXCLUDED.key_id`

// stored are the rows for storeSQL, turned.
type stored struct {
	accounts        []int64
	digests, values [][]byte
	kinds, keys     []string
}

// add makes the stored form. False: that takes a key, and there is none.
func (d *stored) add(u unsealed, keys *secret.Keys) bool {
	open := u.hash
	kind, value := kindNT, u.hash
	if u.clear != nil {
		open = []byte(*u.clear)
		kind, value = formFor(aaa.NewSecret(*u.clear), u.methods)
	}
	key := ""
	if kind != kindArgon2id {
		if keys == nil {
			return false
		}
		value, key = seal(keys, value, secret.Binding{Account: u.account, Kind: kind})
	}
	digest := sha256.Sum256(open)
	d.accounts, d.digests = append(d.accounts, u.account), append(d.digests, digest[:])
	d.kinds, d.values, d.keys = append(d.kinds, kind), append(d.values, value), append(d.keys, key)
	return true
}

// formFor chooses the stored form: the one that gives away least among those that serve all methods of the domain.
func formFor(password aaa.Secret, methods []string) (kind string, value []byte) {
	needsClear := len(methods) == 0 || slices.Contains(methods, "chap") || slices.Contains(methods, "eap")
	if allowsOnlyPAP(methods) {
		var salt [16]byte
		rand.Read(salt[:]) //nolint:errcheck // never fails
		return kindArgon2id, []byte(secret.HashArgon2id(password, salt))
	}
	if !needsClear {
		if hash, err := secret.NTHashOf(password); err == nil {
			return kindNT, hash[:]
		}
	}
	return kindSealed, []byte(password.Reveal())
}

func seal(keys *secret.Keys, clear []byte, b secret.Binding) (value []byte, key string) {
	var nonce [secret.NonceOctets]byte
	rand.Read(nonce[:]) //nolint:errcheck // never fails
	return keys.Seal(clear, b, nonce)
}
