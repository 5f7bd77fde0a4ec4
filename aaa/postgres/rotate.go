package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"lnsgate/aaa/secret"
)

// rotateBatch is how many credentials are sealed anew in one statement.
const rotateBatch = 500

// Rotation is what RotateKey has done.
type Rotation struct {
	Key      string // that everything is sealed with now, but for what Failed counts
	Resealed int    // passwords
	NASes    int    // secrets of NASes
	Failed   int    // of both
	Err      error  // of the first that failed, with the account or the NAS
}

// RotateKey seals every credential, and every secret of a NAS, with the current key that is sealed with another one. Logins
// go on meanwhile, as long as all nodes have both keys. It works in small steps, so it can be stopped at any time and called
// again; progress, which may be nil, is told after each. What does not open stays as it is. The error is a *aaa.Rejection,
// or says that there are no keys.
func (s *Sealer) RotateKey(ctx context.Context, progress func(Rotation)) (Rotation, error) {
	keys := s.keys.Get()
	if keys == nil {
		return Rotation{}, fmt.Errorf("there is no key file to seal with")
	}
	r := rotation{Rotation: Rotation{Key: keys.Current()}, keys: keys}
	for _, step := range []func(context.Context, *database) (int, error){r.step, r.stepNASes} {
		for n := 1; n > 0; {
			err := s.db.ask(ctx, "seal with another key", func(ctx context.Context) (err error) {
				n, err = step(ctx, s.db)
				return err
			})
			if err != nil {
				return r.Rotation, err
			}
			if n > 0 && progress != nil {
				progress(r.Rotation)
			}
		}
	}
	return r.Rotation, nil
}

// rotation is a walk through all credentials, in the order of their primary key, and then through all NASes.
type rotation struct {
	Rotation
	keys          *secret.Keys
	account, kind string // of the last one seen
	nas           int64  // likewise
}

const otherKeysSQL = `
SELECT c.account, c.kind, a.id, c.value, c.key_id
FROM credentials c JOIN accounts a ON a.name = c.account
WHERE c.key_id IS NOT NULL AND c.key_id <> $1 AND (c.account, c.kind) > ($2, $3)
ORDER BY c.account, c.kind LIMIT $4`

// resealSQL leaves alone what was changed since it was read: who changed it sealed it with the current key.
const resealSQL = `
UPDATE credentials c SET value = f.value, key_id = $5
FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[]) AS f(account, kind, before, value)
WHERE c.account = f.account AND c.kind = f.kind AND c.value = f.before`

// sealedForm is a sealed credential of an account.
type sealedForm struct {
	account string
	id      int64
	form
}

// step seals the next credentials anew and returns how many it looked at.
func (r *rotation) step(ctx context.Context, db *database) (int, error) {
	rows, err := db.pool.Query(ctx, otherKeysSQL, r.Key, r.account, r.kind, rotateBatch)
	if err != nil {
		return 0, err
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (f sealedForm, err error) {
		return f, row.Scan(&f.account, &f.kind, &f.id, &f.value, &f.key)
	})
	if err != nil || len(found) == 0 {
		return 0, err
	}
	var accounts, kinds []string
	var before, after [][]byte
	failed, first := 0, r.Err
	for _, f := range found {
		b := secret.Binding{Account: f.id, Kind: f.kind}
		clear, err := r.keys.Open(f.value, b, f.key)
		if err != nil {
			if failed++; first == nil {
				first = fmt.Errorf("account %q, credential %q: %w", f.account, f.kind, err)
			}
			continue
		}
		value, _ := seal(r.keys, clear, b)
		accounts, kinds = append(accounts, f.account), append(kinds, f.kind)
		before, after = append(before, f.value), append(after, value)
	}
	tag, err := db.pool.Exec(ctx, resealSQL, accounts, kinds, before, after, r.Key)
	if err != nil {
		return 0, err // asked again from the same place
	}
	last := found[len(found)-1]
	r.account, r.kind = last.account, last.kind
	r.Resealed, r.Failed, r.Err = r.Resealed+int(tag.RowsAffected()), r.Failed+failed, first
	return len(found), nil
}
