package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"lnsgate/aaa"
)

// apart parts the records of our own sessions from those of other NASes.
func apart(records []aaa.Record) (own, foreign []aaa.Record) {
	others := 0
	for i := range records {
		if records[i].NAS != nil {
			others++
		}
	}
	if others == 0 {
		return records, nil
	}
	own, foreign = make([]aaa.Record, 0, len(records)-others), make([]aaa.Record, 0, others)
	for i := range records {
		if records[i].NAS == nil {
			own = append(own, records[i])
		} else {
			foreign = append(foreign, records[i])
		}
	}
	return own, foreign
}

// writeForeign stores records of sessions that other NASes carry.
func (r *Recorder) writeForeign(ctx context.Context, records []aaa.Record) error {
	for len(records) > 0 {
		n := min(len(records), recordBatch)
		rows, rest := foreignRows(records[:n])
		if err := r.applyForeign(ctx, rows); err != nil {
			return recordFault(err)
		}
		records = records[n-len(rest):]
	}
	return nil
}

// applyForeign runs sqlForeign with a plan that enters tables by their indexes.
func (r *Recorder) applyForeign(ctx context.Context, c *foreignColumns) error {
	var batch pgx.Batch
	batch.Queue(byIndexSQL)
	if session, started := c.guesses(); len(session) > 0 {
		batch.Queue(sqlGuess)
		batch.Queue(sqlSuperseded, session, started)
	}
	batch.Queue(sqlForeign, c.arguments()...)
	return r.db.SendBatch(ctx, &batch).Close()
}

// sqlGuess makes nodes that are told of the same session come one after the other: they must not both take their estimate for a
// new session.
const sqlGuess = `SELECT pg_advisory_xact_lock(hashtext('lnsgate sessions with an estimated start'))`

// sqlSuperseded ends sessions whose NAS tells of a later one by the same name. What their own Stop says still counts more. The
// session is looked for among all: an index of those that are open would be read from end to end.
const sqlSuperseded = `
WITH over AS (
    DELETE FROM sessions s USING unnest($1::text[], $2::timestamptz[]) AS i(session, told_at)
    WHERE s.id = i.session AND s.nas IS NOT NULL AND s.started_at < i.told_at - interval '1 min'
    RETURNING s.id, s.started_at
)
UPDATE accounting a SET stopped_at = greatest(a.started_at, a.updated_at), terminate_cause = 'Lost-Service',
    cause = 'the NAS has given its name to another session'
WHERE a.session = ANY (ARRAY(SELECT id FROM over)) AND (a.session, a.started_at) IN (SELECT id, started_at FROM over)
    AND coalesce(a.stopped_at, 'infinity') = 'infinity'`

