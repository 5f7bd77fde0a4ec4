package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// LeaseLife is how long one node takes its leases to live.
type LeaseLife struct {
	Node string
	Life time.Duration
}

// LeaseLives are those of several nodes.
type LeaseLives []LeaseLife

// String lists who has which: "lns3 2h0m0s, lns4 8h0m0s".
func (l LeaseLives) String() string {
	texts := make([]string, len(l))
	for i, n := range l {
		texts[i] = fmt.Sprintf("%s %s", n.Node, n.Life)
	}
	return strings.Join(texts, ", ")
}

// otherLivesSQL finds live nodes that think differently.
const otherLivesSQL = `
SELECT name, (extract(epoch FROM lease_life) * 1000000)::bigint FROM nodes
WHERE name <> $1 AND heartbeat_at > now() - interval '3 min' AND lease_life <> $2 * interval '1 microsecond' ORDER BY name`

// rowSource is what can be asked: a pool, a connection or a transaction.
type rowSource interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// OtherLeaseLives lists the nodes that are alive, but for the named one, and have another lease life than this. A node gives the
// addresses of a silent one away by its own, so there should be none.
func OtherLeaseLives(ctx context.Context, db rowSource, node string, life time.Duration) (LeaseLives, error) {
	rows, err := db.Query(ctx, otherLivesSQL, node, life.Microseconds())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (l LeaseLife, err error) {
		var micros int64
		err = row.Scan(&l.Node, &micros)
		l.Life = time.Duration(micros) * time.Microsecond
		return l, err
	})
}

// compare writes down our lease life, and warns when live nodes have another one. It says the same but once.
func (n *Node) compare(ctx context.Context) {
	if n.cfg.LeaseLife <= 0 {
		return
	}
	var others LeaseLives
	err := n.db.ask(ctx, "compare lease lives", func(ctx context.Context) error {
		_, err := n.db.pool.Exec(ctx, "UPDATE nodes SET lease_life = $2 * interval '1 microsecond' WHERE name = $1 AND epoch = $3",
			n.cfg.Name, n.cfg.LeaseLife.Microseconds(), n.Epoch())
		if err == nil {
			others, err = OtherLeaseLives(ctx, n.db.pool, n.cfg.Name, n.cfg.LeaseLife)
		}
		return err
	})
	switch text := others.String(); {
	case err != nil:
		n.cfg.Log.Debug("lease lives of the nodes were not compared", "cause", err)
	case text != n.differ:
		n.differ = text
		if text != "" {
			n.cfg.Log.Warn("database.lease_life is not the same on all nodes, so addresses in use on one may be given away by another; set the same everywhere",
				"node", n.cfg.Name, "here", n.cfg.LeaseLife, "others", text)
		}
	}
}
