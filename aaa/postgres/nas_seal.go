package postgres

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/jackc/pgx/v5"
)

const unsealedNASesSQL = `SELECT id, secret FROM nas WHERE secret IS NOT NULL AND id > $1 ORDER BY id LIMIT $2`

// storeNASesSQL replaces clear secrets by sealed ones, unless they were changed since they were read: see storeSQL.
const storeNASesSQL = `
UPDATE nas n SET secret = NULL, sealed = f.value, key_id = $4
FROM unnest($1::bigint[], $2::bytea[], $3::bytea[]) AS f(id, digest, value)
WHERE n.id = f.id AND sha256(convert_to(n.secret, 'UTF8')) = f.digest`

// nases is a batch of the clear secrets of NASes.
func (s *Sealer) nases(ctx context.Context, tx pgx.Tx, after int64) (p progress, err error) {
	rows, err := tx.Query(ctx, unsealedNASesSQL, after, sealBatch)
	if err != nil {
		return p, err
	}
	var id int64
	var clear string
	var ids []int64
	var digests, values [][]byte
	keys := s.keys.Get()
	p.at = after
	_, err = pgx.ForEachRow(rows, []any{&id, &clear}, func() error {
		p.at = id
		if keys == nil {
			p.left++
			return nil
		}
		digest := sha256.Sum256([]byte(clear))
		value, _ := seal(keys, []byte(clear), nasBinding(id))
		ids, digests, values = append(ids, id), append(digests, digest[:]), append(values, value)
		return nil
	})
	if err != nil {
		return p, err
	}
	p.more = len(ids)+p.left == sealBatch
	if len(ids) > 0 {
		_, err = tx.Exec(ctx, storeNASesSQL, ids, digests, values, keys.Current())
	}
	return p, err
}

const otherKeysOfNASesSQL = `
SELECT id, name, sealed, key_id FROM nas WHERE key_id IS NOT NULL AND key_id <> $1 AND id > $2 ORDER BY id LIMIT $3`

// resealNASesSQL leaves alone what was changed since it was read: see resealSQL.
const resealNASesSQL = `
UPDATE nas n SET sealed = f.value, key_id = $4
FROM unnest($1::bigint[], $2::bytea[], $3::bytea[]) AS f(id, before, value)
WHERE n.id = f.id AND n.sealed = f.before`

// stepNASes seals the secrets of the next NASes anew and returns how many it looked at.
func (r *rotation) stepNASes(ctx context.Context, db *database) (int, error) {
	rows, err := db.pool.Query(ctx, otherKeysOfNASesSQL, r.Key, r.nas, rotateBatch)
	if err != nil {
		return 0, err
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (n nasRow, err error) {
		return n, row.Scan(&n.id, &n.Name, &n.sealed, &n.key)
	})
	if err != nil || len(found) == 0 {
		return 0, err
	}
	var ids []int64
	var before, after [][]byte
	failed, first := 0, r.Err
	for _, n := range found {
		clear, err := r.keys.Open(n.sealed, nasBinding(n.id), n.key)
		if err != nil {
			if failed++; first == nil {
				first = fmt.Errorf("the secret of the NAS %q: %w", n.Name, err)
			}
			continue
		}
		value, _ := seal(r.keys, clear, nasBinding(n.id))
		ids, before, after = append(ids, n.id), append(before, n.sealed), append(after, value)
	}
	tag, err := db.pool.Exec(ctx, resealNASesSQL, ids, before, after, r.Key)
	if err != nil {
		return 0, err // asked again from the same place
	}
	r.nas = found[len(found)-1].id
	r.NASes, r.Failed, r.Err = r.NASes+int(tag.RowsAffected()), r.Failed+failed, first
	return len(found), nil
}
