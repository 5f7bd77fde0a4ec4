package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"lnsgate/aaa"
	sqlaccounts "lnsgate/aaa/postgres"
	"lnsgate/aaa/secret"
	"lnsgate/aaa/spool"
	"lnsgate/configs"
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

	node      *sqlaccounts.Node
	backend   *sqlaccounts.Backend
	registry  *sqlaccounts.Registry
	attempts  *sqlaccounts.Attempts
	keys      *sqlaccounts.Keyring
	sealer    *sqlaccounts.Sealer
	watcher   *sqlaccounts.Watcher
	spool     *spool.Spool
	leases    *sqlpools.Allocator
	elsewhere *sqlaccounts.ForeignSessions

	keepLogins time.Duration // rows of the table logins; 0: for ever

	changes inbox[sqlaccounts.Change]
	heard   atomic.Uint64     // changes told by the watcher
	lost    inbox[pool.Lease] // leases that this node may hold no longer
	reached bool              // it answered when this node started
	stop    context.CancelFunc
	running errgroup.Group
}

// reachTimeout is how long the start waits for the database before it goes on without.
const reachTimeout = 5 * time.Second

// Paces of what nobody waits for: rows are there soon enough for who looks at them, and a statement with its fsync costs the
// server and this node as much as some twenty rows.
const (
	journalPace   = 30 * time.Millisecond
	recordPace    = 300 * time.Millisecond
	recordsAtOnce = 2000 // what comes in that time with 3,000 logins a second
)

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
	d := &database{log: log, changes: newInbox[sqlaccounts.Change](), lost: newInbox[pool.Lease](),
		keepLogins: time.Duration(c.Trace.KeepDays) * 24 * time.Hour}
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
		Timeout: c.Database.StatementTimeout, Log: log, JournalEvery: journalPace,
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
	d.registry = sqlaccounts.NewRegistry(d.node)
	d.elsewhere = sqlaccounts.NewForeignSessions(d.pool, c.Node)
	d.attempts = sqlaccounts.NewAttempts(d.pool, log)
	d.sealer = sqlaccounts.NewSealer(d.pool, d.keys, log) // without a key it still hashes what only PAP needs
	d.watcher = sqlaccounts.NewWatcher(sqlaccounts.WatcherConfig{
		Connect: listenAt, Node: d.node, Log: log, Changed: d.hear, Backend: d.backend,
	})
	d.spool, err = spool.Open(spool.Config{
		Path: filepath.Join(c.Spool(), "accounting.spool"), Sink: sqlaccounts.NewRecorder(d.pool, d.node.Epoch), Log: log,
		Pace: recordPace, Batch: recordsAtOnce,
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
	run("the care for records", sqlaccounts.Upkeep{DB: d.pool, Log: d.log, KeepLogins: d.keepLogins}.Run)
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

// close ends it, after the engine has: the last leases are given back and the last records stored, or kept on disk.
func (d *database) close() error {
	if d.stop != nil { // it has been started
		if err := storeLast(d.spool); err != nil {
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
	if err != nil {
		return content{}, err
	}
	nases, err := d.nases(ctx)
	return content{domains: domains, filters: filtersOfDatabase(rows, d.log), nases: nases}, err
}

// nases reads the RADIUS clients that live in the database. Those that cannot be served are told of and left out.
func (d *database) nases(ctx context.Context) ([]sqlaccounts.NAS, error) {
	list, faults, err := d.backend.NASes(ctx)
	for _, f := range faults {
		d.log.Error("a RADIUS client of the database cannot be served", "nas", f.Name, "cause", f)
	}
	return list, err
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
