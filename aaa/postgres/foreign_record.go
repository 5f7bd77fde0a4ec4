package postgres

import (
	"context"
	"time"

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
			return r.fault(err)
		}
		records = records[n-len(rest):]
	}
	return nil
}

// applyForeign writes one row for each session, in one transaction.
func (r *Recorder) applyForeign(ctx context.Context, c *foreignColumns) error {
	guesses := c.guesses()
	if len(guesses.session) == 0 {
		return r.db.SendBatch(ctx, foreignBatch(c, guesses)).Close()
	}
	return pgx.BeginFunc(ctx, r.db, func(tx pgx.Tx) error {
		begun, err := begunBefore(ctx, tx, guesses)
		if err != nil {
			return err
		}
		return tx.SendBatch(ctx, foreignBatch(c, c.began(begun))).Close()
	})
}

// foreignBatch writes the rows. Sessions that are new end those by the same name.
func foreignBatch(c *foreignColumns, fresh guesses) *pgx.Batch {
	var batch pgx.Batch
	batch.Queue(byIndexSQL)
	if len(fresh.session) > 0 {
		batch.Queue(sqlSuperseded, fresh.session, fresh.started)
	}
	batch.Queue(sqlNoLoops)
	batch.Queue(sqlForeign, c.arguments()...)
	if going := c.going(); len(going.session) > 0 {
		batch.Queue(sqlOutlived, going.session, going.started)
	}
	return &batch
}

// begunBefore finds the starts of sessions that are known, by the name of the session.
func begunBefore(ctx context.Context, tx pgx.Tx, g guesses) (map[string][]time.Time, error) {
	begun := make(map[string][]time.Time)
	var batch pgx.Batch
	batch.Queue(byIndexSQL)
	batch.Queue(sqlGuess)
	batch.Queue(sqlKnownStarts, g.session, g.started).Query(func(rows pgx.Rows) error {
		var session string
		var started time.Time
		_, err := pgx.ForEachRow(rows, []any{&session, &started}, func() error {
			begun[session] = append(begun[session], started)
			return nil
		})
		return err
	})
	return begun, tx.SendBatch(ctx, &batch).Close()
}

// sqlGuess makes nodes that are told of the same session come one after the other: they must not both take their estimate for a
// new session.
const sqlGuess = `SELECT pg_advisory_xact_lock(hashtext('lnsgate sessions with an estimated start'))`

// sqlKnownStarts looks for each session by itself, only in the months that come into question, and by the key: the plan may be made
// while a month is new and kept until it is full, so nothing must be left to costs. The comparisons of rows are for the key and for no
// other index; the OR tells the months and is for no index at all.
const sqlKnownStarts = `
SELECT i.session, k.started_at
FROM (SELECT session, told_at - interval '1 min' AS low, told_at + interval '1 min' AS high FROM unnest($1::text[], $2::timestamptz[]) AS u(session, told_at)) i
CROSS JOIN LATERAL (
    SELECT x.started_at FROM accounting x
    WHERE (x.session, x.started_at) >= (i.session, i.low) AND (x.session, x.started_at) <= (i.session, i.high)
        AND (x.started_at BETWEEN i.low AND i.high OR x.started_at = i.low) OFFSET 0
) k`

// sqlSuperseded ends sessions whose NAS tells of a new one by the same name. What their own Stop says still counts more. The
// conditions that could be found in another index than that of the session are disguised: it would be read from end to end.
const sqlSuperseded = `
WITH over AS (
    DELETE FROM sessions s USING unnest($1::text[], $2::timestamptz[]) AS i(session, started_at)
    WHERE s.id = i.session AND s.id = ANY ($1) AND s.epoch IS NULL AND s.started_at < i.started_at
    RETURNING s.id, s.started_at
)
UPDATE accounting a SET ` + supersededInto + `
WHERE a.session = ANY (ARRAY(SELECT id FROM over)) AND (a.session, a.started_at + interval '0') IN (SELECT id, started_at FROM over)
    AND coalesce(a.stopped_at, 'infinity') = 'infinity'`

// supersededInto closes a record.
const supersededInto = `stopped_at = greatest(a.started_at, a.updated_at), terminate_cause = 'Lost-Service',
    cause = 'the NAS has given its name to another session'`

// sqlOutlived does so with sessions of which something is told late, when their NAS has begun another by the same name.
const sqlOutlived = `
WITH over AS (
    SELECT s.id, i.started_at FROM sessions s JOIN unnest($1::text[], $2::timestamptz[]) AS i(session, started_at) ON i.session = s.id
    WHERE s.id = ANY ($1) AND s.epoch IS NULL AND s.started_at > i.started_at
)
UPDATE accounting a SET ` + supersededInto + `
WHERE a.session = ANY (ARRAY(SELECT id FROM over)) AND (a.session, a.started_at + interval '0') IN (SELECT id, started_at FROM over)
    AND coalesce(a.stopped_at, 'infinity') = 'infinity'`

// sqlNoLoops is for a plan that is made without knowing how many records there are: it must not hold each against each.
const sqlNoLoops = `SELECT set_config('enable_nestloop', 'off', true)`

