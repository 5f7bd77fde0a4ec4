-- +goose Up
-- +goose StatementBegin
SET LOCAL search_path = public;

-- Sessions that another NAS carries, which asks lnsgate by RADIUS and tells of them. They outlive the nodes, so they carry no
-- epoch: whoever looks for the sessions of dead processes does not come across them.
ALTER TABLE sessions
    ALTER COLUMN epoch DROP NOT NULL,
    ADD COLUMN nas            text,
    ADD COLUMN nas_client     text,
    ADD COLUMN nas_address    inet,
    ADD COLUMN nas_identifier text,
    ADD COLUMN nas_session    text,
    ADD COLUMN nas_port       bigint,
    ADD COLUMN nas_port_id    text,
    ADD COLUMN backend        text,
    ADD COLUMN sequence       bigint,
    ADD COLUMN interim        interval,
    ADD COLUMN filter         text,
    ADD COLUMN user_name      text,
    ADD COLUMN cui            bytea,
    ADD COLUMN class          bytea,
    ADD COLUMN sinks          text[],
    ADD COLUMN heard_at       timestamptz,
    ADD COLUMN ending         text;
-- The rows of lnsgate itself are in none of the first three, those of other NASes not in the last.
CREATE INDEX sessions_nas ON sessions (nas, nas_session) WHERE nas IS NOT NULL;
CREATE INDEX sessions_nas_name ON sessions (name) WHERE nas IS NOT NULL;
CREATE INDEX sessions_ending ON sessions (id) WHERE ending IS NOT NULL;
DROP INDEX sessions_node;
CREATE INDEX sessions_node ON sessions (node, epoch) WHERE nas IS NULL;
COMMENT ON COLUMN sessions.node IS 'The node that serves it; of a session of another NAS: that took its first record.';
COMMENT ON COLUMN sessions.epoch IS 'The epoch of that node. An older one than nodes.epoch: the session died with its process. Null: another NAS carries it, and it outlives the nodes.';
COMMENT ON COLUMN sessions.rate_up IS 'The most the subscriber may send, in bits per second; null or 0: no limit. Of a session of another NAS null: not known.';
COMMENT ON COLUMN sessions.rate_down IS 'The most the subscriber is sent, in bits per second; null or 0: no limit. Of a session of another NAS null: not known.';
COMMENT ON COLUMN sessions.session_timeout IS 'The session ends after this time; null or 0: never. Of a session of another NAS null: not known.';
COMMENT ON COLUMN sessions.idle_timeout IS 'It ends after this time without user traffic; null or 0: never. Of a session of another NAS null: not known.';
COMMENT ON COLUMN sessions.nas IS 'The NAS that carries it, by the name of its client of the RADIUS server, and which one where that stands for several. Null: lnsgate itself.';
COMMENT ON COLUMN sessions.nas_client IS 'The client of the RADIUS server: whose secret and kind the NAS has.';
COMMENT ON COLUMN sessions.nas_address IS 'Where the NAS is reached.';
COMMENT ON COLUMN sessions.nas_identifier IS 'What the NAS calls itself (NAS-Identifier).';
COMMENT ON COLUMN sessions.nas_session IS 'What the NAS calls the session (Acct-Session-Id).';
COMMENT ON COLUMN sessions.nas_port IS 'The port of the NAS by number (NAS-Port).';
COMMENT ON COLUMN sessions.nas_port_id IS 'The port of the NAS by name (NAS-Port-Id).';
COMMENT ON COLUMN sessions.backend IS 'Of a session of another NAS: who decided about the login.';
COMMENT ON COLUMN sessions.sequence IS 'Of a session of another NAS: accounting.sequence of its last record.';
COMMENT ON COLUMN sessions.interim IS 'Of a session of another NAS: the time between two interim records that it was told; 0: none; null: not known.';
COMMENT ON COLUMN sessions.filter IS 'Of a session of another NAS: the filter that it was told; empty: none; null: not known.';
COMMENT ON COLUMN sessions.user_name IS 'Of a session of another NAS: what the RADIUS server that granted it calls the user.';
COMMENT ON COLUMN sessions.cui IS 'Of a session of another NAS: its Chargeable-User-Identity (RFC 4372).';
COMMENT ON COLUMN sessions.class IS 'Of a session of another NAS: the Classes of the RADIUS server that granted it, each with its length before it in two octets.';
COMMENT ON COLUMN sessions.sinks IS 'Of a session of another NAS: where its records go, by name; null: to the database.';
COMMENT ON COLUMN sessions.heard_at IS 'Of a session of another NAS: when its last record came, by the clock of the database.';
COMMENT ON COLUMN sessions.ending IS 'Of a session of another NAS: why somebody called end_session for it. Whichever node hears of it tells the NAS: see nas_orders.';

