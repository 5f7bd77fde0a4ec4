package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
)

// orderDetails are what of an order is for nodes alone.
type orderDetails struct {
	Session aaa.Record
	Terms   aaa.Terms  `json:",omitzero"`
	Changed aaa.Change `json:",omitzero"`
}

// sqlOrderLock makes the orders of one session come one after the other, whichever nodes give them.
const sqlOrderLock = `SELECT pg_advisory_xact_lock(hashtext('lnsgate orders'), hashtext($1))`

// sqlOrder writes an order and takes the place of the one that waits, if there is one. When a node is just telling that one to the
// NAS, the new one is due when it has done with it.
const sqlOrder = `
WITH last AS (
    SELECT o.id, o.key, o.kind, o.answered_at, o.claimed_until FROM nas_orders o WHERE o.session = $1 ORDER BY o.id DESC LIMIT 1
), refused AS (
    SELECT FROM last WHERE key = $2 OR answered_at IS NULL AND kind = 'disconnect' AND $3 = 'change'
), replaced AS (
    UPDATE nas_orders o SET answered_at = now(), ok = false, answer = 'a newer order took its place'
    FROM last l WHERE o.id = l.id AND l.answered_at IS NULL AND NOT EXISTS (SELECT FROM refused)
)
INSERT INTO nas_orders (session, key, kind, reason, nas, name, account, details, given_at, due_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, greatest(now(), (SELECT claimed_until FROM last))
WHERE NOT EXISTS (SELECT FROM refused)
RETURNING id`

// Order implements foreign.Store.
func (f *ForeignSessions) Order(ctx context.Context, o foreign.Order) (written bool, err error) {
	details, err := json.Marshal(orderDetails{o.Session, o.Terms, o.Changed})
	if err != nil {
		return false, fmt.Errorf("an order cannot be written down: %w", err)
	}
	nas := ""
	if o.Session.NAS != nil {
		nas = o.Session.NAS.Name
	}
	session := cleanText(o.Session.Session)
	err = f.db.ask(ctx, "give an order to a NAS", func(ctx context.Context) error {
		written = false
		var batch pgx.Batch
		batch.Queue(byIndexSQL)
		batch.Queue(sqlOrderLock, session)
		batch.Queue(sqlOrder, session, cleanText(o.Key), o.Kind.String(), cleanText(o.Reason), cleanText(nas),
			cleanText(o.Session.Name), cleanText(o.Session.Account), string(details), cleanTime(o.At)).Query(func(rows pgx.Rows) error {
			written = rows.Next()
			rows.Close()
			return rows.Err()
		})
		return f.db.pool.SendBatch(ctx, &batch).Close()
	})
	return written && err == nil, err
}

// sqlOver ends the wait of orders whose session is over. One that has just begun may not have come here yet.
const sqlOver = `
UPDATE nas_orders o SET answered_at = now(), ok = false, answer = 'the session has ended'
WHERE o.answered_at IS NULL AND o.due_at <= now() AND o.given_at < now() - interval '1 min'
    AND NOT EXISTS (SELECT FROM sessions s WHERE s.id = o.session)`

const sqlClaim = `
WITH due AS (
    SELECT o.id FROM nas_orders o WHERE o.answered_at IS NULL AND o.due_at <= now() AND o.nas <> ALL ($4::text[]) ORDER BY o.id LIMIT $1
        FOR UPDATE SKIP LOCKED
)
UPDATE nas_orders o SET due_at = c.until, claimed_until = c.until, node = $2
FROM due d, (SELECT now() + $3::bigint * interval '1 us' AS until) c WHERE o.id = d.id
RETURNING o.id, o.key, o.kind, o.reason, o.given_at, o.tries, o.details`

// Claim implements foreign.Store.
func (f *ForeignSessions) Claim(ctx context.Context, until time.Time, limit int, not []string) (orders []foreign.Order, err error) {
	names := make([]string, len(not)) // never null
	for i, name := range not {
		names[i] = cleanText(name)
	}
	err = f.db.ask(ctx, "look for what NASes are to be told", func(ctx context.Context) error {
		orders = nil
		var batch pgx.Batch
		batch.Queue(sqlOver)
		batch.Queue(sqlClaim, limit, f.node, time.Until(until).Microseconds(), names).Query(func(rows pgx.Rows) (err error) {
			orders, err = pgx.CollectRows(rows, claimedOrder)
			return err
		})
		return f.db.pool.SendBatch(ctx, &batch).Close()
	})
	if err != nil || len(orders) == 0 {
		return nil, err
	}
	slices.SortFunc(orders, func(a, b foreign.Order) int { return cmp.Compare(a.ID, b.ID) })
	f.freshen(ctx, orders)
	return orders, nil
}

