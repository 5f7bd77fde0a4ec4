package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"lnsgate/aaa/postgres"
	"lnsgate/aaa/secret"
	"lnsgate/migrations"
	"lnsgate/test/pgtest"

	"github.com/jackc/pgx/v5"
)

// sqlServer is the one PostgreSQL of this program, made when it is first needed. Whatever is compared shares it.
type sqlServer struct {
	server    *pgtest.Server
	keyFile   string
	keys      *secret.Keys
	databases map[string]*sqlDatabase
}

// sqlDatabase is one database of it.
type sqlDatabase struct {
	name, url string
	conn      *pgx.Conn // for preparing and resetting; idle during a measurement
}

// sqlServer starts the server, or returns the one that runs. Its settings are those of a small production server: it
// syncs every commit to the disk.
func (b *bench) sqlServer() (*sqlServer, error) {
	if b.sql != nil {
		return b.sql, nil
	}
	s := &sqlServer{databases: map[string]*sqlDatabase{}, keyFile: filepath.Join(b.folder, "sealing.key")}
	err := b.attendant.attempt(func() {
		s.server = pgtest.Cluster(&b.attendant, "autovacuum=on", "shared_buffers=1GB", "max_wal_size=8GB", "checkpoint_timeout=30min")
	})
	if err != nil {
		return nil, err
	}
	if err := postgres.AddKey(s.keyFile, "bench", true); err != nil {
		return nil, err
	}
	if s.keys, err = postgres.ReadKeys(s.keyFile); err != nil {
		return nil, err
	}
	b.sql = s
	return s, nil
}

// database makes a database with what fill puts into it, or returns the one that was made before.
func (b *bench) database(ctx context.Context, name string, fill func(context.Context, *sqlServer, *sqlDatabase) error) (*sqlDatabase, error) {
	s, err := b.sqlServer()
	if err != nil {
		return nil, err
	}
	if d := s.databases[name]; d != nil {
		return d, nil
	}
	fmt.Fprintf(b.progress, "filling the database %s\n", name)
	if err := onlyExec(ctx, s.server.DSN("postgres"), "CREATE DATABASE "+name); err != nil {
		return nil, err
	}
	d := &sqlDatabase{name: name, url: s.server.DSN(name)}
	if d.conn, err = pgx.Connect(ctx, d.url); err != nil {
		return nil, err
	}
	b.attendant.Cleanup(func() { d.conn.Close(context.Background()) })
	if err := fill(ctx, s, d); err != nil {
		return nil, fmt.Errorf("database %s: %w", name, err)
	}
	s.databases[name] = d
	return d, d.exec(ctx, "VACUUM ANALYZE", "CHECKPOINT")
}

// processorTime is that of all processes of the server.
func (d *sqlDatabase) processorTime() (time.Duration, error) {
	postmaster, err := parent(int(d.conn.PgConn().PID()))
	if err != nil {
		return 0, err
	}
	return familyTime(postmaster)
}

// processes lists the server and its children, as perf wants them; it follows those that the server makes later.
func (d *sqlDatabase) processes() (string, error) {
	postmaster, err := parent(int(d.conn.PgConn().PID()))
	if err != nil {
		return "", err
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", postmaster, postmaster))
	return strings.Join(append(strings.Fields(string(children)), strconv.Itoa(postmaster)), ","), err
}

// costing measures the processor time that a process and the database spend together on f.
func (d *sqlDatabase) costing(pid int, f func() error) (time.Duration, error) {
	both := func() (time.Duration, error) {
		server, err := d.processorTime()
		own, fault := processorTime(pid)
		return server + own, errors.Join(err, fault)
	}
	before, err := both()
	if err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	after, err := both()
	return after - before, err
}

func (d *sqlDatabase) exec(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := d.conn.Exec(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

func onlyExec(ctx context.Context, url, statement string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

// migrate makes the schema of lnsgate.
func (d *sqlDatabase) migrate(ctx context.Context) error {
	cfg, err := pgx.ParseConfig(d.url)
	if err != nil {
		return err
	}
	_, err = migrations.Migrate(ctx, cfg, slog.New(slog.DiscardHandler))
	return err
}

// fresh forgets what nodes and sessions have left behind, so that every run begins alike. Nobody may be connected.
func (d *sqlDatabase) fresh(ctx context.Context) error {
	return d.exec(ctx, "TRUNCATE leases, pool_blocks, session_slots, sessions, accounting, logins, nodes", "CHECKPOINT")
}
