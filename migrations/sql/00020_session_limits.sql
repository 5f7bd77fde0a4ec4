-- +goose Up
-- +goose StatementBegin
SET LOCAL search_path = public;

-- Sessions that count towards a limit stand here from before they open until they are over. The table "sessions" cannot
-- serve: its rows come with accounting, after the session has opened.
CREATE TABLE session_slots (
    session text PRIMARY KEY,
    node    text NOT NULL,
    epoch   bigint NOT NULL,
    account text NOT NULL,
    domain  text NOT NULL,
    name    text NOT NULL,
    peer    inet,
    since   timestamptz NOT NULL,
    ending  text
) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX session_slots_account ON session_slots (account, since);
CREATE INDEX session_slots_domain ON session_slots (domain, since);
CREATE INDEX session_slots_node ON session_slots (node, epoch);
COMMENT ON TABLE session_slots IS 'The sessions that count towards max_sessions, of all nodes. Only accounts and domains with a limit have rows. Written by the nodes.';
COMMENT ON COLUMN session_slots.session IS 'The session: sessions.id.';
COMMENT ON COLUMN session_slots.node IS 'The node that serves it.';
COMMENT ON COLUMN session_slots.epoch IS 'The epoch of that node. The row counts as long as it is the one in nodes.';
COMMENT ON COLUMN session_slots.account IS 'The account.';
COMMENT ON COLUMN session_slots.domain IS 'The domain; empty: none.';
COMMENT ON COLUMN session_slots.name IS 'The name as typed.';
COMMENT ON COLUMN session_slots.peer IS 'The outer address the tunnel comes from.';
COMMENT ON COLUMN session_slots.since IS 'When it was admitted. The oldest gives way.';
COMMENT ON COLUMN session_slots.ending IS 'Why its node was asked to end it; it does not count any more. Null: it lives.';

CREATE VIEW counted_sessions AS
SELECT s.session, s.node, s.account, s.domain, s.name, s.peer, s.since
FROM session_slots s JOIN nodes n ON n.name = s.node AND n.epoch = s.epoch
WHERE s.ending IS NULL AND n.heartbeat_at > now() - interval '3 min';
COMMENT ON VIEW counted_sessions IS 'The sessions that count towards max_sessions now. Those of a node that was restarted, or has been silent for three minutes, do not.';
COMMENT ON COLUMN counted_sessions.session IS 'The session: sessions.id.';
COMMENT ON COLUMN counted_sessions.node IS 'The node that serves it.';
COMMENT ON COLUMN counted_sessions.account IS 'The account.';
COMMENT ON COLUMN counted_sessions.domain IS 'The domain; empty: none.';
COMMENT ON COLUMN counted_sessions.name IS 'The name as typed.';
COMMENT ON COLUMN counted_sessions.peer IS 'The outer address the tunnel comes from.';
COMMENT ON COLUMN counted_sessions.since IS 'When it was admitted.';

-- One call, one round trip, one transaction. The locks are held until it commits, so of many logins at once each one sees
-- those before it. The lock of the account is always taken before that of the domain.
CREATE FUNCTION enter_session(new_session text, new_node text, new_epoch bigint, new_account text, new_domain text,
    new_name text, new_peer inet, new_since timestamptz, account_limit integer, domain_limit integer, replace boolean)
RETURNS TABLE (verdict text, counted bigint, oldest text, oldest_node text, oldest_since timestamptz)
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    scope  text;
    most   integer;
    extent text[] := '{}';
