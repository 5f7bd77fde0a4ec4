package postgres

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"

	"lnsgate/pool"
)

var _ pool.Observer = (*Allocator)(nil)

const (
	// Of each address: its row, if it has one that means anything, and who has it reserved.
	selectOccupied = `
SELECT v.address, coalesce(l.account, s.account, ''), coalesce(l.holder, ''), coalesce(l.node, ''), s.account IS NOT NULL,
    CASE WHEN l.state = 'bound' AND coalesce(l.kept_until > t.now, true) OR l.state = 'offered' AND l.expires_at > t.now THEN 'leased'
        WHEN l.state = 'quarantine' AND l.expires_at > t.now THEN 'quarantined' ELSE '' END,
    l.since, CASE WHEN l.state = 'bound' THEN l.kept_until ELSE l.expires_at END
FROM unnest($1::inet[]) v(address)
CROSS JOIN (SELECT coalesce($3::timestamptz, clock_timestamp()) AS now) t
LEFT JOIN LATERAL (SELECT * FROM leases l WHERE l.routing_context = $2 AND l.address = v.address OFFSET 0) l ON true
LEFT JOIN static_addresses s ON s.routing_context = $2 AND s.address = v.address`

	selectLast = `
SELECT l.address, l.pool, l.routing_context FROM leases l
WHERE l.account = $1 AND l.pool = ANY ($2::text[]) AND l.state <> 'bound' AND (l.state <> 'offered' OR l.expires_at <= coalesce($3::timestamptz, clock_timestamp()))
    AND NOT EXISTS (SELECT FROM static_addresses s WHERE s.routing_context = l.routing_context AND s.address = l.address)
ORDER BY l.expires_at DESC`
)

// definition finds a pool; nil when there is none.
func (a *Allocator) definition(name string) *definition {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.defs.named[name]
}

// Spans implements [pool.Observer]. Ranges that are draining are left out.
func (a *Allocator) Spans(name string) ([]pool.Range, error) {
	d := a.definition(name)
	if d == nil {
		return nil, &pool.UnknownPoolError{Name: name}
	}
	return d.spans, nil
}

// Addresses implements [pool.Observer]. It tells what all nodes have written down.
func (a *Allocator) Addresses(ctx context.Context, name string, after netip.Addr, limit int) ([]pool.Occupancy, error) {
	d := a.definition(name)
	if d == nil {
		return nil, &pool.UnknownPoolError{Name: name}
	}
	if err := a.flush(ctx); err != nil {
		return nil, err
	}
	return a.occupied(ctx, d.context, pool.Walk(d.spans, d.length, after, limit), d.quarantine)
}

// occupied asks how addresses are.
func (a *Allocator) occupied(ctx context.Context, where string, addresses []netip.Addr, quarantine time.Duration) ([]pool.Occupancy, error) {
	a.mu.Lock()
	now := a.stamp(a.now())
	a.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 10*a.cfg.Timeout)
	defer cancel()
	rows, err := a.cfg.Pool.Query(ctx, selectOccupied, addresses, where, now)
	if err != nil {
		return nil, unavailable(ctx, err)
	}
	found := make(map[netip.Addr]pool.Occupancy, len(addresses))
	var o pool.Occupancy
	var state string
	var since, until *time.Time
	_, err = pgx.ForEachRow(rows, []any{&o.Address, &o.Account, &o.Holder, &o.Node, &o.Static, &state, &since, &until}, func() error {
		found[o.Address] = occupancyOf(o, state, since, until, quarantine)
		return nil
	})
	if err != nil {
		return nil, unavailable(ctx, err)
	}
	list := make([]pool.Occupancy, len(addresses))
	for i, address := range addresses {
		list[i] = found[address]
	}
	return list, nil
}

// occupancyOf puts into words of the contract what a row says. What is over tells who had the address last, and when it was given
// back: that is when its quarantine began.
func occupancyOf(o pool.Occupancy, state string, since, until *time.Time, quarantine time.Duration) pool.Occupancy {
	o.State, o.Since, o.Until = pool.Free, time.Time{}, time.Time{}
	if o.Static {
		o.State = pool.Kept
	}
	switch {
	case state == "leased":
		o.State = pool.Leased
		if since != nil {
			o.Since = *since
		}
		if until != nil {
			o.Until = *until
		}
	case until != nil:
		o.Since = until.Add(-quarantine)
		if state == "quarantined" && !o.Static {
			o.State, o.Until = pool.Quarantined, *until
		}
	}
	return o
}

