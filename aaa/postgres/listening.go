package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrDeaf says that what is announced in the database does not arrive at the address where a Watcher listens. Match with
// errors.Is.
var ErrDeaf = errors.New("no announcement of a change arrives here: it leads through a pooler such as PgBouncer in transaction mode, or to another database")

// hearIn is how long an announcement may take. It takes milliseconds.
const hearIn = 3 * time.Second

// Announcer is a *Pool or the Conn of an Admin.
type Announcer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

const announceSQL = `SELECT pg_notify($1, '')`

// CheckListening finds out whether a Watcher at this address would hear what is announced through the other connection:
// it listens there, and has something announced that means nothing to anybody else. Errors: ErrDeaf, or why one of the
// two did not answer.
func CheckListening(ctx context.Context, at *pgx.ConnConfig, through Announcer) error {
	ctx, cancel := context.WithTimeout(ctx, answerIn+hearIn)
	defer cancel()
	at = at.Copy()
	at.DefaultQueryExecMode = pgx.QueryExecModeExec
	conn, err := pgx.ConnectConfig(ctx, at)
	if err != nil {
		return cannotConnect(Address(at), err)
	}
	defer hangUp(conn)
	where := "database " + Address(at)
	channel := "lnsgate_trial_" + rand.Text()
	if _, err := conn.Exec(ctx, `LISTEN "`+channel+`"`); err != nil {
		return fmt.Errorf("%s: listen for changes: %w", where, err)
	}
	if _, err := through.Exec(ctx, announceSQL, channel); err != nil {
		return fmt.Errorf("announce something: %w", err)
	}
	heard, err := next(ctx, conn, time.Now().Add(hearIn))
	if err == nil && heard == nil {
		return fmt.Errorf("%s: %w", where, ErrDeaf)
	}
	return err
}
