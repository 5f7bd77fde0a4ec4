package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"lnsgate/aaa"
)

// recordBatch is how many records one transaction carries, with a statement for each kind that is among them.
const recordBatch = 2000

// ErrNotRegistered is the answer of Recorder.Write before the node has an epoch. Try again.
var ErrNotRegistered = errors.New("this node is not yet registered with the database")

// recordDB is what the recorder needs of a *pgxpool.Pool. It works through PgBouncer in transaction mode.
type recordDB interface {
	Begin(context.Context) (pgx.Tx, error)
	Exec(context.Context, string, ...any) (pgconn.CommandTag, error)
	QueryRow(context.Context, string, ...any) pgx.Row
	sender
}

// Recorder writes accounting records into the tables accounting and sessions. It is a sink for aaa/spool: a record that
// was written before changes nothing, so it may come twice. It is safe for concurrent use.
type Recorder struct {
	db     recordDB
	epoch  func() int64
	denied denial
}

// NewRecorder makes a Recorder. The function answers the epoch of this node, 0 as long as there is none: Node.Epoch.
func NewRecorder(db recordDB, epoch func() int64) *Recorder { return &Recorder{db: db, epoch: epoch} }

// Write stores records: one row per session in accounting, by the record with the highest Sequence, and one row in
// sessions as long as the session has no Stop. Up to 2000 records make one transaction. Texts that
// PostgreSQL cannot hold (octets that are no UTF-8, NUL) are written with U+FFFD in their place, texts of more than 1000
// octets are cut.
//
// A newer record of a session that another node has closed, because this one gave no sign of life, opens it again.
//
// Errors are ErrNotRegistered, those of the connection, or one whose method Retryable answers false: PostgreSQL has
// refused what a record says, or has denied us the tables for ten minutes.
func (r *Recorder) Write(ctx context.Context, records []aaa.Record) error {
	epoch := r.epoch()
	if epoch == 0 {
		return ErrNotRegistered
	}
	records, foreign := apart(records)
	if err := r.writeForeign(ctx, foreign); err != nil {
		return err
	}
	for len(records) > 0 {
		n := min(len(records), recordBatch)
		if err := r.store(ctx, records[:n], epoch); err != nil {
			return r.fault(err)
		}
		records = records[n:]
	}
	return nil
}

// store writes records. Those of new sessions go by statements that do not look for rows that are there: they cost half as
// much. When there is one after all, because the answer to the first time was lost, nothing is taken for new.
func (r *Recorder) store(ctx context.Context, records []aaa.Record, epoch int64) error {
	err := r.storeRows(ctx, recordRows(records, epoch, true))
	if codeOf(err) == uniqueViolation {
		err = r.storeRows(ctx, recordRows(records, epoch, false))
	}
	return err
}

// storeRows runs a statement for each kind of rows that there is, in one transaction and one round trip, with plans that enter
// tables by their indexes.
func (r *Recorder) storeRows(ctx context.Context, rows *recordKinds) error {
	var batch pgx.Batch
	batch.Queue(byIndexSQL)
	for kind, sql := range [...]string{passed: sqlPassed, begun: sqlBegun, ended: sqlEnded, alive: sqlAlive} {
		if c := &rows[kind]; len(c.session) > 0 {
			batch.Queue(sql, c.arguments()...)
		}
	}
	return r.db.SendBatch(ctx, &batch).Close()
}

// recordInput makes rows of arrays that have one element per session. In a list of results unnest takes the arrays side by
// side; as tables, each would be copied first.
const recordInput = `
    SELECT session, started_at, sequence, at, CASE WHEN stopped THEN greatest(at, started_at) END, nullif(cause, ''), nullif(terminate_cause, ''),
        node, $30::bigint, name, account, nullif(domain, ''), nullif(address, '')::inet, nullif(pool, ''), nullif(method, ''), nullif(virtual_template, ''),
        nullif(peer, '')::inet, nullif(peer_port, 0), nullif(peer_name, ''), nullif(local_address, '')::inet,
        local_tunnel, local_session, remote_tunnel, remote_session,
        nullif(calling_number, ''), nullif(called_number, ''), octets_up, octets_down, packets_up, packets_down,
        nullif(ipv6_prefix, '')::cidr, nullif(delegated_prefix, '')::cidr, nullif(interface_id, '')
    FROM (SELECT unnest($1::text[]) AS session, unnest($2::timestamptz[]) AS started_at, unnest($3::bigint[]) AS sequence,
        unnest($4::timestamptz[]) AS at, unnest($5::boolean[]) AS stopped, unnest($6::text[]) AS cause, unnest($7::text[]) AS terminate_cause,
        unnest($8::text[]) AS node, unnest($9::text[]) AS name, unnest($10::text[]) AS account, unnest($11::text[]) AS domain,
        unnest($12::text[]) AS address, unnest($13::text[]) AS pool, unnest($14::text[]) AS method, unnest($15::text[]) AS virtual_template,
        unnest($16::text[]) AS peer, unnest($17::integer[]) AS peer_port, unnest($18::text[]) AS peer_name, unnest($19::text[]) AS local_address,
        unnest($20::integer[]) AS local_tunnel, unnest($21::integer[]) AS local_session,
        unnest($22::integer[]) AS remote_tunnel, unnest($23::integer[]) AS remote_session,
        unnest($24::text[]) AS calling_number, unnest($25::text[]) AS called_number,
        unnest($26::bigint[]) AS octets_up, unnest($27::bigint[]) AS octets_down,
        unnest($28::bigint[]) AS packets_up, unnest($29::bigint[]) AS packets_down,
        unnest($31::text[]) AS ipv6_prefix, unnest($32::text[]) AS delegated_prefix, unnest($33::text[]) AS interface_id) AS input`

