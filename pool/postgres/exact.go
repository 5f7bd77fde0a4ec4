package postgres

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"

	"lnsgate/pool"
)

// While an exact address is looked at nobody may cut blocks in its routing context, or it could lie in one a moment
// later. Those that are there are locked, so that their owner cannot change. The second number names the context.
const (
	lockShared    = `SELECT pg_advisory_xact_lock_shared(hashtext('lnsgate blocks'), hashtext(c)) FROM unnest($1::text[]) c ORDER BY hashtext(c)`
	lockExclusive = `SELECT pg_advisory_xact_lock(hashtext('lnsgate blocks'), hashtext($1))`

	selectStatic = `
SELECT s.address, s.account, s.routing_context FROM static_addresses s WHERE s.address = ANY ($1::inet[])`

	lockBlocks = `
SELECT b.routing_context, v.address, coalesce(b.node, ''), n.heartbeat_at FROM unnest($1::text[], $2::inet[]) v(context, address)
JOIN pool_blocks b ON b.routing_context = v.context AND addr_range(b.first_address, b.last_address, '[]') @> v.address
LEFT JOIN nodes n ON n.name = b.node AND n.heartbeat_at < coalesce($3::timestamptz, clock_timestamp()) - $4 * interval '1 microsecond'
FOR SHARE OF b`

	lockLeases = `
SELECT l.routing_context, l.address, coalesce(l.prefix_length, 0), coalesce(l.pool, ''), coalesce(l.account, ''), l.state = 'offered', l.since,
    coalesce(l.kept_until, l.expires_at), t.now, l.holder, l.node, n.heartbeat_at,
    l.state = 'bound' AND coalesce(l.kept_until > t.now, true) OR l.state = 'offered' AND l.expires_at > t.now,
    ` + moved + `, l.node = $3 AND l.epoch = $4
FROM unnest($1::text[], $2::inet[]) v(context, address)
CROSS JOIN (SELECT coalesce($5::timestamptz, clock_timestamp()) AS now) t
JOIN leases l ON l.routing_context = v.context AND l.address = v.address
LEFT JOIN nodes n ON n.name = l.node AND n.heartbeat_at < t.now - $6 * interval '1 microsecond'
FOR UPDATE OF l`
)

// site is what the database says about an exact address.
type site struct {
	occupant
	Ours   bool       // the row is this node's
	row    bool       // it has a row
	owner  string     // the node whose block it lies in
	silent *time.Time // as in occupant, of the owner
	across *occupant  // who has a prefix that shares addresses with the one asked for
}

// settles reports whether the one who asks has the address already, in a way that is to stay as it is: as a loan and has not
// asked for one, or bound to a node and says so.
func (by occupant) settles(q *ask) bool {
	if q.keep {
		return by.Holder == q.Holder && by.Node != ""
	}
	return by.Holder == q.Holder && by.Account == q.Account && by.Node == "" && !q.lent()
}

// exactly serves requests for addresses outside our blocks, all in one transaction.
func (r *runner) exactly(ctx context.Context, asks []*ask) error {
	var granted map[key]*ask
	var occupied map[*ask]occupant // what sessions of other nodes have
	var settled map[*ask]occupant
	var lent map[key]loan
	var now time.Time
	err := r.within(ctx, func(ctx context.Context, tx pgx.Tx) error {
		r.mu.Lock()
		contexts := r.defs.contexts()
		now = r.now()
		r.mu.Unlock()
		if _, err := tx.Exec(ctx, lockShared, contexts); err != nil {
			return err
		}
		keys, statics, err := r.locate(ctx, tx, asks)
		if err != nil {
			return err
		}
		sites, err := r.inspect(ctx, tx, keys)
		if err != nil {
			return err
		}
		if err := r.inspectPrefixes(ctx, tx, asks, keys, sites); err != nil {
			return err
		}
		granted, occupied, settled = make(map[key]*ask), make(map[*ask]occupant), make(map[*ask]occupant)
		for i, q := range asks {
			k, s := keys[i], sites[keys[i]]
			q.refusal = r.judge(q, k, s, statics[k])
			var held *pool.InUseError
			var reserved *pool.ReservedError
			if s.Taken && s.settles(q) && !errors.As(q.refusal, &reserved) {
				settled[q] = s.occupant
				continue
			}
			if s.Taken && !s.Ours && !q.keep && errors.As(q.refusal, &held) {
				occupied[q] = s.occupant
			}
			if _, twice := granted[k]; !twice && q.refusal == nil {
				granted[k] = q
			}
		}
		if lent, err = r.lendExact(ctx, tx, granted, sites, now); err != nil {
			return err
		}
		return r.insertExact(ctx, tx, granted, now)
	})
	if transient(err) || overlap(err) {
		return nil // the next round tries again
	} else if err != nil {
		return err
	}
	r.mu.Lock()
	for q, by := range settled {
		q.reply(by.lease(q.Holder, now, "the session has this address already"), nil)
	}
	r.mu.Unlock()
	waiting := r.giveExact(asks, granted, occupied, lent, now)
	if waiting == nil {
		return nil
	}
	return r.takeOver(ctx, waiting)
}

