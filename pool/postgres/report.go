package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"lnsgate/pool"
)

// Stats counts what an Allocator has done, for metrics.
type Stats struct {
	Written   uint64 // leases of private addresses written by the journal
	Conflicts uint64 // private addresses that turned out to be another node's: never, if all is well
	Refused   uint64 // common addresses of our blocks that another node was quicker to take
	Mended    uint64 // broken connections that nobody noticed, because another one did
	TakenOver uint64 // sessions of other nodes that were asked to give an address up to their account
	Unwritten int    // rows that wait for the next group, or for the database
	Blocks    int    // blocks of this node
	Held      int    // leases of this node
	Attached  bool   // the database answers
}

// Stats returns the figures of this moment.
func (a *Allocator) Stats() Stats {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.stats
	s.Unwritten, s.Attached = len(a.dirty), a.up
	for _, blocks := range a.blocks {
		s.Blocks += len(blocks)
	}
	for _, e := range a.entries {
		if e.state == held {
			s.Held++
		}
	}
	return s
}

const measurePool = `
SELECT count(*) FILTER (WHERE l.state = 'bound' OR l.state = 'offered' AND l.expires_at > coalesce($1::timestamptz, clock_timestamp())),
    count(*) FILTER (WHERE l.state = 'quarantine' AND l.expires_at > coalesce($1::timestamptz, clock_timestamp()))
FROM unnest($3::inet[], $4::inet[]) r(first, last)
JOIN leases l ON l.routing_context = $2 AND l.address BETWEEN r.first AND r.last
WHERE NOT EXISTS (SELECT FROM static_addresses s WHERE s.routing_context = l.routing_context AND s.address = l.address)`

const countStatics = `
SELECT count(*) FROM unnest($2::inet[], $3::inet[]) r(first, last)
JOIN static_addresses s ON s.routing_context = $1 AND s.address BETWEEN r.first AND r.last`

// measure counts the leases of pools on all nodes.
func (a *Allocator) measure(ctx context.Context, pools []*definition) (map[string]pool.Usage, error) {
	a.mu.Lock()
	now := a.stamp(a.now())
	a.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 10*a.cfg.Timeout) // it looks at every lease of the pools
	defer cancel()
	usage := make(map[string]pool.Usage)
	for _, d := range pools {
		first, last := ends(d.spans)
		u := pool.Usage{Pool: d.name, Size: d.size}
		var batch pgx.Batch
		batch.Queue(measurePool, now, d.context, first, last).QueryRow(func(row pgx.Row) error {
			return row.Scan(&u.Leased, &u.Quarantined)
		})
		batch.Queue(countStatics, d.context, first, last).QueryRow(func(row pgx.Row) error {
			return row.Scan(&u.Static)
		})
		if err := a.cfg.Pool.SendBatch(ctx, &batch).Close(); err != nil {
			return nil, err
		}
		usage[d.name] = u
	}
	return usage, nil
}

// Usage implements [pool.Allocator]. It counts the leases of all nodes; ranges that are draining count neither as size
// nor as leased. The order is that in which the pools were made.
func (a *Allocator) Usage(ctx context.Context) ([]pool.Usage, error) {
	if err := a.flush(ctx); err != nil {
		return nil, err
	}
	a.mu.Lock()
	pools := a.defs.pools
	a.mu.Unlock()
	var measured map[string]pool.Usage
	err := again(func() (err error) {
		measured, err = a.measure(ctx, pools)
		return err
	})
	if err != nil {
		return nil, unavailable(ctx, err)
	}
	usage := make([]pool.Usage, len(pools))
	for i, d := range pools {
		usage[i] = measured[d.name]
	}
	return usage, nil
}

const selectLeases = `
SELECT address, coalesce(prefix_length, 0), coalesce(pool, ''), coalesce(account, ''), holder, since, node, CASE WHEN node = '' THEN coalesce(kept_until, expires_at) END
FROM leases, (SELECT coalesce($3::timestamptz, clock_timestamp()) AS now) t
WHERE state = 'bound' AND NOT (node = $1 AND epoch = $2) AND coalesce(kept_until > t.now, true) OR state = 'offered' AND expires_at > t.now`

// Leases implements [pool.Allocator]. It lists the leases of all nodes. With an *[UnavailableError] it returns those of
// this node.
func (a *Allocator) Leases(ctx context.Context) ([]pool.Lease, error) {
	a.mu.Lock()
	leases := a.heldLeases()
	epoch, up := a.epoch, a.up
	err := a.missing()
	now := a.stamp(a.now())
	a.mu.Unlock()
	if up {
		var others []pool.Lease
		err = again(func() (err error) {
			others, err = a.foreign(ctx, epoch, now)
			return err
		})
		leases = append(leases, others...)
	}
	slices.SortFunc(leases, func(x, y pool.Lease) int { return x.Address.Compare(y.Address) })
	return leases, err
}

// again reads once more if a connection broke.
func again(read func() error) error {
	err := read()
	if broken(err) {
		err = read()
	}
	return err
}

// foreign lists the leases that this process does not hold.
func (a *Allocator) foreign(ctx context.Context, epoch int64, now *time.Time) ([]pool.Lease, error) {
	rows, err := a.cfg.Pool.Query(ctx, selectLeases, a.cfg.Node, epoch, now)
	if err != nil {
		return nil, unavailable(ctx, err)
	}
	var leases []pool.Lease
	var l pool.Lease
	var node string
	var expires *time.Time
	_, err = pgx.ForEachRow(rows, []any{&l.Address, &l.PrefixLength, &l.Pool, &l.Account, &l.Holder, &l.Since, &node, &expires}, func() error {
		l.Why, l.Expires = "given by node "+node, time.Time{}
		if node == "" {
			l.Why = "the session is on another NAS"
		}
		if expires != nil {
			l.Expires = *expires
		}
		leases = append(leases, l)
		return nil
	})
	if err != nil {
		return nil, unavailable(ctx, err)
	}
	return leases, nil
}
