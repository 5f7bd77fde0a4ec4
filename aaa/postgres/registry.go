package postgres

import (
	"context"
	"time"

	"lnsgate/aaa"
)

// Registry counts sessions over all nodes, in the table session_slots. The database decides under a lock of the account
// or domain, so of any number of logins at once no more get in than the limit allows. It implements aaa.Registry.
type Registry struct {
	node *Node
	db   *database
}

var _ aaa.Registry = (*Registry)(nil)

// NewRegistry makes the registry of a node.
func NewRegistry(node *Node) *Registry { return &Registry{node, node.db} }

const enterSQL = `
SELECT verdict, coalesce(counted, 0), coalesce(oldest, ''), coalesce(oldest_node, ''), oldest_since
FROM enter_session($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`

// outcome is what enter_session answers.
type outcome struct {
	verdict, oldest, node string
	counted               int
	since                 *time.Time
}

// Enter counts a session in. Over a limit with the policy to replace, the oldest sessions are asked to end (Change{Table:
// Sessions, Op: Ended} on their nodes) and do not count any more. The error is a *aaa.Rejection: SessionLimit, or one that
// is Retryable.
func (r *Registry) Enter(ctx context.Context, e aaa.Entry) error {
	if r.node.Epoch() == 0 {
		if err := r.node.Join(ctx); err != nil {
			return err
		}
	}
	var o outcome
	err := r.db.ask(ctx, "count the session", func(ctx context.Context) error {
		return r.db.pool.QueryRow(ctx, enterSQL, e.Session, r.node.Name(), r.node.Epoch(), e.Account, e.Domain, text(e.Name),
			host(e.Peer.Addr()), e.Since, int32(e.AccountLimit), int32(e.DomainLimit), e.Policy == aaa.ReplaceOld,
		).Scan(&o.verdict, &o.counted, &o.oldest, &o.node, &o.since)
	})
	if err != nil {
		return err
	}
	return o.rejection(e, r.node.Name())
}

func (o *outcome) rejection(e aaa.Entry, node string) error {
	what, name, most := "account", e.Account, e.AccountLimit
	switch o.verdict {
	case "entered":
		return nil
	case "superseded":
		return &aaa.Rejection{Cause: aaa.BackendUnavailable, Err: ErrSuperseded,
			Detail: "node " + node + ": " + ErrSuperseded.Error() + "; give every node a name of its own"}
	case "domain":
		what, name, most = "domain", e.Domain, e.DomainLimit
	}
	if o.since == nil {
		return aaa.Reject(aaa.SessionLimit, "%s %q has %d of %d sessions", what, name, o.counted, most)
	}
	return aaa.Reject(aaa.SessionLimit, "%s %q has %d of %d sessions; the oldest is %s on node %s, since %s",
		what, name, o.counted, most, o.oldest, o.node, o.since.Format(time.RFC3339))
}

const leaveSQL = `DELETE FROM session_slots WHERE session = $1`

// Leave counts a session out. One that is not there is no error. The error is a *aaa.Rejection that is Retryable.
func (r *Registry) Leave(ctx context.Context, session string) error {
	return r.db.ask(ctx, "count the session out", func(ctx context.Context) error {
		_, err := r.db.pool.Exec(ctx, leaveSQL, session)
		return err
	})
}
