package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Migration is one step of the schema.
type Migration struct {
	Version   int64
	Name      string    // of its file, such as 00003_accounts
	AppliedAt time.Time // zero: not applied
}

// Status says where a database stands.
type Status struct {
	Current    int64       // the newest version applied, 0 for an empty database
	Latest     int64       // the newest version this program knows
	Migrations []Migration // all that this program knows, oldest first
}

// Pending lists what Migrate would apply.
func (s Status) Pending() []Migration {
	return slices.DeleteFunc(slices.Clone(s.Migrations), func(m Migration) bool { return !m.AppliedAt.IsZero() })
}

// Err is ErrNewer, ErrOlder, or nil if the schema is the one that this program needs.
func (s Status) Err() error {
	switch {
	case s.Current > s.Latest:
		return fmt.Errorf("%w (it has version %d, this program knows %d)", ErrNewer, s.Current, s.Latest)
	case s.Current < s.Latest || len(s.Pending()) > 0:
		return fmt.Errorf("%w (it has version %d, this program needs %d)", ErrOlder, s.Current, s.Latest)
	}
	return nil
}

// Querier is a *pgx.Conn, a *pgxpool.Pool or a pgx.Tx.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Read looks where the database stands and changes nothing. It needs no more than the right to read.
func Read(ctx context.Context, q Querier) (Status, error) {
	return read(func(query string, each func(scan func(...any) error) error) error {
		rows, err := q.Query(ctx, query)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := each(rows.Scan); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// Check is what a node asks before it works with a database: ErrNewer, ErrOlder, nil if the schema fits, or what the
// server said.
func Check(ctx context.Context, q Querier) error {
	status, err := Read(ctx, q)
	if err != nil {
		return err
	}
	return status.Err()
}

// readSQL is Read within a transaction of database/sql.
func readSQL(ctx context.Context, tx *sql.Tx) (Status, error) {
	return read(func(query string, each func(scan func(...any) error) error) error {
		rows, err := tx.QueryContext(ctx, query)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := each(rows.Scan); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// read builds a Status by a function that runs a query and hands over its rows.
func read(query func(string, func(scan func(...any) error) error) error) (Status, error) {
	status, err := known()
	if err != nil {
		return Status{}, err
	}
	there := false
	err = query("SELECT to_regclass('"+table+"') IS NOT NULL", func(scan func(...any) error) error { return scan(&there) })
	if err != nil || !there {
		return status, wrap(err)
	}
	err = query("SELECT version_id, tstamp FROM "+table+" WHERE is_applied ORDER BY id", func(scan func(...any) error) error {
		var version int64
		var at time.Time
		if err := scan(&version, &at); err != nil {
			return err
		}
		status.Current = max(status.Current, version)
		for i := range status.Migrations {
			if status.Migrations[i].Version == version {
				status.Migrations[i].AppliedAt = at
			}
		}
		return nil
	})
	return status, wrap(err)
}

func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("migrations: read the version of the schema: %w", err)
}

// known is the status of an empty database.
func known() (Status, error) {
	entries, err := files.ReadDir("sql")
	if err != nil {
		return Status{}, err
	}
	var s Status
	for _, e := range entries {
		digits, _, _ := strings.Cut(e.Name(), "_")
		version, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return Status{}, errors.Join(fmt.Errorf("migrations: file %s has no version", e.Name()), err)
		}
		s.Migrations = append(s.Migrations, Migration{Version: version, Name: nameOf(e.Name())})
		s.Latest = max(s.Latest, version)
	}
	return s, nil
}

// nameOf is the name of a migration by its file.
func nameOf(file string) string { return strings.TrimSuffix(path.Base(file), ".sql") }

// Files are the migrations as they are embedded, one file each.
func Files() fs.FS { return files }