// giveExact hands out what was granted and refuses the rest, except for the asks it returns: they wait for another session
// of their account.
func (r *runner) giveExact(asks []*ask, granted map[key]*ask, occupied map[*ask]occupant, lent map[key]loan, now time.Time) (waiting []*ask) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for q, by := range occupied {
		if !q.gone && r.yields(q, by.Holder, by.Account) {
			waiting = append(waiting, q)
		}
	}
	for k, q := range granted {
		why := "the address that was asked for"
		if q.static {
			why = "static address of the account"
		}
		if q.lent() {
			if l, won := lent[k]; won {
				r.lend(q, l, now, why)
			}
			continue
		}
		e := r.entryOf(k, q.PrefixLength)
		if q.static {
			e.static = q.Account
		}
		r.deliver(q, e, why)
		if e.block != nil {
			r.mark(e) // there it does not expire by itself
		}
	}
	for _, q := range asks {
		if q.refusal != nil && !q.done && !q.gone && !q.waiting {
			q.reply(pool.Lease{}, q.refusal)
		}
	}
	return waiting
}

// locate finds the routing context of each ask, and for whom its address is reserved.
func (r *runner) locate(ctx context.Context, tx pgx.Tx, asks []*ask) ([]key, map[key]string, error) {
	addresses := make([]netip.Addr, len(asks))
	for i, q := range asks {
		addresses[i] = q.Address
	}
	rows, err := tx.Query(ctx, selectStatic, addresses)
	if err != nil {
		return nil, nil, err
	}
	statics := make(map[key]string)
	var k key
	var account string
	if _, err = pgx.ForEachRow(rows, []any{&k.address, &account, &k.context}, func() error {
		statics[k] = account
		return nil
	}); err != nil {
		return nil, nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := make([]key, len(asks))
	for i, q := range asks {
		keys[i] = key{r.contextFor(q), q.Address}
		for k, account := range statics {
			if k.address == q.Address && account == q.Account {
				keys[i] = k
			}
		}
		q.static = q.Account != "" && statics[keys[i]] == q.Account
	}
	return keys, statics, nil
}

// inspect locks and reads what the database has about the addresses.
func (r *runner) inspect(ctx context.Context, tx pgx.Tx, keys []key) (map[key]site, error) {
	contexts, addresses := turn(keys)
	sites := make(map[key]site, len(keys))
	r.mu.Lock()
	now := r.stamp(r.now())
	r.mu.Unlock()
	rows, err := tx.Query(ctx, lockBlocks, contexts, addresses, now, r.cfg.silence())
	if err != nil {
		return nil, err
	}
	var k key
	var s site
	if _, err = pgx.ForEachRow(rows, []any{&k.context, &k.address, &s.owner, &s.silent}, func() error {
		sites[k] = s
		return nil
	}); err != nil {
		return nil, err
	}
	if rows, err = tx.Query(ctx, lockLeases, contexts, addresses, r.cfg.Node, r.epoch, now, r.cfg.silence()); err != nil {
		return nil, err
	}
	_, err = pgx.ForEachRow(rows, []any{&s.Context, &s.Address, &s.Length, &s.Pool, &s.Account, &s.Offered, &s.Since, &s.Expires, &s.At,
		&s.Holder, &s.Node, &s.Silent, &s.Taken, &s.Moved, &s.Ours}, func() error {
		k := key{s.Context, s.Address}
		s.owner, s.silent, s.row = sites[k].owner, sites[k].silent, true
		sites[k] = s
		return nil
	})
	return sites, err
}

// turn makes columns of keys.
func turn(keys []key) (contexts []string, addresses []netip.Addr) {
	for _, k := range keys {
		contexts, addresses = append(contexts, k.context), append(addresses, k.address)
	}
	return contexts, addresses
}

// judge decides whether the ask may have the address: nil if so.
func (r *runner) judge(q *ask, k key, s site, static string) error {
	same := s.Holder == q.Holder && (s.Ours && !q.lent() || s.Node == "" && (q.keep || s.Account == q.Account))
	r.mu.Lock()
	overtaken := !(same && s.Taken) && r.overtaken(q, s.occupant)
	r.mu.Unlock()
	yields := s.Offered && !q.keep && q.Account != "" && s.Account == q.Account
	switch {
	case static != "" && static != q.Account && !q.keep:
		return &pool.ReservedError{Address: k.address, Account: static}
	case overtaken, s.Taken && !same && !yields:
		return inUse(k, s.occupant)
	case s.across != nil:
		return inUse(k, *s.across)
	case !s.row && s.owner != "" && s.owner != r.cfg.Node:
		return inUse(k, occupant{Holder: "node " + s.owner, Node: s.owner, Silent: s.silent})
	}
	return nil
}

// lendExact writes what is granted to sessions on other NASes. The rows that there are, are locked. What another node was
// quicker to write is not in the answer: it is tried again.
func (r *runner) lendExact(ctx context.Context, tx pgx.Tx, granted map[key]*ask, sites map[key]site, now time.Time) (map[key]loan, error) {
	lent := make(map[key]loan)
	for _, fresh := range []bool{false, true} {
		var claims []*claim
		for k, q := range granted {
			if q.lent() && sites[k].row != fresh {
				claims = append(claims, &claim{ask: q, key: k, forced: true})
			}
		}
		if claims == nil {
			continue
		}
		r.mu.Lock()
		statement, args := r.statement(r.loansOf(claims, now), fresh, now)
		r.mu.Unlock()
		rows, err := tx.Query(ctx, statement, args...)
		if err != nil {
			return nil, err
		}
		more, err := readLoans(rows)
		if err != nil {
			return nil, err
		}
		maps.Copy(lent, more)
	}
	return lent, nil
}

const insertExact = `
INSERT INTO leases AS l (routing_context, address, pool, account, holder, node, epoch, state, since, expires_at, prefix_length)
SELECT v.context, v.address, nullif(v.pool, ''), nullif(v.account, ''), v.holder, $1, $2, 'bound', t.now, t.now + $4 * interval '1 microsecond',
    nullif(v.length, 0)
FROM unnest($5::text[], $6::inet[], $7::text[], $8::text[], $9::text[], $10::smallint[]) v(context, address, pool, account, holder, length),
    (SELECT coalesce($3::timestamptz, clock_timestamp()) AS now) t
ON CONFLICT (routing_context, address) DO UPDATE
SET pool = EXCLUDED.pool, account = EXCLUDED.account, holder = EXCLUDED.holder, node = EXCLUDED.node,
    epoch = EXCLUDED.epoch, state = EXCLUDED.state, since = EXCLUDED.since, expires_at = EXCLUDED.expires_at, kept_until = NULL,
    prefix_length = EXCLUDED.prefix_length
WHERE l.state = 'quarantine' OR l.kept_until <= EXCLUDED.since OR (l.node = EXCLUDED.node AND l.epoch = EXCLUDED.epoch AND l.holder = EXCLUDED.holder)
    OR (l.state = 'offered' AND (l.expires_at <= EXCLUDED.since OR l.account = EXCLUDED.account))
RETURNING l.routing_context, l.address`

// insertExact writes the leases. What another node was quicker to write is taken out of granted: it is tried again.
func (r *runner) insertExact(ctx context.Context, tx pgx.Tx, granted map[key]*ask, now time.Time) error {
	var c columns
	r.mu.Lock()
	for k, q := range granted {
		if q.lent() {
			continue
		}
		home := ""
		if d := r.defs.find(k).home; d != nil {
			home = d.name
		}
		c.add(row{entry: &entry{key: k, length: q.PrefixLength}, pool: home, account: q.Account, holder: q.Holder, since: now}, now, len(granted))
	}
	r.mu.Unlock()
	if c.contexts == nil {
		return nil
	}
	rows, err := tx.Query(ctx, insertExact, r.cfg.Node, r.epoch, r.stamp(now), r.cfg.LeaseLife.Microseconds(),
		c.contexts, c.addresses, c.pools, c.accounts, c.holder, c.lengths)
	if err != nil {
		return err
	}
	won := make(map[key]bool)
	var k key
	if _, err = pgx.ForEachRow(rows, []any{&k.context, &k.address}, func() error {
		won[k] = true
		return nil
	}); err != nil {
		return err
	}
	for k, q := range granted {
		if !won[k] && !q.lent() {
			delete(granted, k)
		}
	}
	return nil
}
