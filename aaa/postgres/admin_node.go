package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// NodeHoldings is a node, what the table says it holds, and whether it is alive.
type NodeHoldings struct {
	Name        string      `db:"name" json:"name"`
	Address     *netip.Addr `db:"address" json:"address"`
	Version     *string     `db:"version" json:"version"`
	Epoch       int64       `db:"epoch" json:"epoch"`
	StartedAt   time.Time   `db:"started_at" json:"started_at"`
	HeartbeatAt time.Time   `db:"heartbeat_at" json:"heartbeat_at"`
	Silent      float64     `db:"silent" json:"silent"`         // seconds since the last heartbeat, by the clock of the database
	DeadSince   *time.Time  `db:"dead_since" json:"dead_since"` // nil: it was heard in the last three minutes
	LeaseLife   *float64    `db:"lease_life" json:"lease_life"` // seconds; nil: it did not say
	Sessions    int64       `db:"sessions" json:"sessions"`
	Leases      int64       `db:"leases" json:"leases"` // addresses in use
	Blocks      int64       `db:"blocks" json:"blocks"` // runs of addresses that it gives away by itself
}

const sqlNodeHoldings = `
SELECT n.name, n.address, n.version, n.epoch, n.started_at, n.heartbeat_at,
	greatest(0, extract(epoch FROM clock_timestamp()) - extract(epoch FROM n.heartbeat_at))::float8 AS silent,
	CASE WHEN n.heartbeat_at < clock_timestamp() - interval '3 min' THEN n.heartbeat_at END AS dead_since,
	extract(epoch FROM n.lease_life)::float8 AS lease_life,
	(SELECT count(*) FROM sessions s WHERE s.node = n.name AND s.nas IS NULL) AS sessions,
	(SELECT count(*) FROM leases l WHERE l.node = n.name AND l.state = 'bound') AS leases,
	(SELECT count(*) FROM pool_blocks b WHERE b.node = n.name) AS blocks
FROM nodes n WHERE $1 = '' OR n.name = $1 ORDER BY n.name`

// NodeHoldings lists the nodes with what they hold, or the one of this name.
func (a *Admin) NodeHoldings(ctx context.Context, name string) ([]NodeHoldings, error) {
	return adminRows[NodeHoldings](ctx, a, "list nodes", sqlNodeHoldings, name)
}

// Forgotten is what a node held that is no more.
type Forgotten struct {
	Leases   int64 `db:"leases" json:"leases"` // addresses, free at once
	Blocks   int64 `db:"blocks" json:"blocks"`
	Sessions int64 `db:"sessions" json:"sessions"` // records that were closed
}

// ForgetNode frees the addresses of a node, closes its sessions and removes it, all or nothing. One that was heard in the last
// three minutes it refuses to, unless force is set: the sessions of a node that lives go on, and others get their addresses.
func (a *Admin) ForgetNode(ctx context.Context, name string, force bool) (Forgotten, error) {
	what := fmt.Sprintf("forget node %q", name)
	list, err := adminRows[Forgotten](ctx, a, what, "SELECT * FROM forget_node($1, $2)", name, force)
	var pg *pgconn.PgError
	switch {
	case err == nil && len(list) == 1:
		return list[0], nil
	case !errors.As(err, &pg):
	case pg.Code == noSuchNode:
		err = &AdminError{What: what, Text: pg.Message, Advice: "see: lnsgate node list", Err: pg}
	case pg.Code == nodeIsWell:
		err = &AdminError{What: what, Text: pg.Message + ": it is not dead",
			Advice: "stop it first; or with --force, if it surely has no sessions any more: others get their addresses", Err: pg}
	}
	return Forgotten{}, err
}

// SQLSTATEs of forget_node.
const (
	noSuchNode = "P0002"
	nodeIsWell = "55006"
)
