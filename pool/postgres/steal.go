package postgres

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Rows are locked in the order they became free, and rows that another node is taking are passed over. Only if that
// leaves too few it is waited for them: they may not all be taken.
const stealLeases = `
WITH free AS (
    SELECT f.routing_context, f.address, row_number() OVER () AS n
    FROM (SELECT l.routing_context, l.address FROM leases l
        WHERE l.pool = $5 AND l.state IN ('quarantine', 'offered') AND l.expires_at <= coalesce($3::timestamptz, clock_timestamp()) AND l.routing_context = $6
            AND EXISTS (SELECT FROM unnest($7::inet[], $8::inet[]) r(first, last) WHERE l.address BETWEEN r.first AND r.last)
            AND NOT EXISTS (SELECT FROM static_addresses s WHERE s.routing_context = l.routing_context AND s.address = l.address)
        ORDER BY l.expires_at LIMIT $9 FOR UPDATE OF l `

const stealRest = `) f),
want AS (SELECT v.account, v.holder, v.offer, row_number() OVER () AS n FROM unnest($10::text[], $11::text[], $12::bigint[]) v(account, holder, offer))
UPDATE leases l SET account = nullif(w.account, ''), holder = w.holder,
    node = CASE WHEN w.offer > 0 THEN '' ELSE $1 END, epoch = CASE WHEN w.offer > 0 THEN 0 ELSE $2 END,
    state = CASE WHEN w.offer > 0 THEN 'offered' ELSE 'bound' END,
    since = coalesce($3::timestamptz, clock_timestamp()),
    expires_at = coalesce($3::timestamptz, clock_timestamp()) + CASE WHEN w.offer > 0 THEN w.offer ELSE $4 END * interval '1 microsecond'
FROM free JOIN want w USING (n) WHERE l.routing_context = free.routing_context AND l.address = free.address
RETURNING l.address, w.n`

// steal takes any common address of a pool for each ask, the one that is free longest first. Asks that get none go on to
// their next pool.
func (r *runner) steal(ctx context.Context, s *stock, asks []*ask) error {
	for _, wait := range []string{"SKIP LOCKED", ""} {
		var accounts, holders []string
		var offers []int64
		for _, q := range asks {
			accounts, holders, offers = append(accounts, q.Account), append(holders, q.Holder), append(offers, q.Offer.Microseconds())
		}
		r.mu.Lock()
		now := r.now()
		r.mu.Unlock()
		first, last := ends(s.def.spans)
		var got []theft
		args := []any{r.cfg.Node, r.epoch, r.stamp(now), r.cfg.LeaseLife.Microseconds(),
			s.def.name, s.def.context, first, last, len(asks), accounts, holders, offers}
		err := r.ask(ctx, stealLeases+wait+stealRest, args, func(rows pgx.Rows) (err error) {
			got, err = pgx.CollectRows(rows, pgx.RowToStructByPos[theft])
			return err
		})
		if transient(err) {
			continue
		} else if err != nil {
			return err
		}
		asks = r.share(s, asks, got, now)
		if len(asks) == 0 {
			return nil
		}
	}
	for _, q := range asks {
		q.stage++
	}
	return nil
}

type theft struct {
	Address netip.Addr
	N       int
}

// share hands out what was stolen and returns the asks that got nothing.
func (r *runner) share(s *stock, asks []*ask, got []theft, now time.Time) []*ask {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range got {
		q := asks[t.N-1]
		if q.Offer > 0 {
			until := now.Add(q.Offer)
			r.lend(q, loan{s.def.context, t.Address, s.def.length, s.def.name, q.Account, true, now, &until, now}, now, s.why(q.stage))
			continue
		}
		e := r.entryOf(key{s.def.context, t.Address}, s.def.length)
		r.deliver(q, e, s.why(q.stage))
		if e.block != nil {
			r.mark(e) // in our own block it does not expire by itself
		}
	}
	return slices.DeleteFunc(slices.Clone(asks), func(q *ask) bool { return q.done || q.gone })
}
