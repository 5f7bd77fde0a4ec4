-- +goose Up
-- +goose StatementBegin
SET LOCAL search_path = public;

CREATE TABLE sessions (
    id               text PRIMARY KEY,
    node             text NOT NULL,
    epoch            bigint NOT NULL,
    name             text NOT NULL,
    account          text NOT NULL,
    domain           text,
    address          inet,
    pool             text,
    routing_context  text NOT NULL DEFAULT 'default',
    method           text,
    virtual_template text,
    peer             inet,
    peer_port        integer,
    peer_name        text,
    local_address    inet,
    local_tunnel     integer,
    local_session    integer,
    remote_tunnel    integer,
    remote_session   integer,
    calling_number   text,
    called_number    text,
    mtu              integer,
    rate_up          bigint,
    rate_down        bigint,
    session_timeout  interval,
    idle_timeout     interval,
    started_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    octets_up        bigint NOT NULL DEFAULT 0,
    octets_down      bigint NOT NULL DEFAULT 0,
    packets_up       bigint NOT NULL DEFAULT 0,
    packets_down     bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX sessions_account ON sessions (account);
CREATE INDEX sessions_domain ON sessions (domain);
CREATE INDEX sessions_node ON sessions (node, epoch);
COMMENT ON TABLE sessions IS 'The sessions that are alive, of all nodes. Written by the nodes. To end one: SELECT end_session(id).';
COMMENT ON COLUMN sessions.id IS 'Unique among all nodes and for all time. The holder of the lease, and accounting.session.';
COMMENT ON COLUMN sessions.node IS 'The node that serves it.';
COMMENT ON COLUMN sessions.epoch IS 'The epoch of that node. An older one than nodes.epoch: the session died with its process.';
COMMENT ON COLUMN sessions.name IS 'The name as typed.';
COMMENT ON COLUMN sessions.account IS 'The account that it matched.';
COMMENT ON COLUMN sessions.domain IS 'The domain.';
COMMENT ON COLUMN sessions.address IS 'The address of the subscriber.';
COMMENT ON COLUMN sessions.pool IS 'The pool of the address.';
COMMENT ON COLUMN sessions.routing_context IS 'See pools.routing_context.';
COMMENT ON COLUMN sessions.method IS 'How it proved who it is: pap, chap, mschapv2, eap.';
COMMENT ON COLUMN sessions.virtual_template IS 'The interface.';
COMMENT ON COLUMN sessions.peer IS 'The outer address the tunnel comes from.';
COMMENT ON COLUMN sessions.peer_port IS 'The UDP port the tunnel comes from.';
COMMENT ON COLUMN sessions.peer_name IS 'The host name the peer gave for the tunnel.';
COMMENT ON COLUMN sessions.local_address IS 'Our end of the tunnel.';
COMMENT ON COLUMN sessions.local_tunnel IS 'The tunnel id that we chose.';
COMMENT ON COLUMN sessions.local_session IS 'The session id that we chose.';
COMMENT ON COLUMN sessions.remote_tunnel IS 'The tunnel id that the peer chose.';
COMMENT ON COLUMN sessions.remote_session IS 'The session id that the peer chose.';
COMMENT ON COLUMN sessions.calling_number IS 'Who called, if the peer told.';
COMMENT ON COLUMN sessions.called_number IS 'What was called, if the peer told.';
COMMENT ON COLUMN sessions.mtu IS 'The largest packet sent to the subscriber, in octets.';
COMMENT ON COLUMN sessions.rate_up IS 'The most the subscriber may send, in bits per second; null: no limit.';
COMMENT ON COLUMN sessions.rate_down IS 'The most the subscriber is sent, in bits per second; null: no limit.';
COMMENT ON COLUMN sessions.session_timeout IS 'The session ends after this time; null: never.';
COMMENT ON COLUMN sessions.idle_timeout IS 'It ends after this time without user traffic; null: never.';
COMMENT ON COLUMN sessions.started_at IS 'When it began.';
COMMENT ON COLUMN sessions.updated_at IS 'When the figures were written.';
COMMENT ON COLUMN sessions.octets_up IS 'Octets from the subscriber.';
COMMENT ON COLUMN sessions.octets_down IS 'Octets to the subscriber.';
COMMENT ON COLUMN sessions.packets_up IS 'Packets from the subscriber.';
COMMENT ON COLUMN sessions.packets_down IS 'Packets to the subscriber.';

CREATE SEQUENCE accounting_id;
COMMENT ON SEQUENCE accounting_id IS 'Numbers for accounting.id.';

CREATE TABLE accounting (
    session          text NOT NULL,
    started_at       timestamptz NOT NULL,
    sequence         bigint NOT NULL DEFAULT 0,
    updated_at       timestamptz NOT NULL DEFAULT now(),
    stopped_at       timestamptz,
    cause            text,
    terminate_cause  text,
    node             text NOT NULL,
    epoch            bigint NOT NULL DEFAULT 0,
    name             text NOT NULL,
    account          text NOT NULL,
    domain           text,
    address          inet,
    pool             text,
    routing_context  text NOT NULL DEFAULT 'default',
    method           text,
    virtual_template text,
    peer             inet,
    peer_port        integer,
    peer_name        text,
    local_address    inet,
    local_tunnel     integer,
    local_session    integer,
    remote_tunnel    integer,
    remote_session   integer,
    calling_number   text,
    called_number    text,
    octets_up        bigint NOT NULL DEFAULT 0,
    octets_down      bigint NOT NULL DEFAULT 0,
    packets_up       bigint NOT NULL DEFAULT 0,
    packets_down     bigint NOT NULL DEFAULT 0,
    id               bigint NOT NULL DEFAULT nextval('accounting_id'),
    PRIMARY KEY (session, started_at),
    CONSTRAINT accounting_order CHECK (stopped_at >= started_at)
) PARTITION BY RANGE (started_at);
CREATE INDEX accounting_account ON accounting (account, started_at);
CREATE INDEX accounting_address ON accounting (address, started_at);
CREATE INDEX accounting_open ON accounting (node, epoch) WHERE stopped_at IS NULL;
CREATE INDEX accounting_time ON accounting USING brin (started_at);
COMMENT ON TABLE accounting IS 'One row per session, also of those that are over. Start makes it, interim and stop bring it up to date. Partitioned by the month of started_at (UTC); an old month goes with DROP TABLE accounting_2025_01.';
COMMENT ON COLUMN accounting.session IS 'The session: sessions.id while it lived.';
COMMENT ON COLUMN accounting.started_at IS 'When it began. The same in every record of the session.';
COMMENT ON COLUMN accounting.sequence IS 'The number of the last record that was applied: 1 start, then one more each time. A record that is not newer changes nothing, so it may be written twice.';
COMMENT ON COLUMN accounting.updated_at IS 'The time of the last record.';
COMMENT ON COLUMN accounting.stopped_at IS 'When it ended; null: not yet.';
COMMENT ON COLUMN accounting.cause IS 'Why it ended, in the words of lnsgate.';
COMMENT ON COLUMN accounting.terminate_cause IS 'Why it ended, as RADIUS calls it (RFC 2866 section 5.10): User-Request, Idle-Timeout, ...';
COMMENT ON COLUMN accounting.node IS 'The node that served it.';
COMMENT ON COLUMN accounting.epoch IS 'The epoch of that node.';
COMMENT ON COLUMN accounting.name IS 'The name as typed.';
COMMENT ON COLUMN accounting.account IS 'The account that it matched.';
COMMENT ON COLUMN accounting.domain IS 'The domain.';
COMMENT ON COLUMN accounting.address IS 'The address of the subscriber.';
COMMENT ON COLUMN accounting.pool IS 'The pool of the address.';
COMMENT ON COLUMN accounting.routing_context IS 'See pools.routing_context.';
COMMENT ON COLUMN accounting.method IS 'How it proved who it is.';
COMMENT ON COLUMN accounting.virtual_template IS 'The interface.';
COMMENT ON COLUMN accounting.peer IS 'The outer address the tunnel came from.';
COMMENT ON COLUMN accounting.peer_port IS 'The UDP port the tunnel came from.';
COMMENT ON COLUMN accounting.peer_name IS 'The host name the peer gave for the tunnel.';
COMMENT ON COLUMN accounting.local_address IS 'Our end of the tunnel.';
COMMENT ON COLUMN accounting.local_tunnel IS 'The tunnel id that we chose.';
COMMENT ON COLUMN accounting.local_session IS 'The session id that we chose.';
COMMENT ON COLUMN accounting.remote_tunnel IS 'The tunnel id that the peer chose.';
COMMENT ON COLUMN accounting.remote_session IS 'The session id that the peer chose.';
COMMENT ON COLUMN accounting.calling_number IS 'Who called, if the peer told.';
COMMENT ON COLUMN accounting.called_number IS 'What was called, if the peer told.';
COMMENT ON COLUMN accounting.octets_up IS 'Octets from the subscriber.';
COMMENT ON COLUMN accounting.octets_down IS 'Octets to the subscriber.';
COMMENT ON COLUMN accounting.packets_up IS 'Packets from the subscriber.';
COMMENT ON COLUMN accounting.packets_down IS 'Packets to the subscriber.';
COMMENT ON COLUMN accounting.id IS 'A number for tools that want one.';

CREATE TABLE logins (
    attempt        text NOT NULL,
    at             timestamptz NOT NULL DEFAULT now(),
    verdict        text NOT NULL,
    detail         text,
    name           text NOT NULL,
    account        text,
    domain         text,
    backend        text,
    method         text,
    node           text NOT NULL,
    session        text,
    address        inet,
    peer           inet,
    peer_port      integer,
    peer_name      text,
    calling_number text,
    called_number  text,
    took           interval,
    PRIMARY KEY (attempt, at)
) PARTITION BY RANGE (at);
CREATE INDEX logins_name ON logins (name, at);
CREATE INDEX logins_peer ON logins (peer, at);
CREATE INDEX logins_time ON logins USING brin (at);
COMMENT ON TABLE logins IS 'Every attempt to log in, with its verdict. Partitioned by month (UTC); an old month goes with DROP TABLE logins_2025_01.';
COMMENT ON COLUMN logins.attempt IS 'Names the attempt in logs and traces.';
COMMENT ON COLUMN logins.at IS 'When it was decided.';
COMMENT ON COLUMN logins.verdict IS '"granted", or why not in words: "the login was rejected: wrong password"; look for a cause with LIKE.';
COMMENT ON COLUMN logins.detail IS 'In which step it ended.';
COMMENT ON COLUMN logins.name IS 'The name as typed.';
COMMENT ON COLUMN logins.account IS 'The account that it matched.';
COMMENT ON COLUMN logins.domain IS 'The domain that was chosen.';
COMMENT ON COLUMN logins.backend IS 'Who decided: postgres, local, ...';
COMMENT ON COLUMN logins.method IS 'How the peer wanted to prove who it is: pap, chap, mschapv2, eap.';
COMMENT ON COLUMN logins.node IS 'The node that was asked.';
COMMENT ON COLUMN logins.session IS 'The session that came of it.';
COMMENT ON COLUMN logins.address IS 'The address that it got.';
COMMENT ON COLUMN logins.peer IS 'The outer address the tunnel comes from.';
COMMENT ON COLUMN logins.peer_port IS 'The UDP port the tunnel comes from.';
COMMENT ON COLUMN logins.peer_name IS 'The host name the peer gave for the tunnel.';
COMMENT ON COLUMN logins.calling_number IS 'Who called, if the peer told.';
COMMENT ON COLUMN logins.called_number IS 'What was called, if the peer told.';
COMMENT ON COLUMN logins.took IS 'How long the decision took.';

-- A record of a month without a partition is kept here, never lost; make_partitions moves it.
CREATE TABLE accounting_other PARTITION OF accounting DEFAULT;
CREATE TABLE logins_other PARTITION OF logins DEFAULT;
COMMENT ON TABLE accounting_other IS 'Rows of accounting for whose month there is no partition.';
COMMENT ON TABLE logins_other IS 'Rows of logins for whose month there is no partition.';

-- Makes the table beside its parent and attaches it, which does not lock the parent against reading and writing.
CREATE FUNCTION make_partition(parent text, key text, month date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
    child text := parent || to_char(month, '_YYYY_MM');
    first timestamptz := date_trunc('month', month::timestamptz);
    next  timestamptz := first + interval '1 month';
BEGIN
    IF parent NOT IN ('accounting', 'logins') THEN
        RAISE EXCEPTION '% is not partitioned by month', quote_literal(parent) USING ERRCODE = 'invalid_parameter_value';
    ELSIF to_regclass(child) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS) WITH (fillfactor = 70)', child, parent);
    EXECUTE format('COMMENT ON TABLE %I IS %L', child, format('Rows of %s of one month (UTC).', parent));
    EXECUTE format('WITH moved AS (DELETE FROM %I WHERE %I >= %L AND %I < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
        parent || '_other', key, first, key, next, child);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, child, first, next);
    RETURN true;
