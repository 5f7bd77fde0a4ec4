package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"lnsgate/aaa"
)

// recordBatch is how many records one statement carries.
const recordBatch = 1000

// ErrNotRegistered is the answer of Recorder.Write before the node has an epoch. Try again.
var ErrNotRegistered = errors.New("this node is not yet registered with the database")

// recordDB is what the recorder needs of a *pgxpool.Pool. It works through PgBouncer in transaction mode.
type recordDB interface {
	Begin(context.Context) (pgx.Tx, error)
	Exec(context.Context, string, ...any) (pgconn.CommandTag, error)
	sender
}

// Recorder writes accounting records into the tables accounting and sessions. It is a sink for aaa/spool: a record that
// was written before changes nothing, so it may come twice. It is safe for concurrent use.
type Recorder struct {
	db    recordDB
	epoch func() int64
}

// NewRecorder makes a Recorder. The function answers the epoch of this node, 0 as long as there is none: Node.Epoch.
func NewRecorder(db recordDB, epoch func() int64) *Recorder { return &Recorder{db, epoch} }

// Write stores records: one row per session in accounting, by the record with the highest Sequence, and one row in
// sessions as long as the session has no Stop. Up to 1000 records make one statement, which is one transaction. Texts that
// PostgreSQL cannot hold (octets that are no UTF-8, NUL) are written with U+FFFD in their place, texts of more than 1000
// octets are cut.
//
// A newer record of a session that another node has closed, because this one gave no sign of life, opens it again.
//
// Errors are ErrNotRegistered, those of the connection, or one whose method Retryable answers false: PostgreSQL has
// refused what a record says.
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
		if err := byIndex(ctx, r.db, nil, sqlRecord, recordRows(records[:n], epoch).arguments()...); err != nil {
			return recordFault(err)
		}
		records = records[n:]
	}
	return nil
}

// sqlRecord takes arrays, one element per session. RETURNING names only what was newer than before: an old record does
// not bring a session back to life. The sessions that are over are found by their ids: a join might read all that are alive.
const sqlRecord = `
WITH input AS (
    SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::bigint[], $4::timestamptz[], $5::boolean[], $6::text[], $7::text[],
        $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],
        $16::text[], $17::integer[], $18::text[], $19::text[], $20::integer[], $21::integer[], $22::integer[], $23::integer[],
        $24::text[], $25::text[], $26::bigint[], $27::bigint[], $28::bigint[], $29::bigint[])
    AS i(session, started_at, sequence, at, stopped, cause, terminate_cause,
        node, name, account, domain, address, pool, method, virtual_template,
        peer, peer_port, peer_name, local_address, local_tunnel, local_session, remote_tunnel, remote_session,
        calling_number, called_number, octets_up, octets_down, packets_up, packets_down)
), applied AS (
    INSERT INTO accounting AS a (session, started_at, sequence, updated_at, stopped_at, cause, terminate_cause,
        node, epoch, name, account, domain, address, pool, method, virtual_template,
        peer, peer_port, peer_name, local_address, local_tunnel, local_session, remote_tunnel, remote_session,
        calling_number, called_number, octets_up, octets_down, packets_up, packets_down)
    SELECT session, started_at, sequence, at, CASE WHEN stopped THEN greatest(at, started_at) END, nullif(cause, ''), nullif(terminate_cause, ''),
        node, $30::bigint, name, account, nullif(domain, ''), nullif(address, '')::inet, nullif(pool, ''), nullif(method, ''), nullif(virtual_template, ''),
        nullif(peer, '')::inet, nullif(peer_port, 0), nullif(peer_name, ''), nullif(local_address, '')::inet,
        local_tunnel, local_session, remote_tunnel, remote_session,
        nullif(calling_number, ''), nullif(called_number, ''), octets_up, octets_down, packets_up, packets_down
    FROM input
    ON CONFLICT (session, started_at) DO UPDATE SET sequence = EXCLUDED.sequence, updated_at = EXCLUDED.updated_at,
        stopped_at = EXCLUDED.stopped_at, cause = EXCLUDED.cause, terminate_cause = EXCLUDED.terminate_cause,
        octets_up = EXCLUDED.octets_up, octets_down = EXCLUDED.octets_down,
        packets_up = EXCLUDED.packets_up, packets_down = EXCLUDED.packets_down,
        peer = EXCLUDED.peer, peer_port = EXCLUDED.peer_port, local_address = EXCLUDED.local_address
    WHERE a.sequence < EXCLUDED.sequence
    RETURNING a.*
), gone AS (
    DELETE FROM sessions s WHERE s.id = ANY (ARRAY(SELECT session FROM applied WHERE stopped_at IS NOT NULL))
)
INSERT INTO sessions AS s (id, node, epoch, name, account, domain, address, pool, method, virtual_template,
    peer, peer_port, peer_name, local_address, local_tunnel, local_session, remote_tunnel, remote_session,
    calling_number, called_number, started_at, updated_at, octets_up, octets_down, packets_up, packets_down)
SELECT session, node, epoch, name, account, domain, address, pool, method, virtual_template,
    peer, peer_port, peer_name, local_address, local_tunnel, local_session, remote_tunnel, remote_session,
    calling_number, called_number, started_at, updated_at, octets_up, octets_down, packets_up, packets_down
FROM applied WHERE stopped_at IS NULL
ON CONFLICT (id) DO UPDATE SET updated_at = EXCLUDED.updated_at, octets_up = EXCLUDED.octets_up, octets_down = EXCLUDED.octets_down,
    packets_up = EXCLUDED.packets_up, packets_down = EXCLUDED.packets_down, peer = EXCLUDED.peer, peer_port = EXCLUDED.peer_port`

// refusedRecord is an error over what a record says. Writing it again would fail again.
type refusedRecord struct{ err error }

func (e *refusedRecord) Error() string {
	return fmt.Sprintf("PostgreSQL refuses the record: %v", e.err)
}
func (e *refusedRecord) Unwrap() error   { return e.err }
func (e *refusedRecord) Retryable() bool { return false }

// recordFault tells the errors that a record is to blame for from those of the server. Classes of SQLSTATE: 22 bad data,
// 23 a constraint, 54 too large for an index.
func recordFault(err error) error {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || len(refused.Code) != 5 {
		return err
	}
	switch refused.Code[:2] {
	case "22", "23", "54":
		return &refusedRecord{err}
	}
	return err
}
