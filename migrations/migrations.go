package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed sql/*.sql
var files embed.FS

const (
	// table is where the database remembers its versions. All of the schema lives in "public", whatever the search path
	// of the one who migrates.
	table = "public.lnsgate_schema"

	// lock keeps two nodes from migrating at once. The number means nothing; all versions of lnsgate must agree on it.
	lock = 0x6c6e7367617465

	minServer = 150000 // what server_version_num says for the oldest PostgreSQL that will do
)

// Errors of Migrate and Check. Match with errors.Is.
var (
	ErrNewer  = errors.New("the database has a newer schema than this lnsgate knows: install the newer lnsgate here as well")
	ErrOlder  = errors.New("the database has an older schema than this lnsgate needs: run lnsgate db migrate")
	ErrServer = errors.New("the server is too old: lnsgate needs PostgreSQL 15 or newer")
)

// Migrate brings the database up to the newest schema and returns what it applied, nothing if it was up to date. Many
// may call it at once: one works, the others wait for it. What it applied stays when a later migration fails.
//
// The lock is that of a transaction, not of a connection, so it also holds behind PgBouncer in transaction mode and
// nothing is left behind when this process dies. Errors: ErrNewer, ErrServer, or what the server said.
func Migrate(ctx context.Context, cfg *pgx.ConnConfig, log *slog.Logger) ([]Migration, error) {
	cfg = cfg.Copy()
	// A pooler may give each transaction another server, which would not know a prepared statement.
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	db := stdlib.OpenDB(*cfg)
	defer db.Close()

	guard, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("migrations: connect: %w", err)
	}
	defer guard.Rollback() //nolint:errcheck // it holds nothing but the lock
	if err := hold(ctx, guard); err != nil {
		return nil, err
	}
	provider, err := newProvider(db, log)
	if err != nil {
		return nil, err
	}
	status, err := readSQL(ctx, guard)
	if err != nil {
		return nil, err
	}
	if status.Current > status.Latest {
		return nil, ErrNewer
	}
	results, err := provider.Up(ctx)
	return applied(results), explain(err)
}

// hold waits for the lock and looks at the server on the way.
func hold(ctx context.Context, guard *sql.Tx) error {
	var version string
	if err := guard.QueryRowContext(ctx, "SHOW server_version_num").Scan(&version); err != nil {
		return fmt.Errorf("migrations: ask the server for its version: %w", err)
	}
	if n, err := strconv.Atoi(version); err != nil || n < minServer {
		return fmt.Errorf("%w (this is %s)", ErrServer, version)
	}
	// A server that ends idle transactions would end the lock while a long migration runs beside it.
	for _, statement := range []string{
		"SET LOCAL idle_in_transaction_session_timeout = 0",
		"SET LOCAL lock_timeout = 0",
		"SELECT pg_advisory_xact_lock(" + strconv.Itoa(lock) + ")",
	} {
		if _, err := guard.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("migrations: wait for the lock of the migration: %w", err)
		}
	}
	return nil
}

func newProvider(db *sql.DB, log *slog.Logger) (*goose.Provider, error) {
	sources, err := fs.Sub(files, "sql")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, sources, goose.WithTableName(table),
		goose.WithDisableGlobalRegistry(true), goose.WithSlog(log))
}

func applied(results []*goose.MigrationResult) []Migration {
	var list []Migration
	for _, r := range results {
		list = append(list, Migration{Version: r.Source.Version, Name: nameOf(r.Source.Path), AppliedAt: time.Now()})
	}
	return list
}

// busy reports whether a lock was not to be had in time.
func busy(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "55P03"
}

// explain unfolds what goose wraps, so that the administrator reads which file failed and why.
func explain(err error) error {
	var partial *goose.PartialError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &partial) && partial.Failed != nil && busy(err):
		return fmt.Errorf("migrations: %s: somebody else is using the table, perhaps a long report: %w; nothing of this step remains, and what came before it does: "+
			"run it again when that is over", nameOf(partial.Failed.Source.Path), partial.Err)
	case errors.As(err, &partial) && partial.Failed != nil:
		return fmt.Errorf("migrations: %s: %w; nothing of this step remains", nameOf(partial.Failed.Source.Path), partial.Err)
	}
	return fmt.Errorf("migrations: %w", err)
}
