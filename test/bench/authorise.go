package main

import (
	"context"
	"fmt"
	"net/netip"

	"lnsgate/pool"
	"lnsgate/test/radtest"
)

// The pool that both sides give addresses from, with room for everybody and for those who warm up.
const (
	sharedPool      = "10.64.0.0/15" // 131,070 addresses
	sharedPoolFirst = "10.64.0.1"
	sharedPoolSize  = 1<<17 - 2
)

// inFlight is how many authorisations are asked for at once.
const inFlight = 256

// office is the database of the comparisons: one group of accounts and room for all of them.
func (b *bench) office(ctx context.Context) (*sqlServer, *sqlDatabase, error) {
	d, err := b.database(ctx, "office", population{groups: 1, each: b.size.accounts, pool: sharedPool}.fill)
	return b.sql, d, err
}

// measureAuthorisations asks FreeRADIUS with rlm_sql and sqlippool, and a node of ours, for complete authorisations with
// an address, for the same accounts, from a pool of the same size, on the same server, as many at once.
func measureAuthorisations(ctx context.Context, b *bench, _ *world) error {
	s, d, err := b.office(ctx)
	if err != nil {
		return err
	}
	shipped, err := b.freeRADIUS(ctx, false)
	if err != nil {
		return err
	}
	skipping, err := b.freeRADIUS(ctx, true)
	if err != nil {
		return err
	}
	if err := d.fresh(ctx); err != nil {
		return err
	}
	n, err := openNode(ctx, s, d)
	if err != nil {
		return err
	}
	defer n.close()
	authorise := func(round string) (float64, []pool.Lease, error) {
		return n.rate(ctx, b.size.accounts, inFlight, func(i int) (pool.Lease, error) {
			return n.authorise(ctx, paps(1, 1+i), sessionID(round, i))
		})
	}
	unknown, leases, err := authorise("first")
	if err != nil {
		return err
	}
	if err := n.release(ctx, leases); err != nil {
		return err
	}
	returning, _, err := authorise("again")
	if err != nil {
		return err
	}
	c := &b.figures
	const what = "authorisations with address per second, "
	c.add(what+"accounts the node has not seen", "/s", unknown, "FreeRADIUS with sqlippool, as shipped", shipped)
	c.add(what+"the same, with SKIP LOCKED", "/s", unknown, "FreeRADIUS with sqlippool and SKIP LOCKED", skipping)
	c.add(what+"accounts that come back", "/s", returning, "FreeRADIUS with sqlippool, as shipped", shipped)
	return nil
}

// freeRADIUS measures FreeRADIUS.
func (b *bench) freeRADIUS(ctx context.Context, skipLocked bool) (float64, error) {
	d, err := b.database(ctx, "freeradius", func(context.Context, *sqlServer, *sqlDatabase) error { return nil })
	if err != nil {
		return 0, err
	}
	server, err := b.radiusServer(ctx, d, skipLocked)
	if err != nil {
		return 0, err
	}
	err = d.exec(ctx, "UPDATE radippool SET expiry_time = now() - interval '1 day', nasipaddress = '', pool_key = '', username = ''",
		"VACUUM FULL ANALYZE radippool", "CHECKPOINT")
	if err != nil {
		return 0, err
	}
	load := radiusLoad{server: server.Auth(), secret: []byte(server.Secret()), flight: inFlight, count: b.size.radius}
	// The server starts threads and connections as it needs them, one after the other; the first logins are for that.
	load.first = b.size.accounts - load.count + 1
	if _, err := load.run(ctx); err != nil {
		return 0, fmt.Errorf("FreeRADIUS, warming up: %w", err)
	}
	load.first = 1
	rate, err := load.run(ctx)
	if err != nil {
		return 0, fmt.Errorf("FreeRADIUS: %w", err)
	}
	return rate, nil
}

// radiusServer starts FreeRADIUS, or returns the one that runs. The accounts are the same, in the form of rlm_sql.
func (b *bench) radiusServer(ctx context.Context, d *sqlDatabase, skipLocked bool) (*radtest.Server, error) {
	if s := b.radius[skipLocked]; s != nil {
		return s, nil
	}
	var s *radtest.Server
	err := b.attendant.attempt(func() {
		s = radtest.Start(&b.attendant, radtest.Options{
			Database: d.url, SkipLocked: skipLocked,
			Pools: []radtest.Pool{{Name: "sales", First: netip.MustParseAddr(sharedPoolFirst), Size: sharedPoolSize}},
		})
	})
	if err != nil {
		return nil, err
	}
	if len(b.radius) == 0 {
		err := d.exec(ctx, fmt.Sprintf(`INSERT INTO radcheck (username, attribute, op, value)
			SELECT 'user1-' || i || '@%s', a.attribute, ':=', a.value FROM generate_series(1, %d) AS i,
				(VALUES ('Cleartext-Password', '%s'), ('Pool-Name', 'sales')) AS a (attribute, value)`,
			domain, b.size.accounts, password), "VACUUM ANALYZE")
		if err != nil {
			return nil, err
		}
	}
	if b.radius == nil {
		b.radius = map[bool]*radtest.Server{}
	}
	b.radius[skipLocked] = s
	return s, nil
}