ALTER TABLE accounting
    ALTER COLUMN epoch DROP NOT NULL,
    ADD COLUMN nas            text,
    ADD COLUMN nas_client     text,
    ADD COLUMN nas_address    inet,
    ADD COLUMN nas_identifier text,
    ADD COLUMN nas_session    text,
    ADD COLUMN nas_port       bigint,
    ADD COLUMN nas_port_id    text,
    ADD COLUMN backend        text;
COMMENT ON COLUMN accounting.sequence IS 'The number of the last record that was applied: 1 start, then higher each time. A record that is not newer changes nothing, so it may be written twice.';
COMMENT ON COLUMN accounting.node IS 'The node that served it; of a session of another NAS: that took its first record.';
COMMENT ON COLUMN accounting.epoch IS 'The epoch of that node. Null: another NAS carried it.';
COMMENT ON COLUMN accounting.nas IS 'The NAS that carried it; null: lnsgate itself. See sessions.nas.';
COMMENT ON COLUMN accounting.nas_client IS 'The client of the RADIUS server.';
COMMENT ON COLUMN accounting.nas_address IS 'Where the NAS was reached.';
COMMENT ON COLUMN accounting.nas_identifier IS 'What the NAS called itself (NAS-Identifier).';
COMMENT ON COLUMN accounting.nas_session IS 'What the NAS called the session (Acct-Session-Id).';
COMMENT ON COLUMN accounting.nas_port IS 'The port of the NAS by number (NAS-Port).';
COMMENT ON COLUMN accounting.nas_port_id IS 'The port of the NAS by name (NAS-Port-Id).';
COMMENT ON COLUMN accounting.backend IS 'Of a session of another NAS: who decided about the login.';

