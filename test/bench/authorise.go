package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"

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

// effort is how fast something went and what it cost.
type effort struct {
	rate float64 // per second
	each float64 // microseconds of processor time for one, of the server and PostgreSQL together
}

// measureAuthorisations asks FreeRADIUS with rlm_sql and sqlippool, and a node of ours, for complete authorisations with
// an address, for the same accounts, from a pool of the same size, on the same server, as many at once.
func measureAuthorisations(ctx context.Context, b *bench, _ *world) error {
	s, d, err := b.office(ctx)
	if err != nil {
		return err
	}
	shipped, err := b.freeRADIUS(ctx, false, inFlight)
	if err != nil {
		return err
	}
	skipping, err := b.freeRADIUS(ctx, true, inFlight)
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
	unknown, err := n.authorisations(ctx, b, d, "first", 1, b.size.accounts)
	if err != nil {
		return err
	}
	var each []effort
	for range b.size.rounds {
		// The last ones are those whom the node remembers.
		count := min(b.size.accounts, lately)
		again, err := n.authorisations(ctx, b, d, "again", 1+b.size.accounts-count, count)
		if err != nil {
			return err
		}
		each = append(each, again)
	}
	returning := median(each)
	c := &b.figures
	const what, cost = "authorisations with address per second, ", "processor time per authorisation, PostgreSQL included, "
	const reference = "FreeRADIUS with sqlippool, as shipped"
	c.add(what+"accounts the node has not seen", "/s", unknown.rate, reference, shipped.rate)
	c.add(what+"the same, with SKIP LOCKED", "/s", unknown.rate, "FreeRADIUS with sqlippool and SKIP LOCKED", skipping.rate)
	c.add(what+"accounts that come back", "/s", returning.rate, reference, shipped.rate)
	c.add(cost+"accounts the node has not seen", "us", unknown.each, reference, shipped.each)
	c.add(cost+"accounts that come back", "us", returning.each, reference, shipped.each)
	return nil
}

// lately is how many accounts come back. A node remembers at least that many.
const lately = 8000

// median takes both figures by themselves.
func median(efforts []effort) effort {
	var rates, each sample
	for _, e := range efforts {
		rates, each = append(rates, e.rate), append(each, e.each)
	}
	return effort{rates.median(), each.median()}
}

// authorisations has that many accounts log in once, and gives their addresses back.
func (n *node) authorisations(ctx context.Context, b *bench, d *sqlDatabase, round string, first, count int) (e effort, err error) {
	var leases []pool.Lease
	spent, err := d.costing(os.Getpid(), func() error {
		return b.profiledHere("authorisations-"+round, d, func() (err error) {
			e.rate, leases, err = n.rate(ctx, count, inFlight, func(i int) (pool.Lease, error) {
				return n.authorise(ctx, paps(1, first+i), sessionID(round, i))
			})
			return err
		})
	})
	if err != nil {
		return e, err
	}
	e.each = spent.Seconds() * 1e6 / float64(count)
	return e, n.release(ctx, leases)
}

// freeRADIUS measures FreeRADIUS with so many requests at once.
func (b *bench) freeRADIUS(ctx context.Context, skipLocked bool, flight int) (e effort, err error) {
	d, err := b.database(ctx, "freeradius", func(context.Context, *sqlServer, *sqlDatabase) error { return nil })
	if err != nil {
		return e, err
	}
	server, err := b.radiusServer(ctx, d, skipLocked)
	if err != nil {
		return e, err
	}
	err = d.exec(ctx, "UPDATE radippool SET expiry_time = now() - interval '1 day', nasipaddress = '', pool_key = '', username = ''",
		"VACUUM FULL ANALYZE radippool", "CHECKPOINT")
	if err != nil {
		return e, err
	}
	load := radiusLoad{server: server.Auth(), secret: []byte(server.Secret()), flight: flight, count: b.size.radius, addresses: true}
	// The server starts threads and connections as it needs them, one after the other; the first logins are for that.
	load.first = b.size.accounts - load.count + 1
	if _, err := load.run(ctx); err != nil {
		return e, fmt.Errorf("FreeRADIUS, warming up: %w", err)
	}
	load.first = 1
	spent, err := d.costing(server.PID(), func() (err error) {
		e.rate, err = load.run(ctx)
		return err
	})
	if err != nil {
		return e, fmt.Errorf("FreeRADIUS: %w", err)
	}
	e.each = spent.Seconds() * 1e6 / float64(load.count)
	return e, nil
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
