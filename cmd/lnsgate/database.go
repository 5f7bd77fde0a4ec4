package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"lnsgate/aaa"
	sqlaccounts "lnsgate/aaa/postgres"
	"lnsgate/aaa/secret"
	"lnsgate/aaa/spool"
	"lnsgate/configs"
	"lnsgate/lns"
	"lnsgate/migrations"
	"lnsgate/pool"
	sqlpools "lnsgate/pool/postgres"

	"golang.org/x/sync/errgroup"
)

// database is what a node shares with the others over PostgreSQL. Nothing of it needs the database to be there: what does not
// need it goes on, and the rest is made up for when it is back.
type database struct {
	log   *slog.Logger
	pool  *sqlaccounts.Pool
	hears func(context.Context) error // whether changes arrive, and else why not

	node     *sqlaccounts.Node
	backend  *sqlaccounts.Backend
	guard    *sqlaccounts.Guard
	registry *sqlaccounts.Registry
	attempts *sqlaccounts.Attempts
	keys     *sqlaccounts.Keyring
	sealer   *sqlaccounts.Sealer
	watcher  *sqlaccounts.Watcher
	spool    *spool.Spool
	leases   *sqlpools.Allocator

	changes inbox[sqlaccounts.Change]
	heard   atomic.Uint64     // changes told by the watcher
	lost    inbox[pool.Lease] // leases that this node may hold no longer
	reached bool              // it answered when this node started
	stop    context.CancelFunc
	running errgroup.Group
}

// reachTimeout is how long the start waits for the database before it goes on without.
const reachTimeout = 5 * time.Second

func openDatabase(c *configs.Config, log *slog.Logger) (*database, error) {
	url := aaa.NewSecret(c.Database.URL.Reveal())
	address, err := sqlaccounts.ParseAddress(url)
	if err != nil {
		return nil, fmt.Errorf("database.url: %w", err)
	}
	listenAt, err := sqlaccounts.ParseAddress(aaa.NewSecret(c.Database.ListenAt().Reveal()))
	if err != nil {
		return nil, fmt.Errorf("database.listen_url: %w", err)
	}
	d := &database{log: log, changes: newInbox[sqlaccounts.Change](), lost: newInbox[pool.Lease]()}
	pooled := c.Database.PreparedStatements == configs.Off
	if d.pool, err = sqlaccounts.Connect(context.Background(), url, c.Database.PoolConnections, pooled); err != nil {
		return nil, fmt.Errorf("database.url: %w", err)
	}
	d.hears = func(ctx context.Context) error { return sqlaccounts.CheckListening(ctx, listenAt, d.pool) }
	if err := d.checkSchema(sqlaccounts.Address(address)); err != nil {
		d.pool.Close()
		return nil, err
	}
	keys, err := sealingKeys(c)
	if err != nil {
		d.pool.Close()
		return nil, fmt.Errorf("database.key_file: %w", err)
	}
	d.leases, err = sqlpools.New(sqlpools.Config{
		Pool: d.pool, Node: c.Node, Version: buildVersion(), BlockSize: c.Database.BlockSize, LeaseLife: c.Database.LeaseLife,
		Timeout: c.Database.StatementTimeout, Log: log,
		Lost: d.lost.put,
	})
	if err != nil {
		d.pool.Close()
		return nil, err
	}
	d.node = sqlaccounts.NewNode(d.pool, sqlaccounts.NodeConfig{
		Name: c.Node, Version: buildVersion(), LeaseLife: c.Database.LeaseLife, Log: log, Epoch: d.leases.Epoch,
	})
	d.keys = sqlaccounts.NewKeyring(keys)
	d.backend = sqlaccounts.New(d.pool, sqlaccounts.Config{Keys: d.keys, Timeout: c.Database.StatementTimeout})
	d.guard = sqlaccounts.NewGuard(sqlaccounts.GuardConfig{})
	d.registry = sqlaccounts.NewRegistry(d.node)
	d.attempts = sqlaccounts.NewAttempts(d.pool, log)
	d.sealer = sqlaccounts.NewSealer(d.pool, d.keys, log) // without a key it still hashes what only PAP needs
	d.watcher = sqlaccounts.NewWatcher(sqlaccounts.WatcherConfig{
		Connect: listenAt, Node: d.node, Log: log, Changed: d.hear, Backend: d.backend,
	})
	d.spool, err = spool.Open(spool.Config{
		Path: filepath.Join(c.Spool(), "accounting.spool"), Sink: sqlaccounts.NewRecorder(d.pool, d.node.Epoch), Log: log,
		Pace: 150 * time.Millisecond, // a statement costs the server more than the rows of that time
	})
	if err != nil {
		d.pool.Close()
		return nil, fmt.Errorf("accounting spool: %w", err)
	}
	return d, nil
}