// sqlForeign takes arrays, one element per session. What came first stays, but for what can change; RETURNING names only what was
// newer than before.
const sqlForeign = `
WITH input AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::bigint[], $4::timestamptz[], $5::boolean[], $6::text[], $7::text[],
        $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[],
        $18::text[], $19::text[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[],
        $24::text[], $25::text[], $26::text[], $27::text[], $28::text[], $29::bigint[], $30::text[],
        $31::text[], $32::bytea[], $33::bytea[], $34::text[],
        $35::boolean[], $36::bigint[], $37::bigint[], $38::bigint[], $39::bigint[], $40::bigint[], $41::text[],
        $42::text[], $43::text[], $44::text[])
    AS i(session, started_at, sequence, at, stopped, cause, terminate_cause,
        node, name, account, domain, address, pool, method, backend, peer, peer_name,
        calling_number, called_number, octets_up, octets_down, packets_up, packets_down,
        nas, nas_client, nas_address, nas_identifier, nas_session, nas_port, nas_port_id,
        user_name, cui, class, sinks, known, session_timeout, idle_timeout, interim, rate_up, rate_down, filter,
        ipv6_prefix, delegated_prefix, interface_id)
), applied AS (
    INSERT INTO accounting AS a (session, started_at, sequence, updated_at, stopped_at, cause, terminate_cause,
        node, epoch, name, account, domain, address, pool, method, peer, peer_name,
        calling_number, called_number, octets_up, octets_down, packets_up, packets_down,
        nas, nas_client, nas_address, nas_identifier, nas_session, nas_port, nas_port_id, backend,
        ipv6_prefix, delegated_prefix, interface_id)
    SELECT session, started_at, sequence, at, CASE WHEN stopped THEN greatest(at, started_at) END, nullif(cause, ''), nullif(terminate_cause, ''),
        node, NULL, name, account, nullif(domain, ''), nullif(address, '')::inet, nullif(pool, ''), nullif(method, ''),
        nullif(peer, '')::inet, nullif(peer_name, ''),
        nullif(calling_number, ''), nullif(called_number, ''), octets_up, octets_down, packets_up, packets_down,
        nas, nas_client, nullif(nas_address, '')::inet, nullif(nas_identifier, ''), nullif(nas_session, ''), nullif(nas_port, 0),
        nullif(nas_port_id, ''), nullif(backend, ''),
        nullif(ipv6_prefix, '')::cidr, nullif(delegated_prefix, '')::cidr, nullif(interface_id, '')
    FROM input
    ON CONFLICT (session, started_at) DO UPDATE SET sequence = EXCLUDED.sequence, updated_at = EXCLUDED.updated_at,
        stopped_at = EXCLUDED.stopped_at, cause = EXCLUDED.cause, terminate_cause = EXCLUDED.terminate_cause,
        octets_up = EXCLUDED.octets_up, octets_down = EXCLUDED.octets_down,
        packets_up = EXCLUDED.packets_up, packets_down = EXCLUDED.packets_down,
        address = coalesce(EXCLUDED.address, a.address), pool = coalesce(EXCLUDED.pool, a.pool),
        ipv6_prefix = coalesce(EXCLUDED.ipv6_prefix, a.ipv6_prefix), delegated_prefix = coalesce(EXCLUDED.delegated_prefix, a.delegated_prefix),
        interface_id = coalesce(EXCLUDED.interface_id, a.interface_id), domain = coalesce(a.domain, EXCLUDED.domain),
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
    session_timeout, idle_timeout, interim, rate_up, rate_down, filter, ipv6_prefix, delegated_prefix, interface_id)
SELECT a.session, a.node, NULL, a.name, a.account, a.domain, a.address, a.pool, a.method, a.peer, a.peer_name,
    a.calling_number, a.called_number, a.started_at, a.updated_at, a.octets_up, a.octets_down, a.packets_up, a.packets_down,
    a.nas, a.nas_client, a.nas_address, a.nas_identifier, a.nas_session, a.nas_port, a.nas_port_id, a.backend, a.sequence, now(),
    nullif(m.user_name, ''), m.cui, m.class, string_to_array(nullif(m.sinks, ''), E'\n'),
    CASE WHEN m.known THEN m.session_timeout * interval '1 us' END, CASE WHEN m.known THEN m.idle_timeout * interval '1 us' END,
    CASE WHEN m.known THEN m.interim * interval '1 us' END,
    CASE WHEN m.known THEN m.rate_up END, CASE WHEN m.known THEN m.rate_down END, CASE WHEN m.known THEN m.filter END,
    a.ipv6_prefix, a.delegated_prefix, a.interface_id
FROM applied a JOIN input m ON m.session = a.session WHERE a.stopped_at IS NULL
ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, account = EXCLUDED.account, domain = EXCLUDED.domain, address = EXCLUDED.address,
    pool = EXCLUDED.pool, ipv6_prefix = EXCLUDED.ipv6_prefix, delegated_prefix = EXCLUDED.delegated_prefix, interface_id = EXCLUDED.interface_id, method = EXCLUDED.method, peer = EXCLUDED.peer, calling_number = EXCLUDED.calling_number,
    called_number = EXCLUDED.called_number, started_at = EXCLUDED.started_at, updated_at = EXCLUDED.updated_at,
    octets_up = EXCLUDED.octets_up, octets_down = EXCLUDED.octets_down, packets_up = EXCLUDED.packets_up, packets_down = EXCLUDED.packets_down,
    nas_address = EXCLUDED.nas_address, nas_port = EXCLUDED.nas_port, nas_port_id = EXCLUDED.nas_port_id, backend = EXCLUDED.backend,
    sequence = EXCLUDED.sequence, heard_at = EXCLUDED.heard_at, user_name = EXCLUDED.user_name, cui = EXCLUDED.cui, class = EXCLUDED.class, sinks = EXCLUDED.sinks,
    session_timeout = coalesce(EXCLUDED.session_timeout, s.session_timeout), idle_timeout = coalesce(EXCLUDED.idle_timeout, s.idle_timeout),
    interim = coalesce(EXCLUDED.interim, s.interim), rate_up = coalesce(EXCLUDED.rate_up, s.rate_up),
    rate_down = coalesce(EXCLUDED.rate_down, s.rate_down), filter = coalesce(EXCLUDED.filter, s.filter)
WHERE s.started_at <= EXCLUDED.started_at`
