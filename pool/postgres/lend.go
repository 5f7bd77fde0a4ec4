package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// live is a row of a lease that belongs to no process and that has not run out.
	live = `l.node = '' AND ((l.state = 'bound' AND coalesce(l.kept_until > t.now, true)) OR (l.state = 'offered' AND l.expires_at > t.now))`

	// own is such a row of the one who asks. A session that has its address is not asked whose account it is.
	own = live + ` AND l.holder = v.holder AND (v.kept OR l.account IS NOT DISTINCT FROM nullif(v.account, ''))`

	// lendLeases makes rows of addresses that anybody may have those of sessions on other NASes: offers, or leases that are kept. A
	// row that is the holder's already lasts longer; an offer does not shorten what is kept.
	lendLeases = `
UPDATE leases l SET holder = v.holder, node = '', epoch = 0,
    pool = CASE WHEN ` + own + ` THEN l.pool ELSE nullif(v.pool, '') END,
    account = CASE WHEN ` + own + ` THEN l.account ELSE nullif(v.account, '') END,
    since = CASE WHEN ` + own + ` THEN l.since ELSE t.now END,
    state = CASE WHEN v.kept OR (l.state = 'bound' AND ` + own + `) THEN 'bound' ELSE 'offered' END,
    expires_at = CASE WHEN v.kept OR (l.state = 'bound' AND ` + own + `) THEN NULL
        WHEN ` + own + ` THEN greatest(l.expires_at, t.now + v.lasts * interval '1 microsecond')
        ELSE t.now + v.lasts * interval '1 microsecond' END,
    kept_until = CASE WHEN v.kept THEN t.now + v.lasts * interval '1 microsecond' WHEN ` + own + ` THEN l.kept_until END
FROM (SELECT coalesce($1::timestamptz, clock_timestamp()) AS now) t
CROSS JOIN (SELECT unnest($2::text[]) AS context, unnest($3::inet[]) AS address, unnest($4::text[]) AS pool,
    unnest($5::text[]) AS account, unnest($6::text[]) AS holder, unnest($7::bigint[]) AS lasts, unnest($8::boolean[]) AS kept,
    unnest($9::boolean[]) AS forced, unnest($10::boolean[]) AS sticky, unnest($11::boolean[]) AS exact, unnest($12::boolean[]) AS mine, unnest($13::bigint[]) AS asked) v
CROSS JOIN LATERAL (SELECT f.ctid FROM leases f WHERE f.routing_context = v.context AND f.address = v.address OFFSET 0) f
WHERE l.ctid = f.ctid AND NOT ` + over + ` AND ((` + own + `)
    OR (NOT v.mine AND (NOT v.sticky OR l.account = v.account) AND (` + vacant + ` OR (v.forced AND l.kept_until <= t.now))))
RETURNING l.routing_context, l.address, coalesce(l.prefix_length, 0), coalesce(l.pool, ''), coalesce(l.account, ''), l.state = 'offered', l.since,
    coalesce(l.expires_at, l.kept_until), t.now`

	// moved is when a row last changed hands, in microseconds of Unix time: when it was given, or given back. The latter is its epoch,
	// below zero.
	moved = `greatest((extract(epoch FROM l.since) * 1000000)::bigint, CASE WHEN l.node = '' AND l.epoch < 0 THEN -l.epoch END)`

	// over is a row that has changed hands since the Keep was asked for: that has been overtaken on the way, by a repetition that
	// went through another node, and would keep the address for a session that is no more.
	over = `(v.kept AND NOT (` + own + `) AND coalesce(v.asked < ` + moved + `, false))`

	// vacant is a row that nobody has. Quarantine does not count for whom it is forced, and an offer gives way to its account.
	vacant = `(l.state <> 'bound' AND (l.expires_at <= t.now OR (v.forced AND l.state <> 'offered') OR (v.exact AND l.account = v.account AND l.holder <> v.holder)))`

	// lendFresh does so for addresses that are private to this node, and for those that have no row.
	lendFresh = `
INSERT INTO leases AS l (routing_context, address, pool, account, holder, node, epoch, state, since, expires_at, kept_until, prefix_length)
SELECT v.context, v.address, nullif(v.pool, ''), nullif(v.account, ''), v.holder, '', 0, CASE WHEN v.kept THEN 'bound' ELSE 'offered' END,
    coalesce($1::timestamptz, now()), CASE WHEN NOT v.kept THEN coalesce($1::timestamptz, now()) + v.lasts * interval '1 microsecond' END,
    CASE WHEN v.kept THEN coalesce($1::timestamptz, now()) + v.lasts * interval '1 microsecond' END, nullif(v.length, 0)
FROM (SELECT unnest($2::text[]) AS context, unnest($3::inet[]) AS address, unnest($4::text[]) AS pool, unnest($5::text[]) AS account,
    unnest($6::text[]) AS holder, unnest($7::bigint[]) AS lasts, unnest($8::boolean[]) AS kept, unnest($11::smallint[]) AS length) v
ON CONFLICT (routing_context, address) DO UPDATE
SET pool = EXCLUDED.pool, account = EXCLUDED.account, holder = EXCLUDED.holder, node = '', epoch = 0, state = EXCLUDED.state,
    since = EXCLUDED.since, expires_at = EXCLUDED.expires_at, kept_until = EXCLUDED.kept_until,
    prefix_length = EXCLUDED.prefix_length
WHERE (l.node = $9 AND l.epoch = $10) OR l.state = 'quarantine' OR (l.state = 'offered' AND l.expires_at <= EXCLUDED.since)
    OR (l.node = '' AND l.holder = EXCLUDED.holder)
RETURNING l.routing_context, l.address, coalesce(l.prefix_length, 0), coalesce(l.pool, ''), coalesce(l.account, ''), l.state = 'offered', l.since,
    coalesce(l.expires_at, l.kept_until), coalesce($1::timestamptz, now())`
)