CREATE TABLE nas_orders (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session       text NOT NULL,
    key           text NOT NULL,
    kind          text NOT NULL,
    reason        text NOT NULL DEFAULT '',
    nas           text NOT NULL,
    name          text NOT NULL,
    account       text NOT NULL,
    details       json NOT NULL,
    given_at      timestamptz NOT NULL DEFAULT now(),
    tries         integer NOT NULL DEFAULT 0,
    due_at        timestamptz NOT NULL DEFAULT now(),
    claimed_until timestamptz,
    node          text,
    answered_at   timestamptz,
    ok            boolean,
    lost          boolean,
    answer        text,
    CONSTRAINT nas_orders_kind CHECK (kind IN ('disconnect', 'change'))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX nas_orders_session ON nas_orders (session, id);
CREATE INDEX nas_orders_due ON nas_orders (due_at) WHERE answered_at IS NULL;
COMMENT ON TABLE nas_orders IS 'What other NASes were, or are to be, told about their sessions (RFC 5176), and what they answered. Written by the nodes, kept for 30 days. To end a session: SELECT end_session(id).';
COMMENT ON COLUMN nas_orders.id IS 'A number.';
COMMENT ON COLUMN nas_orders.session IS 'The session: sessions.id.';
COMMENT ON COLUMN nas_orders.key IS 'What the order is about. The same is not ordered twice in a row for a session, however many nodes think of it.';
COMMENT ON COLUMN nas_orders.kind IS 'disconnect or change.';
COMMENT ON COLUMN nas_orders.reason IS 'Why, in words.';
COMMENT ON COLUMN nas_orders.nas IS 'The NAS: sessions.nas.';
COMMENT ON COLUMN nas_orders.name IS 'The name as typed.';
COMMENT ON COLUMN nas_orders.account IS 'The account.';
COMMENT ON COLUMN nas_orders.details IS 'The session as it was when the order was given, and what is to be changed.';
COMMENT ON COLUMN nas_orders.given_at IS 'When it was given.';
COMMENT ON COLUMN nas_orders.tries IS 'How often the NAS was told.';
COMMENT ON COLUMN nas_orders.due_at IS 'From when on any node may tell the NAS.';
COMMENT ON COLUMN nas_orders.claimed_until IS 'While a node is at it: when it has given up. Null: none is.';
COMMENT ON COLUMN nas_orders.node IS 'The node that told the NAS last, or is just telling it.';
COMMENT ON COLUMN nas_orders.answered_at IS 'When it was done with; null: not yet.';
COMMENT ON COLUMN nas_orders.ok IS 'True: the NAS did it. Null: nothing is known yet.';
COMMENT ON COLUMN nas_orders.lost IS 'True: the NAS does not know the session.';
COMMENT ON COLUMN nas_orders.answer IS 'What came of it last, in words.';

-- What nobody hears, because no node is there, is written down for the next one. What a NAS was told before does not keep it from
-- being told again. Who may end sessions need not have the right to write these rows.
CREATE OR REPLACE FUNCTION end_session(id text, cause text DEFAULT 'ended by the administrator') RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    UPDATE sessions s SET ending = coalesce(left($2, 1000), '') WHERE s.id = $1 AND s.nas IS NOT NULL;
    UPDATE nas_orders o SET key = o.key || ' (order ' || o.id || ')' WHERE o.session = $1 AND o.answered_at IS NOT NULL
        AND o.id = (SELECT max(l.id) FROM nas_orders l WHERE l.session = $1);
    SELECT count(pg_notify('lnsgate', json_build_object('table', 'sessions', 'key', s.id, 'op', 'end', 'cause', left($2, 1000))::text)) > 0
    FROM sessions s WHERE s.id = $1;
$$;
COMMENT ON FUNCTION end_session(text, text) IS 'Asks the node of a session, or the NAS that carries it, to end it, with a cause. False: there is no such session.';

DROP FUNCTION who_had(inet, timestamptz);
CREATE FUNCTION who_had(address inet, at timestamptz)
RETURNS TABLE (account text, name text, domain text, session text, node text, started_at timestamptz, stopped_at timestamptz,
    peer inet, peer_name text, calling_number text, nas text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT a.account, a.name, a.domain, a.session, a.node, a.started_at, a.stopped_at, a.peer, a.peer_name, a.calling_number, a.nas
    FROM accounting a
    WHERE a.address = $1 AND a.started_at <= $2 AND (a.stopped_at IS NULL OR a.stopped_at > $2)
    ORDER BY a.started_at DESC
$$;
COMMENT ON FUNCTION who_had(inet, timestamptz) IS 'Who had an address at a time: SELECT * FROM who_had(''10.1.2.3'', ''2026-11-17 20:43+08'').';
REVOKE EXECUTE ON FUNCTION who_had(inet, timestamptz) FROM PUBLIC;

-- A session of another NAS looks as if that NAS had written it.
CREATE OR REPLACE VIEW freeradius.radacct AS
SELECT a.id AS radacctid, coalesce(a.nas_session, a.session) AS acctsessionid,
    CASE WHEN a.nas IS NULL THEN md5(a.session || ' ' || a.node)
        ELSE md5(a.session || ' ' || a.nas || ' ' || extract(epoch FROM a.started_at)) END AS acctuniqueid,
    a.name AS username, NULL::text AS groupname, a.domain AS realm, CASE WHEN a.nas IS NULL THEN n.address ELSE a.nas_address END AS nasipaddress,
    CASE WHEN a.nas IS NULL THEN a.local_tunnel || '/' || a.local_session ELSE coalesce(a.nas_port_id, a.nas_port::text) END AS nasportid,
    CASE WHEN a.nas IS NULL THEN 'Virtual'::text END AS nasporttype,
    a.started_at AS acctstarttime, a.updated_at AS acctupdatetime, a.stopped_at AS acctstoptime,
    NULL::bigint AS acctinterval,
    extract(epoch FROM coalesce(a.stopped_at, a.updated_at) - a.started_at)::bigint AS acctsessiontime,
    CASE WHEN a.nas IS NULL THEN 'Local'::text ELSE 'RADIUS' END AS acctauthentic, NULL::text AS connectinfo_start, NULL::text AS connectinfo_stop,
    a.octets_up AS acctinputoctets, a.octets_down AS acctoutputoctets, a.called_number AS calledstationid,
    CASE WHEN a.nas IS NULL THEN coalesce(a.calling_number, host(a.peer)) ELSE a.calling_number END AS callingstationid,
    coalesce(a.terminate_cause, '') AS acctterminatecause,
    CASE WHEN a.nas IS NULL THEN 'Framed-User'::text END AS servicetype, CASE WHEN a.nas IS NULL THEN 'PPP'::text END AS framedprotocol,
    CASE WHEN family(a.address) = 4 THEN a.address END AS framedipaddress,
    CASE WHEN family(a.address) = 6 THEN a.address END AS framedipv6address,
    NULL::inet AS framedipv6prefix, NULL::text AS framedinterfaceid, NULL::inet AS delegatedipv6prefix, NULL::text AS class
FROM accounting a LEFT JOIN nodes n ON n.name = a.node;

CREATE OR REPLACE VIEW freeradius.radippool AS
SELECT row_number() OVER (ORDER BY l.routing_context, l.address) AS id, l.pool AS pool_name, l.address AS framedipaddress,
    coalesce(host(s.nas_address), host(n.address), l.node) AS nasipaddress, l.holder AS pool_key, s.called_number AS calledstationid,
    s.calling_number AS callingstationid,
    CASE l.state WHEN 'bound' THEN coalesce(l.expires_at, 'infinity') ELSE l.expires_at END AS expiry_time, l.account AS username
FROM leases l LEFT JOIN nodes n ON n.name = l.node LEFT JOIN sessions s ON s.id = l.holder;

DO $$
DECLARE
    here   constant text := 'session_slots, accounting';
    before text := pg_get_functiondef('grant_roles()'::regprocedure);
BEGIN
    IF position(here IN before) = 0 THEN
        RAISE EXCEPTION 'grant_roles() is not the one that this migration knows';
    END IF;
    EXECUTE replace(before, here, 'session_slots, nas_orders, accounting');
END $$;
SELECT grant_roles();

-- +goose StatementEnd
