package postgres

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/aaa"
)

// AttemptQuery chooses attempts of the table logins, the newest first. A zero field chooses all.
type AttemptQuery struct {
	ID      string
	User    string // the name as typed, or the account
	Domain  string
	Peer    netip.Prefix
	Address netip.Addr // what it was given
	Failed  bool
	Causes  []string
	Since   time.Time // decided then or later
	Until   time.Time // decided before
	Limit   int       // at most so many; it must be set

	BehindAt time.Time // those behind the attempt of this moment and ID, in the order of newest first; zero: all
	BehindID string
}

// StoredAttempt is a row of logins. Of one that succeeded the verdict is empty.
type StoredAttempt struct {
	aaa.Attempt
	Fingerprint string
	Steps       []byte // in JSON; nil: they are not kept
}

// AttemptBook reads the table logins, of all nodes. It is safe for concurrent use.
type AttemptBook struct{ db *database }

// NewAttemptBook makes a reader whose questions may take so long each.
func NewAttemptBook(pool *pgxpool.Pool, timeout time.Duration) *AttemptBook {
	return &AttemptBook{db: newDatabase(pool, timeout)}
}

const storedColumns = `attempt, at, node, name, coalesce(account, ''), coalesce(domain, ''), coalesce(method, ''), peer, coalesce(peer_port, 0),
	coalesce(peer_name, ''), verdict = 'granted', coalesce(detail, ''), CASE verdict WHEN 'granted' THEN '' ELSE verdict END,
	coalesce(cause, ''), coalesce(particular, ''), address, took, coalesce(backend, ''), coalesce(rule, ''), coalesce(pool, ''),
	coalesce(address_because, ''), coalesce(vendor, ''), coalesce(l2tp_group, ''), coalesce(virtual_template, ''),
	coalesce(calling_number, ''), coalesce(called_number, ''), coalesce(local_tunnel, 0), coalesce(local_session, 0),
	coalesce(fingerprint, ''), steps, ipv6_prefix, delegated_prefix`

// givenTo finds the attempts of sessions that had an address, or a prefix that it lies in.
const givenTo = `attempt IN (SELECT session FROM accounting WHERE address = $
	UNION ALL SELECT session FROM accounting WHERE family($) = 6 AND ipv6_prefix IS NOT NULL AND ipv6_prefix = ANY (prefixes_around($))
	UNION ALL SELECT session FROM accounting WHERE family($) = 6 AND delegated_prefix IS NOT NULL AND delegated_prefix = ANY (prefixes_around($)))`

// firstReach is how far back is looked first, and reachFactor how much farther each next time: what is wanted is mostly new, the
// table is long, and a look at a short time needs no index of its own.
const (
	firstReach  = 10 * time.Second
	reachFactor = 8
	lastReach   = 365 * 24 * time.Hour // behind it all the rest is one look, however far back: a duration ends at 292 years
)

// Find returns attempts. An index of the table answers for a name, a peer, an address, a cause or failures; other questions look back step by step.
func (b *AttemptBook) Find(ctx context.Context, q AttemptQuery) ([]StoredAttempt, error) {
	var found []StoredAttempt
	err := b.db.ask(ctx, "read logins", func(ctx context.Context) (err error) {
		found, err = b.find(ctx, q)
		return err
	})
	return found, err
}

// Where returns when the attempt of this ID was decided; false when the table does not have it.
func (b *AttemptBook) Where(ctx context.Context, id string) (at time.Time, found bool, err error) {
	all, err := b.Find(ctx, AttemptQuery{ID: id, Limit: 1})
	if err != nil || len(all) == 0 {
		return time.Time{}, false, err
	}
	return all[0].At, true, nil
}

func (b *AttemptBook) find(ctx context.Context, q AttemptQuery) ([]StoredAttempt, error) {
	upper := time.Now().Add(time.Minute) // the clocks of the nodes may differ
	if !q.Until.IsZero() {
		upper = q.Until
	}
	if !q.BehindAt.IsZero() && q.BehindAt.Before(upper) {
		upper = q.BehindAt.Add(time.Microsecond)
	}
	oldest, err := b.oldest(ctx, q.Since)
	if err != nil {
		return nil, err
	}
	if q.indexed() {
		return b.between(ctx, &q, oldest, upper, q.Limit)
	}
	var found []StoredAttempt
	for reach := firstReach; len(found) < q.Limit && upper.After(oldest); reach *= reachFactor {
		lower := upper.Add(-reach)
		if reach > lastReach || lower.Before(oldest) {
			lower = oldest
		}
		more, err := b.between(ctx, &q, lower, upper, q.Limit-len(found))
		if err != nil {
			return found, err
		}
		found = append(found, more...)
		upper = lower
	}
	return found, nil
}

