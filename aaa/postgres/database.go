package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/aaa"
)

// DefaultTimeout is how long one question to the database may take, retries and the wait for a connection included.
const DefaultTimeout = 5 * time.Second

// Configure prepares the settings of a pool for this package. Behind a pooler that gives each transaction another server
// connection (PgBouncer in transaction mode) pooled has to be true: then no statement is prepared by name on a server,
// and one more round trip per connection and statement asks for its types.
func Configure(cfg *pgxpool.Config, pooled bool) {
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	if pooled {
		// Not DescribeExec: it uses the unnamed statement over two round trips, and the pooler may switch in between.
		cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = DefaultTimeout
	}
	cfg.ShouldPing = func(_ context.Context, p pgxpool.ShouldPingParams) bool { return p.IdleDuration > trusted }
}

// trusted is how long a connection may have lain unused before it is tried out. A server restarts in less than the second
// that is usual, and then every connection of the pool is dead and would cost somebody a login.
const trusted = 50 * time.Millisecond

// Address names the servers and the database of a connection for logs: host:port/database. It never holds a password.
func Address(cfg *pgx.ConnConfig) string {
	hosts := []string{hostPort(cfg.Host, cfg.Port)}
	for _, f := range cfg.Fallbacks {
		// The same server appears twice when TLS is preferred but not required.
		if next := hostPort(f.Host, f.Port); next != hosts[len(hosts)-1] {
			hosts = append(hosts, next)
		}
	}
	return strings.Join(hosts, ",") + "/" + cfg.Database
}

func hostPort(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// database asks a pool and turns what goes wrong into rejections. It is safe for concurrent use.
type database struct {
	pool    *pgxpool.Pool
	where   string
	timeout time.Duration
}

func newDatabase(pool *pgxpool.Pool, timeout time.Duration) *database {
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	return &database{pool, Address(pool.Config().ConnConfig), timeout}
}

// tries bounds how often one question is asked.
const tries = 3

// ask runs one question. It asks again only when the server says that this is the thing to do, or when the question did
// not reach it. The error is a *aaa.Rejection, which is Retryable.
func (d *database) ask(ctx context.Context, what string, question func(ctx context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	if err := d.persist(limited, question); err != nil {
		return d.failure(limited, what, err)
	}
	return nil
}

// persist does the same for those who put the failure into words themselves.
func (d *database) persist(ctx context.Context, question func(ctx context.Context) error) error {
	for n := 1; ; n++ {
		err := question(ctx)
		if err == nil || n == tries || ctx.Err() != nil || !mayAskAgain(err) {
			return err
		}
		pause(ctx, time.Duration(n)*(5*time.Millisecond+rand.N(10*time.Millisecond)))
	}
}

// SQLSTATEs that mean something to us.
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	lockNotAvailable     = "55P03"
	readOnly             = "25006"
	insufficientRight    = "42501"
	undefinedTable       = "42P01"
	undefinedColumn      = "42703"
	undefinedFunction    = "42883"
	tooManyConnections   = "53300"
	statementIsThere     = "42P05"
	statementIsNotThere  = "26000"
)

func mayAskAgain(err error) bool {
	switch codeOf(err) {
	case serializationFailure, deadlockDetected:
		return true
	}
	return pgconn.SafeToRetry(err)
}

// codeOf is the SQLSTATE of an error, "" if the server did not send one.
func codeOf(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// failure tells the administrator which database could not do what, and what to look at.
func (d *database) failure(ctx context.Context, what string, err error) error {
	cause, detail := aaa.BackendUnavailable, err.Error()
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		cause, detail = aaa.Timeout, d.late()
	} else if advice := adviceOn(codeOf(err)); advice != "" {
		detail += "; " + advice
	}
	if codeOf(err) == readOnly {
		d.pool.Reset() // the connections lead to a server that is no longer the primary
	}
	r := aaa.Reject(cause, "database %s: %s: %s", d.where, what, detail).For(aaa.DatabaseAway)
	r.Err = err
	return r
}

// late says what a question was waiting for.
func (d *database) late() string {
	stat := d.pool.Stat()
	if stat.AcquiredConns() >= stat.MaxConns() {
		return fmt.Sprintf("no answer in time: all %d connections of this node are in use", stat.MaxConns())
	}
	return "no answer in time"
}

func adviceOn(code string) string {
	switch code {
	case readOnly:
		return "this server is a standby: list all servers in the address, with target_session_attrs=read-write"
	case insufficientRight:
		return "give the user of this node its rights: GRANT lnsgate_daemon TO it"
	case undefinedTable, undefinedColumn, undefinedFunction:
		return "the schema does not fit: run lnsgate db migrate"
	case statementIsThere, statementIsNotThere:
		return "there is a pooler such as PgBouncer in between: switch prepared statements off"
	case tooManyConnections:
		return "raise max_connections of the server, or give each node fewer"
	}
	return ""
}

// pause waits a moment, or until the context ends. It says whether the moment passed.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