// loans are claims turned on their side, for those two statements.
type loans struct {
	columns
	lasts                             []*int64
	kept, forced, sticky, exact, mine []bool
	asked                             []*int64
}

// loansOf turns claims on their side. The mutex is held.
func (a *Allocator) loansOf(claims []*claim, now time.Time) *loans {
	g := new(loans)
	for _, m := range claims {
		home := ""
		if d := a.defs.find(m.key).home; d != nil {
			home = d.name
		}
		g.add(row{entry: &entry{key: m.key, length: a.lengthOf(m)}, pool: home, account: m.ask.Account, holder: m.ask.Holder, since: now}, now, len(claims))
		g.lasts, g.kept = append(g.lasts, m.ask.lasts(now)), append(g.kept, m.ask.keep)
		g.forced, g.sticky = append(g.forced, m.forced), append(g.sticky, m.sticky)
		g.exact, g.mine = append(g.exact, m.ask.Address.IsValid() && !m.ask.keep), append(g.mine, m.mine)
		g.asked = append(g.asked, a.askedAt(m.ask))
	}
	return g
}

// lasts is how long a lease is to last from now on, in microseconds; nil: for ever.
func (q *ask) lasts(now time.Time) *int64 {
	if q.keep && q.kept.IsZero() {
		return nil
	}
	lasts := q.Offer.Microseconds()
	if q.keep {
		lasts = q.kept.Sub(now).Microseconds()
	}
	return &lasts
}

// askedAt is when a Keep was asked for by the database's clock, or a little earlier, in microseconds of Unix time; nil: nobody
// knows, or it is none.
func (a *Allocator) askedAt(q *ask) *int64 {
	if !q.keep || a.clock.IsZero() {
		return nil
	}
	at := a.clock.Add(q.at.Sub(a.heard)).UnixMicro()
	return &at
}

// statement is what writes these loans, with what it takes.
func (r *runner) statement(g *loans, fresh bool, now time.Time) (string, []any) {
	args := []any{r.stamp(now), g.contexts, g.addresses, g.pools, g.accounts, g.holder, g.lasts, g.kept}
	if fresh {
		return lendFresh, append(args, r.cfg.Node, r.epoch, g.lengths)
	}
	return lendLeases, append(args, g.forced, g.sticky, g.exact, g.mine, g.asked)
}

// lendGroup makes claims of loans in one statement.
func (r *runner) lendGroup(ctx context.Context, claims []*claim, fresh bool) error {
	r.mu.Lock()
	now := r.now()
	g := r.loansOf(claims, now)
	statement, args := r.statement(g, fresh, now)
	r.mu.Unlock()
	won := make(map[key]bool)
	var lent map[key]loan
	err := r.askOften(ctx, statement, args, func(rows pgx.Rows) (err error) {
		lent, err = readLoans(rows)
		return err
	})
	if transient(err) || overlap(err) {
		err, lent = nil, nil
	}
	for k := range lent {
		won[k] = true
	}
	var holders map[key]occupant
	if err == nil {
		holders, err = r.holders(ctx, claims, won)
	}
	waiting := r.settleLoans(claims, lent, holders, now, err)
	if err != nil || waiting == nil {
		return err
	}
	return r.takeOver(ctx, waiting)
}