// Columns of accounting, in the order of recordInput, and of sessions.
const (
	recordInto = `(session, started_at, sequence, updated_at, stopped_at, cause, terminate_cause,
        node, epoch, name, account, domain, address, pool, method, virtual_template,
        peer, peer_port, peer_name, local_address, local_tunnel, local_session, remote_tunnel, remote_session,
        calling_number, called_number, octets_up, octets_down, packets_up, packets_down, ipv6_prefix, delegated_prefix, interface_id)`
	liveColumns = `node, epoch, name, account, domain, address, pool, method, virtual_template,
    peer, peer_port, peer_name, local_address, local_tunnel, local_session, remote_tunnel, remote_session,
    calling_number, called_number, started_at, updated_at, octets_up, octets_down, packets_up, packets_down,
    ipv6_prefix, delegated_prefix, interface_id`
)

// What is known to be new.
const (
	sqlPassed = `INSERT INTO accounting ` + recordInto + recordInput

	sqlBegun = `
WITH applied AS (INSERT INTO accounting ` + recordInto + recordInput + ` RETURNING session, ` + liveColumns + `)
INSERT INTO sessions (id, ` + liveColumns + `) SELECT session, ` + liveColumns + ` FROM applied`
)

// What may be there already, with a newer record or an older one. RETURNING names only what was newer than before: an old
// record does not bring a session back to life. The sessions that are over are found by their ids: a join might read all that
// are alive.
const (
	recordNewer = `INSERT INTO accounting AS a ` + recordInto + recordInput + `
    ON CONFLICT (session, started_at) DO UPDATE SET sequence = EXCLUDED.sequence, updated_at = EXCLUDED.updated_at,
        stopped_at = EXCLUDED.stopped_at, cause = EXCLUDED.cause, terminate_cause = EXCLUDED.terminate_cause,
        octets_up = EXCLUDED.octets_up, octets_down = EXCLUDED.octets_down,
        packets_up = EXCLUDED.packets_up, packets_down = EXCLUDED.packets_down,
        peer = EXCLUDED.peer, peer_port = EXCLUDED.peer_port, local_address = EXCLUDED.local_address,
        ipv6_prefix = coalesce(EXCLUDED.ipv6_prefix, a.ipv6_prefix), delegated_prefix = coalesce(EXCLUDED.delegated_prefix, a.delegated_prefix),
        interface_id = coalesce(EXCLUDED.interface_id, a.interface_id)
    WHERE a.sequence < EXCLUDED.sequence
    RETURNING `

	sqlEnded = `
WITH applied AS (` + recordNewer + `session)
DELETE FROM sessions s WHERE s.id = ANY (ARRAY(SELECT session FROM applied))`

	sqlAlive = `
WITH applied AS (` + recordNewer + `session, ` + liveColumns + `)
INSERT INTO sessions AS s (id, ` + liveColumns + `) SELECT session, ` + liveColumns + ` FROM applied
ON CONFLICT (id) DO UPDATE SET updated_at = EXCLUDED.updated_at, octets_up = EXCLUDED.octets_up, octets_down = EXCLUDED.octets_down,
    packets_up = EXCLUDED.packets_up, packets_down = EXCLUDED.packets_down, peer = EXCLUDED.peer, peer_port = EXCLUDED.peer_port,
    ipv6_prefix = EXCLUDED.ipv6_prefix, delegated_prefix = EXCLUDED.delegated_prefix, interface_id = EXCLUDED.interface_id`
)

// uniqueViolation is the SQLSTATE of a row that is there already.
const uniqueViolation = "23505"

// refusedRecord is an error over what a record says. Writing it again would fail again.
type refusedRecord struct{ err error }

func (e *refusedRecord) Error() string {
	return fmt.Sprintf("PostgreSQL refuses the record: %v", e.err)
}
func (e *refusedRecord) Unwrap() error   { return e.err }
func (e *refusedRecord) Retryable() bool { return false }

// fault tells the errors that a record is to blame for from those of the server: see refusal.go.
func (r *Recorder) fault(err error) error {
	if refused(err) || r.denied.final(err, time.Now()) {
		return &refusedRecord{err}
	}
	return err
}