// sqlForeign takes arrays, one element per session. A record with an estimate belongs to the row of the same session whose start
// is nearest, within a minute, whether that is over or not; where there is none it is a new session. What came first stays, but
// for what can change; RETURNING names only what was newer than before.
const sqlForeign = `
WITH input AS (
    SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::boolean[], $4::bigint[], $5::timestamptz[], $6::boolean[], $7::text[], $8::text[],
        $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[],
        $19::text[], $20::text[], $21::bigint[], $22::bigint[], $23::bigint[], $24::bigint[],
        $25::text[], $26::text[], $27::text[], $28::text[], $29::text[], $30::bigint[], $31::text[],
        $32::text[], $33::bytea[], $34::bytea[], $35::text[],
        $36::boolean[], $37::bigint[], $38::bigint[], $39::bigint[], $40::bigint[], $41::bigint[], $42::text[])
    AS i(session, told_at, estimated, sequence, at, stopped, cause, terminate_cause,
        node, name, account, domain, address, pool, method, backend, peer, peer_name,
        calling_number, called_number, octets_up, octets_down, packets_up, packets_down,
        nas, nas_client, nas_address, nas_identifier, nas_session, nas_port, nas_port_id,
        user_name, cui, class, sinks, known, session_timeout, idle_timeout, interim, rate_up, rate_down, filter)
), meant AS MATERIALIZED (
    SELECT i.*, coalesce(o.started_at, i.told_at) AS started_at
    FROM input i LEFT JOIN LATERAL (
        SELECT x.started_at FROM accounting x
        WHERE i.estimated AND x.session = i.session AND x.started_at BETWEEN i.told_at - interval '1 min' AND i.told_at + interval '1 min'
        ORDER BY abs(extract(epoch FROM x.started_at - i.told_at)) LIMIT 1
    ) o ON true
), applied AS (
    INSERT INTO accounting AS a (session, started_at, sequence, updated_at, stopped_at, cause, terminate_cause,
        node, epoch, name, account, domain, address, pool, method, peer, peer_name,
        calling_number, called_number, octets_up, octets_down, packets_up, packets_down,
        nas, nas_client, nas_address, nas_identifier, nas_session, nas_port, nas_port_id, backend)
    SELECT session, started_at, sequence, at, CASE WHEN stopped THEN greatest(at, started_at) END, nullif(cause, ''), nullif(terminate_cause, ''),
        node, NULL, name, account, nullif(domain, ''), nullif(address, '')::inet, nullif(pool, ''), nullif(method, ''),
        nullif(peer, '')::inet, nullif(peer_name, ''),
        nullif(calling_number, ''), nullif(called_number, ''), octets_up, octets_down, packets_up, packets_down,
        nas, nas_client, nullif(nas_address, '')::inet, nullif(nas_identifier, ''), nullif(nas_session, ''), nullif(nas_port, 0),
        nullif(nas_port_id, ''), nullif(backend, '')
    FROM meant
    ON CONFLICT (session, started_at) DO UPDATE SET sequence = EXCLUDED.sequence, updated_at = EXCLUDED.updated_at,
        stopped_at = EXCLUDED.stopped_at, cause = EXCLUDED.cause, terminate_cause = EXCLUDED.terminate_cause,
        octets_up = EXCLUDED.octets_up, octets_down = EXCLUDED.octets_down,
        packets_up = EXCLUDED.packets_up, packets_down = EXCLUDED.packets_down,
        address = coalesce(EXCLUDED.address, a.address), pool = coalesce(EXCLUDED.pool, a.pool), domain = coalesce(a.domain, EXCLUDED.domain),
        backend = coalesce(a.backend, EXCLUDED.backend), calling_number = coalesce(a.calling_number, EXCLUDED.calling_number),
        called_number = coalesce(a.called_number, EXCLUDED.called_number), nas_address = EXCLUDED.nas_address, peer = EXCLUDED.peer
    WHERE a.sequence < EXCLUDED.sequence
    RETURNING a.*
), gone AS (
    DELETE FROM sessions s WHERE s.id = ANY (ARRAY(SELECT session FROM applied WHERE stopped_at IS NOT NULL))
        AND (s.id, s.started_at) IN (SELECT session, started_at FROM applied WHERE stopped_at IS NOT NULL)
)
INSERT INTO sessions AS s (id, node, epoch, name, account, domain, address, pool, method, peer, peer_name,
    calling_number, called_number, started_at, updated_at, octets_up, octets_down, packets_up, packets_down,
    nas, nas_client, nas_address, nas_identifier, nas_session, nas_port, nas_port_id, backend, sequence, heard_at,
    user_name, cui, class, sinks,
    session_timeout, idle_timeout, interim, rate_up, rate_down, filter)
SELECT a.session, a.node, NULL, a.name, a.account, a.domain, a.address, a.pool, a.method, a.peer, a.peer_name,
    a.calling_number, a.called_number, a.started_at, a.updated_at, a.octets_up, a.octets_down, a.packets_up, a.packets_down,
    a.nas, a.nas_client, a.nas_address, a.nas_identifier, a.nas_session, a.nas_port, a.nas_port_id, a.backend, a.sequence, now(),
    nullif(m.user_name, ''), m.cui, m.class, string_to_array(nullif(m.sinks, ''), E'\n'),
    CASE WHEN m.known THEN m.session_timeout * interval '1 us' END, CASE WHEN m.known THEN m.idle_timeout * interval '1 us' END,
    CASE WHEN m.known THEN m.interim * interval '1 us' END,
    CASE WHEN m.known THEN m.rate_up END, CASE WHEN m.known THEN m.rate_down END, CASE WHEN m.known THEN m.filter END
FROM applied a JOIN meant m ON m.session = a.session WHERE a.stopped_at IS NULL
ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, account = EXCLUDED.account, domain = EXCLUDED.domain, address = EXCLUDED.address,
    pool = EXCLUDED.pool, method = EXCLUDED.method, peer = EXCLUDED.peer, calling_number = EXCLUDED.calling_number,
    called_number = EXCLUDED.called_number, started_at = EXCLUDED.started_at, updated_at = EXCLUDED.updated_at,
    octets_up = EXCLUDED.octets_up, octets_down = EXCLUDED.octets_down, packets_up = EXCLUDED.packets_up, packets_down = EXCLUDED.packets_down,
    nas_address = EXCLUDED.nas_address, nas_port = EXCLUDED.nas_port, nas_port_id = EXCLUDED.nas_port_id, backend = EXCLUDED.backend,
    sequence = EXCLUDED.sequence, heard_at = EXCLUDED.heard_at, user_name = EXCLUDED.user_name, cui = EXCLUDED.cui, class = EXCLUDED.class, sinks = EXCLUDED.sinks,
    session_timeout = coalesce(EXCLUDED.session_timeout, s.session_timeout), idle_timeout = coalesce(EXCLUDED.idle_timeout, s.idle_timeout),
    interim = coalesce(EXCLUDED.interim, s.interim), rate_up = coalesce(EXCLUDED.rate_up, s.rate_up),
    rate_down = coalesce(EXCLUDED.rate_down, s.rate_down), filter = coalesce(EXCLUDED.filter, s.filter)
WHERE s.started_at <= EXCLUDED.started_at`