func readLoans(rows pgx.Rows) (map[key]loan, error) {
	lent := make(map[key]loan)
	var l loan
	_, err := pgx.ForEachRow(rows, []any{&l.Context, &l.Address, &l.Length, &l.Pool, &l.Account, &l.Offered, &l.Since, &l.Expires, &l.At}, func() error {
		lent[key{l.Context, l.Address}] = l
		l.Expires = nil // the next row has one of its own
		return nil
	})
	return lent, err
}

// settleLoans hands out what was lent. It returns the asks that wait for another session of their account.
func (r *runner) settleLoans(claims []*claim, lent map[key]loan, holders map[key]occupant, now time.Time, err error) (waiting []*ask) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range claims {
		l, won := lent[m.key]
		switch {
		case won:
			r.lend(m.ask, l, now, m.why)
		case err != nil:
			r.doubt(m)
		default:
			r.refuse(m, holders[m.key])
			if m.ask.waiting {
				waiting = append(waiting, m.ask)
			}
		}
	}
	return waiting
}

// sweepLeases ends kept leases that have run out, whoever kept them. Rows that another node is at are left to it.
const sweepLeases = `
WITH ended AS (SELECT l.ctid AS at FROM leases l
    WHERE l.node = '' AND l.epoch = 0 AND l.state = 'bound' AND l.kept_until <= coalesce($1::timestamptz, clock_timestamp())
    LIMIT $2 FOR UPDATE SKIP LOCKED),
home AS (SELECT name, quarantine FROM pools)
UPDATE leases l SET state = 'quarantine', kept_until = NULL,
    expires_at = l.kept_until + coalesce((SELECT h.quarantine FROM home h WHERE h.name = l.pool), '0')
FROM ended e WHERE l.ctid = e.at
RETURNING l.routing_context, l.address, coalesce(l.prefix_length, 0), coalesce(l.pool, ''), coalesce(l.account, ''), false, l.since, l.expires_at, coalesce($1::timestamptz, clock_timestamp())`

// dropNowhere forgets what was lent and is over, of addresses that lie in no pool: nobody will look for them.
const dropNowhere = `
DELETE FROM leases l WHERE l.ctid = ANY (ARRAY(SELECT f.ctid FROM leases f
    WHERE f.pool IS NULL AND f.node = '' AND f.state IN ('quarantine', 'offered')
        AND f.expires_at <= coalesce($1::timestamptz, clock_timestamp()) - $2 * interval '1 microsecond' LIMIT $3 FOR UPDATE SKIP LOCKED))`

// sweep ends what has run out. It has to look at all leases that are kept, so it is not done more often than that is cheap. After the
// database was away, or its clock has leapt, leases of sessions that live have run out because nobody could keep them: nodes have the
// grace time to do so.
func (r *runner) sweep(ctx context.Context) error {
	if !r.settled() {
		return nil
	}
	began := time.Now()
	for again := true; again; {
		r.mu.Lock()
		now := r.now()
		r.mu.Unlock()
		var ended map[key]loan
		err := r.ask(ctx, sweepLeases, []any{r.stamp(now), groupMost}, func(rows pgx.Rows) (err error) {
			ended, err = readLoans(rows)
			return err
		})
		if err != nil && !transient(err) {
			return err
		}
		again = len(ended) == groupMost && time.Since(began) < r.cfg.Timeout
		r.mu.Lock()
		for k, l := range ended {
			at := now.Add(l.Expires.Sub(l.At))
			if home := r.defs.find(k).home; home != nil {
				at = at.Add(-home.quarantine)
			}
			r.returned(k, l.Account, at)
		}
		r.mu.Unlock()
	}
	r.mu.Lock()
	now := r.stamp(r.now())
	r.mu.Unlock()
	if err := r.change(ctx, dropNowhere, now, lateStart.Microseconds(), groupMost); err != nil && !transient(err) {
		return err
	}
	took := time.Since(began)
	r.swept, r.sweepAt = began.Add(20*took), began.Add(max(10*r.cfg.Tick, 100*took))
	return nil
}