BEGIN
    verdict := 'entered';
    IF NOT EXISTS (SELECT FROM nodes n WHERE n.name = new_node AND n.epoch = new_epoch) THEN
        verdict := 'superseded';
        RETURN NEXT;
        RETURN;
    END IF;
    IF account_limit > 0 THEN
        PERFORM pg_advisory_xact_lock(hashtext('lnsgate account sessions'), hashtext(new_account));
        extent := extent || 'account'::text;
    END IF;
    IF domain_limit > 0 THEN
        PERFORM pg_advisory_xact_lock(hashtext('lnsgate domain sessions'), hashtext(new_domain));
        extent := extent || 'domain'::text;
    END IF;
    FOREACH scope IN ARRAY extent LOOP
        IF scope = 'account' THEN
            most := account_limit;
            SELECT count(*) INTO counted FROM counted_sessions c WHERE c.account = new_account AND c.session <> new_session;
        ELSE
            most := domain_limit;
            SELECT count(*) INTO counted FROM counted_sessions c WHERE c.domain = new_domain AND c.session <> new_session;
        END IF;
        CONTINUE WHEN counted < most;
        IF NOT replace THEN
            SELECT c.session, c.node, c.since INTO oldest, oldest_node, oldest_since FROM counted_sessions c
                WHERE c.session <> new_session AND CASE scope WHEN 'account' THEN c.account = new_account ELSE c.domain = new_domain END
                ORDER BY c.since, c.session LIMIT 1;
            verdict := scope;
            RETURN NEXT;
            RETURN;
        END IF;
        WITH leaving AS (
            SELECT c.session FROM counted_sessions c
            WHERE c.session <> new_session AND CASE scope WHEN 'account' THEN c.account = new_account ELSE c.domain = new_domain END
            ORDER BY c.since, c.session LIMIT counted - most + 1
        ), marked AS (
            UPDATE session_slots s SET ending = format('replaced by session %s of %s: the %s may have %s at a time', new_session, new_name, scope, most)
            FROM leaving l WHERE s.session = l.session RETURNING s.session, s.ending
        )
        SELECT count(pg_notify('lnsgate', json_build_object('table', 'sessions', 'op', 'end', 'key', m.session, 'cause', left(m.ending, 1000))::text))
            INTO counted FROM marked m;
    END LOOP;
    INSERT INTO session_slots (session, node, epoch, account, domain, name, peer, since)
        VALUES (new_session, new_node, new_epoch, new_account, new_domain, new_name, new_peer, new_since)
        ON CONFLICT (session) DO UPDATE SET node = EXCLUDED.node, epoch = EXCLUDED.epoch, account = EXCLUDED.account,
            domain = EXCLUDED.domain, name = EXCLUDED.name, peer = EXCLUDED.peer, since = EXCLUDED.since, ending = NULL;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION enter_session(text, text, bigint, text, text, text, inet, timestamptz, integer, integer, boolean) IS
'Counts a session in, if its account and its domain have room; a limit of 0 or less is none. Over a limit it answers which one, or has the oldest sessions end.';

-- What a peer may have meant who typed a name that does not exist.
CREATE FUNCTION user_of(name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN position('@' IN name) > 0 THEN substring(name FROM '^(.*)@[^@]*$')
    WHEN position('\' IN name) > 0 THEN substring(name FROM '[^\\]*$')
    ELSE name
END;
COMMENT ON FUNCTION user_of(text) IS 'A name as typed without its domain: what precedes the last @, else what follows the last \.';
CREATE INDEX accounts_user ON accounts (lower(user_of(name)));

-- Sessions end when their account does, without anybody writing a row.
CREATE INDEX accounts_valid_until ON accounts (valid_until) WHERE valid_until IS NOT NULL;

-- NT hashes that a node has to seal.
CREATE INDEX credentials_unsealed ON credentials (account) WHERE kind = 'nt' AND key_id IS NULL;

REVOKE EXECUTE ON FUNCTION enter_session(text, text, bigint, text, text, text, inet, timestamptz, integer, integer, boolean) FROM PUBLIC;
DO $$
DECLARE
    role text;
BEGIN
    FOR role IN SELECT rolname FROM pg_roles WHERE rolname IN ('lnsgate_daemon', 'lnsgate_admin', 'lnsgate_reader') LOOP
        EXECUTE format('GRANT SELECT ON session_slots, counted_sessions TO %I', role);
    END LOOP;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'lnsgate_daemon') THEN
        GRANT INSERT, UPDATE, DELETE ON session_slots TO lnsgate_daemon;
        GRANT EXECUTE ON FUNCTION enter_session(text, text, bigint, text, text, text, inet, timestamptz, integer, integer, boolean) TO lnsgate_daemon;
    END IF;
END $$;

-- +goose StatementEnd
