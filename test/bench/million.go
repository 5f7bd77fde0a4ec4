package main

import (
	"context"
	"errors"
	"fmt"
)

// side is one of the two servers that are compared.
type side struct {
	world  *world
	server *server
}

// measureMillion logs in at a fixed rate, by turns on a node whose database has a thousand accounts and on one whose
// database has a million, and a pool of a million addresses. Every account has had an address before. On the great one a
// load is once of the same thousand people as ever, and once of a thousand who have not been seen before.
func measureMillion(ctx context.Context, b *bench, w *world) (err error) {
	other, err := newWorld(b.folder, b.program, b.datapath)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, other.close()) }()
	small, err := b.open(ctx, w, "thousand", population{groups: 1, each: b.size.people, pool: "10.64.0.0/21", remembered: true})
	if err != nil {
		return err
	}
	great, err := b.open(ctx, other, "million", population{groups: b.size.groups, each: b.size.people, pool: "10.64.0.0/12", remembered: true})
	if err != nil {
		return err
	}
	const thousand, same, others = 0, 1, 2
	var p50, p99 [3]sample
	rounds := func(on []int) error {
		for round := range 1 + b.size.rounds {
			for _, i := range on {
				group, node := 1, great
				switch i {
				case thousand:
					node = small
				case others:
					group = b.unseen()
				}
				o, err := node.load(ctx, group, b.size.people, b.size.rate/2)
				if err != nil {
					return err
				}
				if round > 0 { // the first opens the connections
					p50[i], p99[i] = append(p50[i], o.P50), append(p99[i], o.P99)
				}
			}
		}
		return nil
	}
	if err := rounds([]int{thousand, same}); err != nil {
		return err
	}
	if err := b.compareMemory(small, great); err != nil { // before the great node has remembered more people than the small one
		return err
	}
	if err := rounds([]int{thousand, others}); err != nil {
		return err
	}
	at := fmt.Sprintf("login time at %g/s, %s accounts in SQL, ", b.size.rate/2, b.great())
	c, littleOffice := &b.figures, b.little()
	c.add(at+"the same people again, p50", "ms", p50[same].median(), littleOffice, p50[thousand].median())
	c.add(at+"the same people again, p99", "ms", p99[same].median(), littleOffice, p99[thousand].median())
	c.add(at+"always others, p50", "ms", p50[others].median(), littleOffice, p50[thousand].median())
	c.add(at+"always others, p99", "ms", p99[others].median(), littleOffice, p99[thousand].median())
	return nil
}

// little names what stands beside the great database.
func (b *bench) little() string {
	return thousands(fmt.Sprint(b.size.people)) + " accounts, the same people"
}

// great is how many accounts the great database has.
func (b *bench) great() string { return thousands(fmt.Sprint(b.size.groups * b.size.people)) }

// unseen is a group of the great database that has not logged in before, as long as there are any. The first is for
// those who come again.
func (b *bench) unseen() int {
	b.seen++
	return 2 + (b.seen-1)%max(1, b.size.groups-1)
}

// load logs all people of a group in and waits until they are gone again.
func (s side) load(ctx context.Context, group, people int, rate float64) (loadOutcome, error) {
	o, err := s.world.load(ctx, users(group), people, rate)
	if err == nil {
		err = s.server.awaitOpen(ctx, 0)
	}
	return o, err
}

func (b *bench) compareMemory(small, great side) error {
	before, err := resident(small.server.pid())
	if err != nil {
		return err
	}
	after, err := resident(great.server.pid())
	if err != nil {
		return err
	}
	b.figures.add(fmt.Sprintf("resident memory of the server, %s accounts in SQL", b.great()), "MB", after/(1<<20), b.little(), before/(1<<20))
	return nil
}

// open makes a database, once, and serves it in a world.
func (b *bench) open(ctx context.Context, w *world, name string, p population) (side, error) {
	d, err := b.database(ctx, name, p.fill)
	if err != nil {
		return side{}, err
	}
	s, err := w.serveThis(ctx, w.sqlConfiguration(b.sql, d, 0))
	return side{w, s}, err
}