// Forecast implements [pool.Observer]. Other nodes may be quicker.
func (a *Allocator) Forecast(ctx context.Context, r pool.Request) (pool.Lease, error) {
	if r.Address.IsValid() {
		return a.forecastExactly(ctx, r)
	}
	if len(r.Pools) == 0 {
		return pool.Lease{}, pool.ErrNoPool
	}
	var pools []*definition
	var sticky []string
	for _, name := range r.Pools {
		d := a.definition(name)
		if d == nil {
			return pool.Lease{}, &pool.UnknownPoolError{Name: name}
		}
		if pools = append(pools, d); d.sticky {
			sticky = append(sticky, name)
		}
	}
	if err := a.flush(ctx); err != nil {
		return pool.Lease{}, err
	}
	if lease, found, err := a.lastLease(ctx, r.Account, sticky); err != nil || found {
		return lease, err
	}
	measured, err := a.measure(ctx, pools)
	if err != nil {
		return pool.Lease{}, unavailable(ctx, err)
	}
	exhausted := &pool.ExhaustedError{}
	for i, d := range pools {
		u := measured[d.name]
		if u.Free() > 0 {
			return pool.Lease{Pool: d.name, Account: r.Account, Why: (&stock{def: d}).why(i)}, nil
		}
		exhausted.Pools = append(exhausted.Pools, u)
	}
	return pool.Lease{}, exhausted
}

// lastLease is the address that the account had last in one of these pools.
func (a *Allocator) lastLease(ctx context.Context, account string, pools []string) (pool.Lease, bool, error) {
	if account == "" || len(pools) == 0 {
		return pool.Lease{}, false, nil
	}
	a.mu.Lock()
	now := a.stamp(a.now())
	a.mu.Unlock()
	rows, err := a.cfg.Pool.Query(ctx, selectLast, account, pools, now)
	if err != nil {
		return pool.Lease{}, false, unavailable(ctx, err)
	}
	lease, found := pool.Lease{Account: account, Why: "sticky: the last address of the account"}, false
	var address netip.Addr
	var name, where string
	_, err = pgx.ForEachRow(rows, []any{&address, &name, &where}, func() error {
		a.mu.Lock()
		defer a.mu.Unlock()
		if home := a.defs.find(key{where, address}).home; home != nil && home.name == name && !found {
			lease.Address, lease.PrefixLength, lease.Pool, found = address, home.length, name, true
		}
		return nil
	})
	if err != nil {
		return pool.Lease{}, false, unavailable(ctx, err)
	}
	return lease, found, nil
}

func (a *Allocator) forecastExactly(ctx context.Context, r pool.Request) (pool.Lease, error) {
	address, where, lease := pool.First(r.Address.Unmap(), r.PrefixLength), "default", pool.Lease{Account: r.Account, Why: "the address that was asked for"}
	lease.Address, lease.PrefixLength = address, r.PrefixLength
	a.mu.Lock()
	var unfit *definition
	for _, context := range a.defs.contexts() {
		if unfit == nil {
			unfit = a.defs.unfit(key{context, address}, r.PrefixLength)
		}
		if home := a.defs.find(key{context, address}).home; home != nil {
			where, lease.Pool = context, home.name
		}
	}
	a.mu.Unlock()
	if unfit != nil {
		return pool.Lease{}, &pool.MismatchError{Prefix: pool.PrefixOf(address, r.PrefixLength), Pool: unfit.name, Length: unfit.length}
	}
	if err := a.flush(ctx); err != nil {
		return pool.Lease{}, err
	}
	found, err := a.occupied(ctx, where, []netip.Addr{address}, 0)
	if err != nil {
		return pool.Lease{}, err
	}
	var reserved string
	if found[0].Static {
		err := a.cfg.Pool.QueryRow(ctx, "SELECT account FROM static_addresses WHERE routing_context = $1 AND address = $2", where, address).Scan(&reserved)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return pool.Lease{}, unavailable(ctx, err)
		}
		lease.Why = "static address of the account"
	}
	switch {
	case reserved != "" && reserved != r.Account:
		return pool.Lease{}, &pool.ReservedError{Address: address, Account: reserved}
	case found[0].State == pool.Leased:
		return pool.Lease{}, &pool.InUseError{Address: address, Holder: found[0].Holder}
	}
	return lease, nil
}
