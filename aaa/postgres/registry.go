package postgres

import (
	"context"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"

	"lnsgate/aaa"
)

// Registry counts sessions over all nodes, in the table session_slots. The database decides under a lock of the account
// or domain, so of any number of logins at once no more get in than the limit allows. What comes and goes while the
// database is busy with others is told to it together. It implements aaa.Registry.
type Registry struct {
	node  *Node
	db    *database
	moves *gathering[move]
}

var _ aaa.Registry = (*Registry)(nil)

// maxMoves is how many sessions one question counts in and out: each may take a lock in the shared memory of the server.
const maxMoves = 128

// move is a session that comes, or goes when there is no entry.
type move struct {
	session string
	entry   *aaa.Entry
	outcome outcome
}

// NewRegistry makes the registry of a node.
func NewRegistry(node *Node) *Registry {
	r := &Registry{node: node, db: node.db}
	r.moves = newGathering(maxMoves, func(m *move) string { return m.session }, r.tell)
	return r
}

// outcome is what the database answers to a session that comes.
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
	m := &move{session: e.Session, entry: &e}
	if err := r.do(ctx, "count the session", m); err != nil {
		return err
	}
	return m.outcome.rejection(e, r.node.Name())
}

// Leave counts a session out. One that is not there is no error. The error is a *aaa.Rejection that is Retryable.
func (r *Registry) Leave(ctx context.Context, session string) error {
	return r.do(ctx, "count the session out", &move{session: session})
}

func (r *Registry) do(ctx context.Context, what string, m *move) error {
	ctx, cancel := context.WithTimeout(ctx, r.db.timeout)
	defer cancel()
	err := r.moves.do(ctx, m)
	if err == nil {
		return nil
	}
	return r.db.failure(ctx, what, err)
}

const movesSQL = `
SELECT verdict, coalesce(counted, 0), coalesce(oldest, ''), coalesce(oldest_node, ''), oldest_since
FROM count_sessions($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`

// tell counts sessions out and in. It changes all or nothing.
func (r *Registry) tell(ctx context.Context, moves []*move) error {
	ctx, cancel := context.WithTimeout(ctx, r.db.timeout)
	defer cancel()
	leaving, e := turn(moves)
	return r.db.persist(ctx, func(ctx context.Context) error {
		rows, err := r.db.pool.Query(ctx, movesSQL, leaving, r.node.Name(), r.node.Epoch(), e.session, e.account, e.domain,
			e.name, e.peer, e.since, e.accountLimit, e.domainLimit, e.replace)
		if err != nil {
			return err
		}
		var o outcome
		next := 0
		_, err = pgx.ForEachRow(rows, []any{&o.verdict, &o.counted, &o.oldest, &o.node, &o.since}, func() error {
			for moves[next].entry == nil {
				next++
			}
			moves[next].outcome = o
			next++
			return nil
		})
		return err
	})
}

// entries are the sessions that come, turned.
type entries struct {
	session, account, domain, name []string
	peer                           []*netip.Addr
	since                          []time.Time
	accountLimit, domainLimit      []int32
	replace                        []bool
}

// turn makes columns of moves. None of them is nil, which would be null.
func turn(moves []*move) (leaving []string, e entries) {
	leaving, e.session = []string{}, []string{}
	for _, m := range moves {
		if m.entry == nil {
			leaving = append(leaving, text(m.session))
			continue
		}
		e.session, e.account = append(e.session, text(m.session)), append(e.account, text(m.entry.Account))
		e.domain, e.name = append(e.domain, text(m.entry.Domain)), append(e.name, text(m.entry.Name))
		e.peer, e.since = append(e.peer, host(m.entry.Peer.Addr())), append(e.since, m.entry.Since)
		e.accountLimit = append(e.accountLimit, int32(m.entry.AccountLimit))
		e.domainLimit = append(e.domainLimit, int32(m.entry.DomainLimit))
		e.replace = append(e.replace, m.entry.Policy == aaa.ReplaceOld)
	}
	return leaving, e
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
