package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"lnsgate/aaa"
	sqlaccounts "lnsgate/aaa/postgres"
	"lnsgate/aaa/radius"
	"lnsgate/aaa/radius/client"
	"lnsgate/aaa/spool"
	"lnsgate/configs"
)

// books are the places where records go. Each has a spool of its own, so that one that is away holds up no other.
type books struct {
	dir, node string
	log       *slog.Logger
	since     time.Time
	unknown   atomic.Uint64 // records for a place that does not exist

	mu     sync.RWMutex // guards the rest
	places map[string]recordPlace
	usual  []string // where records go that name no place
	groups map[string]*radiusBook
}

// radiusBook keeps the records of one RADIUS group.
type radiusBook struct {
	group    liveGroup
	recorder *radius.Recorder
	spool    *spool.Spool
	stop     context.CancelFunc
	running  errgroup.Group
}

// liveGroup is the group of servers in force. The recorder stays, because it has told them once that this node has started.
type liveGroup struct{ now atomic.Pointer[client.Group] }

// Exchange implements radius.Exchanger.
func (l *liveGroup) Exchange(ctx context.Context, r client.Request) (client.Reply, error) {
	return l.now.Load().Exchange(ctx, r)
}

func newBooks(c *configs.Config, db *database, log *slog.Logger) *books {
	b := &books{
		dir: c.Spool(), node: c.Node, log: log, since: time.Now(),
		places: make(map[string]recordPlace), groups: make(map[string]*radiusBook),
	}
	if db != nil {
		b.places[sqlaccounts.Name], b.usual = db.spool, []string{sqlaccounts.Name}
	}
	return b
}

// Account implements aaa.Accounter.
func (b *books) Account(r aaa.Record) { _ = b.Take(r) } // the place has told of it

// Take implements foreign.Records. A record for a place that does not exist is lost, for it would be refused as often as it comes.
func (b *books) Take(r aaa.Record) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	names := r.Sinks
	if len(names) == 0 {
		names = b.usual
	}
	var faults []error
	for _, name := range names {
		place := b.places[name]
		if place == nil {
			if b.unknown.Add(1) == 1 {
				b.log.Error("a record is lost: there is no place of this name for records", "accounting", name, "session", r.Session)
			}
			continue
		}
		faults = append(faults, place.Take(r))
	}
	return errors.Join(faults...)
}

// recordPlace takes records, and says when they are safe.
type recordPlace interface {
	Take(aaa.Record) error
	Sync(context.Context) error
}

// Sync implements foreign.Records: it waits until all places have what they took where no crash takes it away.
func (b *books) Sync(ctx context.Context) error {
	b.mu.RLock()
	places := slices.Collect(maps.Values(b.places))
	b.mu.RUnlock()
	for _, place := range places {
		if err := place.Sync(ctx); err != nil {
			return err
		}
	}
	return nil
}

// follow opens the books of new groups, and has the others go on with the servers in force. Those of a group that is gone
// wait on disk until it is back.
func (b *books) follow(groups []*radiusGroup) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var names []string
	for _, g := range groups {
		names = append(names, g.config.Name)
	}
	var faults []error
	for _, g := range groups {
		if book := b.groups[g.config.Name]; book != nil {
			book.group.now.Store(g.accounting)
			book.recorder.Follow(names, g.config.AccountingInFlight)
			continue
		}
		book, err := b.open(g, names)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		b.groups[g.config.Name], b.places[g.config.Name] = book, book.spool
	}
	return errors.Join(faults...)
}

func (b *books) open(g *radiusGroup, groups []string) (_ *radiusBook, err error) {
	book := &radiusBook{}
	book.group.now.Store(g.accounting)
	book.recorder, err = radius.NewRecorder(radius.RecorderConfig{
		Name: g.config.Name, Group: &book.group, NAS: g.nas, Names: nameForm(g.config.UserName), RADIUS: groups,
		InFlight: g.config.AccountingInFlight, OnOff: g.config.AccountingOnOff, Since: b.since, Log: b.log,
	})
	if err != nil {
		return nil, err
	}
	book.spool, err = spool.Open(spool.Config{
		Path: filepath.Join(b.dir, "accounting-radius-"+fileName(g.config.Name)+".spool"), Sink: book.recorder, Log: b.log,
	})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	book.stop = stop
	book.running.Go(func() error { return book.spool.Run(ctx) })
	return book, nil
}

// settle tells the servers of the groups that keep records that this node begins, once they have what its predecessor left: who
// logs in later may get an address from them that they would take back then. A server that does not answer is not waited for
// long; it hears of it before the first record.
func (b *books) settle(ctx context.Context, domains []aaa.Domain) {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	b.mu.RLock()
	defer b.mu.RUnlock()
	var telling sync.WaitGroup
	for name, book := range b.groups {
		if slices.ContainsFunc(domains, func(d aaa.Domain) bool { return slices.Contains(d.Accounting, name) }) {
			telling.Go(func() {
				if book.spool.Drain(ctx) == nil {
					book.recorder.On(ctx)
				}
			})
		}
	}
	telling.Wait()
}

// close stores the last records as far as somebody takes them, and says goodbye to the servers that have all.
func (b *books) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var closing sync.WaitGroup
	faults := make(chan error, len(b.groups))
	for name, book := range b.groups {
		closing.Go(func() { faults <- book.close(b.log.With("group", name)) })
	}
	closing.Wait()
	close(faults)
	var all []error
	for err := range faults {
		all = append(all, err)
	}
	return errors.Join(all...)
}

func (b *radiusBook) close(log *slog.Logger) error {
	err := storeLast(b.spool)
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if err != nil {
		log.Warn("accounting records wait on disk for the next start", "waiting", b.spool.Stats().Waiting)
	} else if err := b.recorder.Off(ctx, time.Now()); err != nil {
		log.Warn("the RADIUS server was not told that this node stops", "cause", err)
	}
	b.stop()
	return errors.Join(b.running.Wait(), b.spool.Close())
}

// figures are those of the records for RADIUS, of all groups together.
func (b *books) figures() map[string]uint64 {
	b.mu.RLock()
	defer b.mu.RUnlock()
	all := map[string]uint64{"accounting_unknown_place": b.unknown.Load()}
	for _, book := range b.groups {
		s := book.spool.Stats()
		all["radius_spool_accepted"] += s.Accepted
		all["radius_spool_lost"] += s.Lost
		all["radius_spool_delivered"] += s.Delivered
		all["radius_spool_waiting_now"] += uint64(s.Waiting)
		all["radius_spool_refused_now"] += uint64(s.Refused)
		all["radius_spool_disk_fault_now"] += one(s.DiskFault != nil)
		all["radius_spool_delivery_fault_now"] += one(s.SinkFault != nil)
	}
	return all
}