// hear takes what the watcher tells.
func (d *database) hear(changes []sqlaccounts.Change) {
	d.heard.Add(uint64(len(changes)))
	d.changes.put(changes)
}

// sealingKeys reads the key that sealed passwords are opened with; nil when the file names none.
func sealingKeys(c *configs.Config) (*secret.Keys, error) {
	if c.Database.Key.IsZero() {
		return nil, nil
	}
	return secret.ParseKeys([]byte(c.Database.Key.Reveal()))
}

// checkSchema refuses a database that this program does not fit. One that cannot be reached is waited for later.
func (d *database) checkSchema(where string) error {
	ctx, cancel := context.WithTimeout(context.Background(), reachTimeout)
	defer cancel()
	err := migrations.Check(ctx, d.pool)
	switch {
	case errors.Is(err, migrations.ErrOlder), errors.Is(err, migrations.ErrNewer), errors.Is(err, migrations.ErrServer):
		return fmt.Errorf("database %s: %w", where, err)
	case err != nil:
		d.log.Error("the database cannot be reached: only what the file defines is served until it can", "database", where, "cause", err)
	}
	d.reached = err == nil
	return nil
}

// start begins all that works in the background.
func (d *database) start() {
	ctx, stop := context.WithCancel(context.Background())
	d.stop = stop
	run := func(what string, f func(context.Context) error) {
		d.running.Go(func() error {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				d.log.Error("database: "+what+" has ended", "cause", err)
			}
			return nil
		})
	}
	plain := func(f func(context.Context)) func(context.Context) error {
		return func(ctx context.Context) error { f(ctx); return nil }
	}
	run("the allocation of addresses", d.leases.Run)
	run("the membership of this node", plain(d.node.Run))
	run("the watch for changes", plain(d.watcher.Run))
	run("the test of the watch", plain(d.makeUpForSilence))
	run("the record of logins", plain(d.attempts.Run))
	run("the accounting spool", d.spool.Run)
	run("the care for records", sqlaccounts.Upkeep{DB: d.pool, Log: d.log}.Run)
	run("the sealing of passwords", plain(d.sealer.Run))
}

// silentEvery is how often everything is compared while changes are not heard.
const silentEvery = time.Minute

