package postgres

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/aaa/secret"
)

// StoredForms counts how passwords are stored: by kind, and by the key that sealed them.
type StoredForms struct {
	Kind     string `db:"kind" json:"kind"` // clear, or credentials.kind
	Key      string `db:"key" json:"key"`   // empty: not sealed
	Accounts int64  `db:"accounts" json:"accounts"`
}

const sqlStoredForms = `
SELECT 'clear' AS kind, '' AS key, count(*) AS accounts FROM accounts WHERE password IS NOT NULL HAVING count(*) > 0
UNION ALL SELECT kind, coalesce(key_id, ''), count(*) FROM credentials GROUP BY 1, 2 ORDER BY 1, 2`

// StoredForms counts how passwords are stored.
func (a *Admin) StoredForms(ctx context.Context) ([]StoredForms, error) {
	return adminRows[StoredForms](ctx, a, "count the stored passwords", sqlStoredForms)
}

// Seal does what a node does within a second: it takes the clear passwords out of accounts. It returns how many remain
// for want of a key. keys may be nil.
func (a *Admin) Seal(ctx context.Context, keys *secret.Keys) (left int, err error) {
	err = a.withSealer(ctx, keys, func(s *Sealer) error {
		left, err = s.Seal(ctx)
		return err
	})
	return left, err
}

// RotateKey seals everything with the first of the keys; see Sealer.RotateKey.
func (a *Admin) RotateKey(ctx context.Context, keys *secret.Keys) (r Rotation, err error) {
	err = a.withSealer(ctx, keys, func(s *Sealer) error {
		r, err = s.RotateKey(ctx, nil)
		return err
	})
	return r, err
}

// withSealer connects a second time, because a sealer wants a pool.
func (a *Admin) withSealer(ctx context.Context, keys *secret.Keys, work func(*Sealer) error) error {
	cfg, err := pgxpool.ParseConfig("")
	if err != nil {
		return err
	}
	cfg.ConnConfig, cfg.MaxConns = a.conn.Config(), 1
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer pool.Close()
	return work(NewSealer(pool, NewKeyring(keys), slog.New(slog.DiscardHandler)))
}

// AdminNode is a node as it last said.
type AdminNode struct {
	Name        string    `db:"name" json:"name"`
	Epoch       int64     `db:"epoch" json:"epoch"`
	Version     *string   `db:"version" json:"version"`
	StartedAt   time.Time `db:"started_at" json:"started_at"`
	HeartbeatAt time.Time `db:"heartbeat_at" json:"heartbeat_at"`
	Sessions    int64     `db:"sessions" json:"sessions"`
}

const sqlAdminNodes = `
SELECT n.name, n.epoch, n.version, n.started_at, n.heartbeat_at,
	(SELECT count(*) FROM sessions s WHERE s.node = n.name AND s.epoch = n.epoch AND s.nas IS NULL) AS sessions FROM nodes n ORDER BY n.name`

// Nodes lists the nodes that have ever served from this database.
func (a *Admin) Nodes(ctx context.Context) ([]AdminNode, error) {
	return adminRows[AdminNode](ctx, a, "list nodes", sqlAdminNodes)
}