END $$;
COMMENT ON FUNCTION make_partition(text, text, date) IS 'Makes the partition of accounting or logins for the month of a day. False: it was there.';

CREATE FUNCTION make_partitions(months_ahead integer DEFAULT 2, months_back integer DEFAULT 1) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
    made  integer := 0;
    month date;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('lnsgate partitions'));
    FOR i IN -months_back .. months_ahead LOOP
        month := date_trunc('month', now()) + make_interval(months => i);
        made := made + make_partition('accounting', 'started_at', month)::integer + make_partition('logins', 'at', month)::integer;
    END LOOP;
    RETURN made;
END $$;
COMMENT ON FUNCTION make_partitions(integer, integer) IS 'Makes the partitions of accounting and logins around the current month and answers how many it made. The nodes call it every day.';

SELECT make_partitions();

CREATE FUNCTION end_session(id text, cause text DEFAULT 'ended by the administrator') RETURNS boolean
LANGUAGE sql SET search_path = public, pg_temp
AS $$
    SELECT count(pg_notify('lnsgate', json_build_object('table', 'sessions', 'key', s.id, 'op', 'end', 'cause', left($2, 1000))::text)) > 0
    FROM sessions s WHERE s.id = $1
$$;
COMMENT ON FUNCTION end_session(text, text) IS 'Asks the node of a session to end it, with a cause. False: there is no such session.';

CREATE FUNCTION who_had(address inet, at timestamptz)
RETURNS TABLE (account text, name text, domain text, session text, node text, started_at timestamptz, stopped_at timestamptz,
    peer inet, peer_name text, calling_number text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT a.account, a.name, a.domain, a.session, a.node, a.started_at, a.stopped_at, a.peer, a.peer_name, a.calling_number
    FROM accounting a
    WHERE a.address = $1 AND a.started_at <= $2 AND (a.stopped_at IS NULL OR a.stopped_at > $2)
    ORDER BY a.started_at DESC
$$;
COMMENT ON FUNCTION who_had(inet, timestamptz) IS 'Who had an address at a time: SELECT * FROM who_had(''10.1.2.3'', ''2026-11-17 20:43+08'').';

-- +goose StatementEnd