// claimedOrder reads an order. What an administrator spoiled is told to nobody, but does not keep others waiting.
func claimedOrder(row pgx.CollectableRow) (foreign.Order, error) {
	o := foreign.Order{Kind: foreign.Disconnect}
	var kind string
	var details []byte
	if err := row.Scan(&o.ID, &o.Key, &kind, &o.Reason, &o.At, &o.Tries, &details); err != nil {
		return o, err
	}
	if kind == foreign.Change.String() {
		o.Kind = foreign.Change
	}
	var d orderDetails
	if err := json.Unmarshal(details, &d); err != nil {
		return o, fmt.Errorf("nas_orders.details of order %d: %w", o.ID, err)
	}
	o.Session, o.Terms, o.Changed = d.Session, d.Terms, d.Changed
	return o, nil
}

// freshen puts the last records of the sessions into orders. What it cannot read stays as it was when they were given, as does one
// whose NAS has given its name to another session since.
func (f *ForeignSessions) freshen(ctx context.Context, orders []foreign.Order) {
	var ids []string
	for i := range orders {
		ids = append(ids, cleanText(orders[i].Session.Session))
	}
	last, err := f.lastRecords(ctx, ids)
	if err != nil {
		return
	}
	for i, id := range ids {
		if r, there := last[id]; there && aaa.IsSameTime(r.Started, orders[i].Session.Started) {
			orders[i].Session = r
		}
	}
}

// sqlAnswer notes what came of an order. One that was done with by another stays so, unless the NAS did it after all. The order
// that waited for this answer is due now.
const sqlAnswer = `
WITH told AS (
    UPDATE nas_orders o SET tries = o.tries + 1, node = $2, answer = $3, ok = $4, lost = $5, claimed_until = NULL,
        answered_at = CASE WHEN o.answered_at IS NOT NULL THEN o.answered_at WHEN $6 THEN now() END,
        due_at = now() + $7::bigint * interval '1 us'
    FROM (SELECT id, session, claimed_until FROM nas_orders WHERE id = $1 FOR UPDATE) b
    WHERE o.id = b.id AND (o.answered_at IS NULL OR $4)
    RETURNING 1
)
UPDATE nas_orders n SET due_at = now()
FROM nas_orders b WHERE b.id = $1 AND n.session = b.session AND n.id > b.id AND n.answered_at IS NULL AND n.due_at = b.claimed_until`

// sqlAgreed makes what a NAS agreed to the terms of its session.
const sqlAgreed = `
UPDATE sessions SET session_timeout = $2::bigint * interval '1 us', idle_timeout = $3::bigint * interval '1 us',
    interim = $4::bigint * interval '1 us', rate_up = $5, rate_down = $6, filter = $7
WHERE id = $1 AND nas IS NOT NULL`

// onTheWay is how much earlier an order is due here than whoever claims it believes, who would come too early by what the answer took
// to get here, and not again for a minute.
const onTheWay = 100 * time.Millisecond

// Answer implements foreign.Store.
func (f *ForeignSessions) Answer(ctx context.Context, o foreign.Order, a foreign.Answer) error {
	var again int64
	if !a.Done {
		again = (time.Until(a.Again) - onTheWay).Microseconds()
	}
	return f.db.ask(ctx, "write down what a NAS answered", func(ctx context.Context) error {
		var batch pgx.Batch
		batch.Queue(byIndexSQL)
		batch.Queue(sqlAnswer, o.ID, f.node, cleanText(a.Text), a.OK, a.Lost, a.Done, again)
		if t := o.Terms; a.OK && o.Kind == foreign.Change {
			batch.Queue(sqlAgreed, cleanText(o.Session.Session), t.SessionTimeout.Microseconds(), t.IdleTimeout.Microseconds(),
				t.Interim.Microseconds(), cleanCount(t.RateUp), cleanCount(t.RateDown), cleanText(t.Filter))
		}
		return f.db.pool.SendBatch(ctx, &batch).Close()
	})
}
