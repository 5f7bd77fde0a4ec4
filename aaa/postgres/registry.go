package postgres

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"lnsgate/aaa"
)

// Registry counts sessions over all nodes, in the table session_slots. The database decides under a lock of the account
// or domain, so of any number of logins at once no more get in than the limit allows. What comes and goes while the
// database is busy with others is told to it together. It implements aaa.Registry.
//
// When the database does not answer, nobody knows whether a session was counted in; and a server that was held up may count it
// in later, after it was counted out over another connection. Such a session is counted out again with the heartbeats of the
// node, until the server cannot be at it any more.
type Registry struct {
	node  *Node
	db    *database
	moves *gathering[move]
	now   func() time.Time

	mu     sync.Mutex           // guards the rest, and the order of moves about sessions in doubt
	doubts map[string]time.Time // sessions that may be counted by mistake, and until when
}

var _ aaa.Registry = (*Registry)(nil)

// How many sessions one question counts in and out. One that comes may take locks in the shared memory of the server; of those that
// go, at the end of a node, more are taken at once.
const (
	maxMoves = 128 * entering
	entering = 4 // times the size of one that goes
)

// move is a session that comes, or goes when there is no entry.
type move struct {
	session string
	entry   *aaa.Entry
	outcome outcome
}

// NewRegistry makes the registry of a node.
func NewRegistry(node *Node) *Registry {
	r := &Registry{node: node, db: node.db, now: time.Now, doubts: make(map[string]time.Time)}
	settle := r.settle
	node.settle.Store(&settle)
	r.moves = newGathering(maxMoves, func(m *move) string { return m.session }, r.tell)
	r.moves.size = sizeOfMove
	return r
}

func sizeOfMove(m *move) int {
	if m.entry == nil {
		return 1
	}
	return entering
}

// outcome is what the database answers to a session that comes.
type outcome struct {
	verdict, oldest, node string
	counted               int
	since                 *time.Time
}

// Enter counts a session in. Over a limit with the policy to replace, the oldest sessions are asked to end (Change{Table:
// Sessions, Op: Ended} on their nodes) and do not count any more. The error is a *aaa.Rejection: SessionLimit, or one that
// is Retryable. After the latter the session does not count in the end, unless it is entered again.
func (r *Registry) Enter(ctx context.Context, e aaa.Entry) error {
	if r.node.Epoch() == 0 {
		if err := r.node.Join(ctx); err != nil {
			return err
		}
	}
	m := &move{session: e.Session, entry: &e}
	if err := r.do(ctx, "count the session", m); err != nil {
		if !isKnown(err) {
			r.doubt(e.Session)
		}
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
	if err := ctx.Err(); err != nil {
		return r.db.failure(ctx, what, err)
	}
	r.mu.Lock()
	before, doubtful := r.doubts[m.session]
	if m.entry != nil {
		delete(r.doubts, m.session) // from here on it is to be counted
	}
	c := r.moves.put(m)
	r.mu.Unlock()
	err := r.moves.await(ctx, c)
	if doubtful && m.entry != nil && (err != nil || m.outcome.verdict != "entered") {
		r.mu.Lock()
		r.doubts[m.session] = before
		r.mu.Unlock()
	}
	if err == nil {
		return nil
	}
	return r.db.failure(ctx, what, err)
}

const (
	// doubtful is how long a server may be held up and count a session in after all. It waits for locks for less than a second.
	doubtful = time.Minute
	// maxDoubts bounds the memory. Beyond it a session that was counted by mistake is so until the node starts again.
	maxDoubts = 1 << 16
)

// isKnown says whether a question that failed surely changed nothing: it did not reach the server, or the server refused it. One
// that ends may have done it before.
func isKnown(err error) bool {
	var unconnected *pgconn.ConnectError
	code := codeOf(err)
	return pgconn.SafeToRetry(err) || errors.As(err, &unconnected) || code != "" && !strings.HasPrefix(code, serverEnds)
}

// serverEnds begins the SQLSTATEs of a server, or connection, that an operator ends.
const serverEnds = "57P"

// doubt notes a session of which nobody knows whether it was counted in.
func (r *Registry) doubt(session string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.doubts) < maxDoubts {
		r.doubts[session] = r.now().Add(doubtful)
	}
}

// settle counts out the sessions in doubt, and forgets those that were counted out when the server could not be at them any
// more. The first that fails ends it: the database is away.
func (r *Registry) settle(ctx context.Context) {
	r.mu.Lock()
	sessions := slices.Collect(maps.Keys(r.doubts))
	r.mu.Unlock()
	for _, session := range sessions {
		if !r.settleOne(ctx, session) {
			return
		}
	}
}

func (r *Registry) settleOne(ctx context.Context, session string) bool {
	ctx, cancel := context.WithTimeout(ctx, r.db.timeout)
	defer cancel()
	began := r.now()
	r.mu.Lock()
	until, there := r.doubts[session]
	if !there { // it was entered again meanwhile
		r.mu.Unlock()
		return true
	}
	c := r.moves.put(&move{session: session})
	r.mu.Unlock()
	if err := r.moves.await(ctx, c); err != nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if now, there := r.doubts[session]; there && now.Equal(until) && !began.Before(until) {
		delete(r.doubts, session)
	}
	return true
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
	what, name, most, reason := "account", e.Account, e.AccountLimit, aaa.AccountSessions
	switch o.verdict {
	case "entered":
		return nil
	case "superseded":
		return &aaa.Rejection{Cause: aaa.BackendUnavailable, Err: ErrSuperseded,
			Detail: "node " + node + ": " + ErrSuperseded.Error() + "; give every node a name of its own"}
	case "domain":
		what, name, most, reason = "domain", e.Domain, e.DomainLimit, aaa.DomainSessions
	}
	if o.since == nil {
		return aaa.Reject(aaa.SessionLimit, "%s %q has %d of %d sessions", what, name, o.counted, most).For(reason)
	}
	return aaa.Reject(aaa.SessionLimit, "%s %q has %d of %d sessions; the oldest is %s on node %s, since %s",
		what, name, o.counted, most, o.oldest, o.node, o.since.Format(time.RFC3339)).For(reason)
}
