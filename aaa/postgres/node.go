package postgres

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// heartbeat is how often a node says that it is alive. After three minutes of silence its sessions do not count.
const heartbeat = 10 * time.Second

// burials is how often a node removes what the sessions of dead processes left behind.
const burials = time.Hour

// NodeConfig says who a node is.
type NodeConfig struct {
	Name    string     // of the configuration; no two nodes have the same
	Address netip.Addr // where peers reach it; may be zero
	Version string     // of the program
	Log     *slog.Logger

	// LeaseLife is how long addresses in use here stay ours when nothing is heard of this node. It must be the same on all
	// nodes: Run says so when it is not. 0: nothing is told of it, and nothing compared.
	LeaseLife time.Duration

	// Epoch is set when another room enters the node into the database: it answers the epoch, 0 as long as there is none.
	// Then Join only waits for it. Nil: Join enters the node.
	Epoch func() int64
}

// Node is this process among the nodes of the database: its row in the table nodes. It is safe for concurrent use.
type Node struct {
	db     *database
	cfg    NodeConfig
	epoch  atomic.Int64
	differ string                                // what was last said of nodes with another lease life; Run has it
	settle atomic.Pointer[func(context.Context)] // what the registry still has to tell; nil: there is none
}

// ErrSuperseded says that another process has started under the name of this node.
var ErrSuperseded = errors.New("another process has started under the name of this node")

// NewNode makes a node. It is not in the database before Join, or Run, has succeeded.
func NewNode(pool *pgxpool.Pool, cfg NodeConfig) *Node {
	return &Node{db: newDatabase(pool, 0), cfg: cfg}
}

// Name returns the name of the node.
func (n *Node) Name() string { return n.cfg.Name }

// Epoch is the number of this start of the node: what carries an older one belongs to a process that is gone. It is 0
// until the node has joined.
func (n *Node) Epoch() int64 {
	if n.cfg.Epoch != nil {
		return n.cfg.Epoch()
	}
	return n.epoch.Load()
}

// ErrNotEntered says that the node is not in the database yet. Match with errors.Is.
var ErrNotEntered = errors.New("this node is not in the table nodes yet")

const joinSQL = `
INSERT INTO nodes (name, address, version) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET epoch = nodes.epoch + 1, started_at = now(), heartbeat_at = now(),
	address = EXCLUDED.address, version = EXCLUDED.version
RETURNING epoch`

// buriedSQL removes what earlier processes of this node, and nodes that nobody has heard of for a day, left behind.
const buriedSQL = `
DELETE FROM session_slots s USING nodes n
WHERE n.name = s.node AND (s.epoch < n.epoch OR n.heartbeat_at < now() - interval '1 day')`

// countlessSQL removes the numbers of earlier processes. One that is not zero has rows yet, of a login that came too late.
const countlessSQL = `DELETE FROM session_counts c USING nodes n WHERE n.name = c.node AND c.epoch < n.epoch AND c.counted = 0`

// Join enters the node into the database with a new epoch. It does nothing once that has succeeded. The error is a
// *aaa.Rejection that is Retryable.
func (n *Node) Join(ctx context.Context) error {
	if n.Epoch() != 0 {
		return nil
	}
	return n.db.ask(ctx, "enter this node", func(ctx context.Context) error {
		if n.cfg.Epoch != nil {
			return ErrNotEntered
		}
		var epoch int64
		if err := n.db.pool.QueryRow(ctx, joinSQL, n.cfg.Name, host(n.cfg.Address), n.cfg.Version).Scan(&epoch); err != nil {
			return err
		}
		n.epoch.Store(epoch)
		n.bury(ctx)
		return nil
	})
}

// bury removes what does not count any more. That it does not is so anyway: it only takes room.
func (n *Node) bury(ctx context.Context) {
	for _, sql := range []string{buriedSQL, countlessSQL} {
		if _, err := n.db.pool.Exec(ctx, sql); err != nil {
			n.cfg.Log.Debug("sessions of earlier processes stay in the database for now", "cause", err)
			return
		}
	}
}

// heartbeatSQL brings the row back, with the epoch that this process has: after a fail-over to a server that had not heard
// all, the row may be older or missing.
const heartbeatSQL = `
INSERT INTO nodes (name, epoch, address, version) VALUES ($1, $2, $3, $4)
ON CONFLICT (name) DO UPDATE SET epoch = EXCLUDED.epoch, heartbeat_at = now() WHERE nodes.epoch <= EXCLUDED.epoch`

// Beat says that the node is alive. Errors: ErrSuperseded, or a *aaa.Rejection.
func (n *Node) Beat(ctx context.Context) error {
	return n.db.ask(ctx, "say that this node is alive", func(ctx context.Context) error {
		epoch := n.Epoch()
		if epoch == 0 {
			return ErrNotEntered
		}
		tag, err := n.db.pool.Exec(ctx, heartbeatSQL, n.cfg.Name, epoch, host(n.cfg.Address), n.cfg.Version)
		if err == nil && tag.RowsAffected() == 0 {
			return ErrSuperseded
		}
		return err
	})
}

// Run joins, as soon as the database answers, and says from time to time that the node is alive, until the context ends
// or another process has taken the name.
func (n *Node) Run(ctx context.Context) {
	var buried time.Time
	for wait := time.Second; ; {
		err := n.Join(ctx)
		if err == nil {
			wait = heartbeat
			err = n.Beat(ctx)
		}
		if settle := n.settle.Load(); err == nil && settle != nil {
			(*settle)(ctx)
		}
		if err == nil && time.Since(buried) >= burials {
			n.bury(ctx)
			n.compare(ctx)
			buried = time.Now()
		}
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, ErrSuperseded):
			n.cfg.Log.Error("session limits do not work on this node: give every node a name of its own", "node", n.cfg.Name, "cause", ErrSuperseded)
			return
		case err != nil:
			n.cfg.Log.Debug("node not entered", "cause", err)
		}
		if !pause(ctx, wait) {
			return
		}
	}
}