// makeUpForSilence finds out whether the watcher hears what changes, once the database is reached. As long as it does not,
// everything is taken for changed from time to time.
func (d *database) makeUpForSilence(ctx context.Context) {
	if d.leases.Ready(ctx) != nil {
		return
	}
	every := time.NewTicker(silentEvery)
	defer every.Stop()
	for told := false; ; {
		err := d.hears(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		if errors.Is(err, sqlaccounts.ErrDeaf) { // else the database is away again, of which the watcher tells
			if !told {
				d.log.Error("changes in the database take up to a minute to be in force; set database.listen_url to the address of the server itself", "cause", err)
			}
			told = true
			d.changes.put(anyChange)
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

// settle waits until the pools of the database are known, so that the first login finds them. A database that was away a moment
// ago is not waited for.
func (d *database) settle(ctx context.Context) {
	if !d.reached {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	if err := d.leases.Ready(ctx); err != nil {
		d.log.Warn("the pools of the database are not known yet", "cause", err)
	}
}

// drainTimeout is how long the end waits for the last records to be stored; they wait on disk otherwise.
const drainTimeout = 3 * time.Second

// close ends it, after the engine has: the last leases are given back and the last records stored, or kept on disk.
func (d *database) close() error {
	if d.stop != nil { // it has been started
		ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
		defer cancel()
		if err := d.spool.Drain(ctx); err != nil {
			d.log.Warn("accounting records wait on disk for the next start", "waiting", d.spool.Stats().Waiting)
		}
		d.stop()
		d.running.Wait()
	}
	err := d.spool.Close()
	d.pool.Close()
	return err
}

// content reads the domains and filters that live in the database, as far as it can be reached, so that the first login finds
// them.
func (d *database) content() (content, error) {
	ctx, cancel := context.WithTimeout(context.Background(), reachTimeout)
	defer cancel()
	domains, err := d.backend.Domains(ctx)
	if err != nil {
		return content{}, err
	}
	rows, err := d.backend.Filters(ctx)
	return content{domains: domains, filters: filtersOfDatabase(rows, d.log)}, err
}

// followDatabase applies changes in the database to a running node, until the context ends. Once the database is reached for the
// first time all of it is a change.
func (n *node) followDatabase(ctx context.Context) error {
	retry := time.NewTimer(0)
	retry.Stop()
	defer retry.Stop()
	reached := make(chan struct{})
	go func() {
		if n.db.leases.Ready(ctx) == nil {
			close(reached)
		}
	}()
	for known := false; ; {
		var changes []sqlaccounts.Change
		select {
		case <-ctx.Done():
			return nil
		case <-reached:
			if err := n.db.checkSchema("now that it is reached"); err != nil {
				return err
			}
			reached, known = nil, true
			changes = anyChange
		case <-retry.C:
			changes = anyChange
		case <-n.db.changes.wake:
			changes = n.db.changes.take()
		}
		if !known {
			continue // nothing is in force yet that could have changed
		}
		n.db.sealer.Changed(changes)
		if err := n.applyChanges(ctx, changes); err != nil {
			n.log.Warn("a change in the database is not in force yet", "cause", err)
			retry.Reset(retryChanges)
		}
	}
}

// anyChange is the change of which nobody knows what it was.
var anyChange = []sqlaccounts.Change{{Table: sqlaccounts.Every, All: true}}

// retryChanges is how long to wait after a change could not be read.
const retryChanges = 2 * time.Second

// dropLost ends the sessions whose addresses this node may hold no longer, until the context ends. Nothing else holds it up:
// another node may give those addresses away soon.
func (n *node) dropLost(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.db.lost.wake:
		}
		for _, l := range n.db.lost.take() {
			n.engine.Drop(ctx, l.Holder, "the lease of its address could not be renewed in the database")
		}
	}
}

// applyChanges brings the node to what the database says now. Which sessions are concerned follows from the tables.
func (n *node) applyChanges(ctx context.Context, changes []sqlaccounts.Change) error {
	var faults []error
	touched := func(tables ...sqlaccounts.Table) bool {
		return slices.ContainsFunc(changes, func(c sqlaccounts.Change) bool {
			return c.Table == sqlaccounts.Every || slices.Contains(tables, c.Table)
		})
	}
	for _, c := range changes {
		if c.Table == sqlaccounts.Sessions {
			n.engine.Drop(ctx, c.Key, c.Cause)
		}
	}
	if touched(sqlaccounts.Pools, sqlaccounts.PoolRanges, sqlaccounts.StaticAddresses) {
		faults = append(faults, n.db.leases.Refresh(ctx))
	}
	if touched(sqlaccounts.Domains, sqlaccounts.DomainAliases, sqlaccounts.DomainPools, sqlaccounts.Pools, sqlaccounts.PoolRanges,
		sqlaccounts.Filters, sqlaccounts.FilterRules) {
		faults = append(faults, n.readDomains(ctx))
	}
	if err := errors.Join(faults...); err != nil {
		return err // the database is away: asking about every session would tell the same
	}
	if touched(sqlaccounts.Pools, sqlaccounts.PoolRanges, sqlaccounts.Filters, sqlaccounts.FilterRules) {
		if err := n.configureEngine(); err != nil {
			return err
		}
	}
	match := concerned(changes)
	if match == nil {
		return nil
	}
	return n.engine.Reauthorize(ctx, match)
}

// configureEngine has the engine follow the pools and filters of the database. It waits for a reload of the file, which would put
// what it knew of them before over it.
func (n *node) configureEngine() error {
	n.reloading.Lock()
	defer n.reloading.Unlock()
	n.mu.Lock()
	engine := n.engineConfig(n.config)
	n.mu.Unlock()
	return n.engine.Configure(engine)
}

// concerned says which sessions a change may be about; nil is none.
func concerned(changes []sqlaccounts.Change) func(lns.SessionInfo) bool {
	names := make(map[string]bool) // accounts
	domains := make(map[string]bool)
	every := false
	for _, c := range changes {
		switch c.Table {
		case sqlaccounts.Sessions, sqlaccounts.Pools, sqlaccounts.PoolRanges, sqlaccounts.Credentials:
		case sqlaccounts.Accounts, sqlaccounts.StaticAddresses:
			names[c.Key] = true
			every = every || c.All
		case sqlaccounts.Domains, sqlaccounts.DomainAliases, sqlaccounts.DomainPools:
			domains[c.Key] = true
			every = every || c.All
		default:
			every = true
		}
	}
	if !every && len(names)+len(domains) == 0 {
		return nil
	}
	return func(s lns.SessionInfo) bool { return every || names[s.Account] || domains[s.Domain] }
}

// absentBackend stands for a back end, by its name, where a file is looked at by itself.
type absentBackend string

// Name implements aaa.Backend.
func (b absentBackend) Name() string { return string(b) }

// Authenticate implements aaa.Backend.
func (absentBackend) Authenticate(context.Context, *aaa.Query) (aaa.Grant, error) {
	return aaa.Grant{}, aaa.Reject(aaa.BackendUnavailable, "it is not open")
}

// Authorize implements aaa.Backend.
func (b absentBackend) Authorize(ctx context.Context, q *aaa.Query) (aaa.Grant, error) {
	return b.Authenticate(ctx, q)
}