// indexed says that few rows fit, and that an index finds them.
func (q *AttemptQuery) indexed() bool {
	return q.ID != "" || q.User != "" || q.Peer.IsValid() || q.Address.IsValid() || q.Failed || len(q.Causes) > 0
}

// oldest is where looking back ends.
func (b *AttemptBook) oldest(ctx context.Context, since time.Time) (time.Time, error) {
	if !since.IsZero() {
		return since, nil
	}
	var oldest pgtype.Timestamptz
	err := b.db.pool.QueryRow(ctx, `
SELECT least((SELECT min(to_date(right(c.relname, 7), 'YYYY_MM')) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
	WHERE i.inhparent = 'logins'::regclass AND c.relname ~ '^logins_[0-9]{4}_[0-9]{2}$')::timestamptz, (SELECT min(at) FROM logins_other))`).Scan(&oldest)
	return oldest.Time.Add(-24 * time.Hour), err
}

// between asks for what was decided in a stretch of time, its upper end left out.
func (b *AttemptBook) between(ctx context.Context, q *AttemptQuery, lower, upper time.Time, limit int) ([]StoredAttempt, error) {
	w := where{args: []any{lower, upper}, terms: []string{"at >= $1", "at < $2"}}
	w.narrow(q)
	order := fmt.Sprintf(" ORDER BY at DESC, attempt COLLATE \"C\" DESC LIMIT %d", limit)
	sql := "SELECT " + storedColumns + " FROM logins WHERE " + strings.Join(w.terms, " AND ") + order
	rows, err := b.db.pool.Query(ctx, sql, w.args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, attemptIn)
}

// where collects the terms of a condition.
type where struct {
	terms []string
	args  []any
}

// add adds a term, in which $ stands for its value.
func (w *where) add(term string, value any) {
	w.args = append(w.args, value)
	w.terms = append(w.terms, strings.ReplaceAll(term, "$", fmt.Sprint("$", len(w.args))))
}

func (w *where) narrow(q *AttemptQuery) {
	if q.ID != "" {
		w.add("attempt = $", text(q.ID))
	}
	if q.User != "" {
		w.add("(name = $ OR (account = $ AND account <> name))", text(q.User))
	}
	if q.Domain != "" {
		w.add("lower(domain) = lower($)", text(q.Domain))
	}
	if q.Peer.IsValid() {
		w.add("peer >= $", q.Peer.Masked().Addr().WithZone(""))
		w.add("peer <= $", lastOf(q.Peer))
	}
	if q.Address.IsValid() {
		w.add(givenTo, q.Address.Unmap())
	}
	if q.Failed {
		w.terms = append(w.terms, "verdict <> 'granted'")
	}
	if len(q.Causes) > 0 {
		w.add("cause = ANY ($)", q.Causes)
	}
	if !q.BehindAt.IsZero() {
		w.add("at <= $", q.BehindAt)
		w.terms = append(w.terms, fmt.Sprintf(`(at < $%d OR attempt COLLATE "C" < $%d)`, len(w.args), len(w.args)+1))
		w.args = append(w.args, text(q.BehindID))
	}
}

// lastOf is the last address of a network.
func lastOf(p netip.Prefix) netip.Addr {
	octets := p.Addr().WithZone("").AsSlice()
	for bit := p.Bits(); bit < len(octets)*8; bit++ {
		octets[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(octets)
	return last
}

func attemptIn(row pgx.CollectableRow) (StoredAttempt, error) {
	var s StoredAttempt
	var method string
	var peer, address *netip.Addr
	var prefix, delegated *netip.Prefix
	var port, tunnel, session int32
	var took pgtype.Interval
	err := row.Scan(&s.Session, &s.At, &s.Node, &s.Name, &s.Account, &s.Domain, &method, &peer, &port, &s.TunnelName, &s.OK, &s.Phase,
		&s.Verdict, &s.Cause, &s.Detail, &address, &took, &s.Backend, &s.Rule, &s.Pool, &s.Why, &s.Vendor, &s.Group, &s.VirtualTemplate,
		&s.CallingNumber, &s.CalledNumber, &tunnel, &session, &s.Fingerprint, &s.Steps, &prefix, &delegated)
	if err != nil {
		return s, err
	}
	s.Method, _ = aaa.ParseMethod(method)
	if peer != nil {
		s.Peer = netip.AddrPortFrom(*peer, uint16(port))
	}
	if address != nil {
		s.Address = *address
	}
	s.IPv6.Prefix, s.IPv6.Delegated = value(prefix), value(delegated)
	s.Took = time.Duration(took.Microseconds) * time.Microsecond
	s.LocalTunnel, s.LocalSession = uint16(tunnel), uint16(session)
	return s, nil
}
