-- +goose Up
-- +goose StatementBegin
SET LOCAL search_path = public;

-- How many sessions a domain has must not cost more the more it has. So each domain has one number per node, and a login
-- adds up as many of them as there are nodes. The numbers change in the same transaction as the rows that they count,
-- whoever changes those, so they cannot drift. A node's numbers carry its epoch and stop to count with it.
CREATE TABLE session_counts (
    domain  text NOT NULL,
    node    text NOT NULL,
    epoch   bigint NOT NULL,
    counted bigint NOT NULL,
    PRIMARY KEY (domain, node, epoch)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE session_counts IS 'How many rows of session_slots each domain has on each node, without those that are ending. Written by the database.';
COMMENT ON COLUMN session_counts.domain IS 'The domain; empty: none.';
COMMENT ON COLUMN session_counts.node IS 'The node.';
COMMENT ON COLUMN session_counts.epoch IS 'The epoch of that node. The row counts as long as it is the one in nodes.';
COMMENT ON COLUMN session_counts.counted IS 'How many.';

CREATE FUNCTION count_slots() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    -- The rows are taken in one order by everybody, so that nobody waits in a circle.
    CASE TG_OP
    WHEN 'INSERT' THEN
        INSERT INTO session_counts AS c (domain, node, epoch, counted)
        SELECT n.domain, n.node, n.epoch, count(*) FROM new_rows n WHERE n.ending IS NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        ON CONFLICT (domain, node, epoch) DO UPDATE SET counted = c.counted + EXCLUDED.counted;
    WHEN 'DELETE' THEN
        INSERT INTO session_counts AS c (domain, node, epoch, counted)
        SELECT o.domain, o.node, o.epoch, -count(*) FROM old_rows o WHERE o.ending IS NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        ON CONFLICT (domain, node, epoch) DO UPDATE SET counted = c.counted + EXCLUDED.counted;
    WHEN 'UPDATE' THEN
        INSERT INTO session_counts AS c (domain, node, epoch, counted)
        SELECT d.domain, d.node, d.epoch, sum(d.n)
        FROM (SELECT domain, node, epoch, 1 AS n FROM new_rows WHERE ending IS NULL
            UNION ALL SELECT domain, node, epoch, -1 FROM old_rows WHERE ending IS NULL) d
        GROUP BY 1, 2, 3 HAVING sum(d.n) <> 0 ORDER BY 1, 2, 3
        ON CONFLICT (domain, node, epoch) DO UPDATE SET counted = c.counted + EXCLUDED.counted;
    ELSE
        DELETE FROM session_counts;
    END CASE;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION count_slots() IS 'Trigger: keeps session_counts.';
LOCK TABLE session_slots IN SHARE ROW EXCLUSIVE MODE;
CREATE TRIGGER count_inserted AFTER INSERT ON session_slots REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_slots();
CREATE TRIGGER count_updated AFTER UPDATE ON session_slots REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_slots();
CREATE TRIGGER count_deleted AFTER DELETE ON session_slots REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_slots();
CREATE TRIGGER count_truncated AFTER TRUNCATE ON session_slots
    FOR EACH STATEMENT EXECUTE FUNCTION count_slots();
INSERT INTO session_counts (domain, node, epoch, counted)
    SELECT domain, node, epoch, count(*) FROM session_slots WHERE ending IS NULL GROUP BY 1, 2, 3;

CREATE VIEW domain_sessions AS
SELECT c.domain, sum(c.counted)::bigint AS counted
FROM session_counts c JOIN nodes n ON n.name = c.node AND n.epoch = c.epoch
WHERE n.heartbeat_at > now() - interval '3 min'
GROUP BY c.domain;
COMMENT ON VIEW domain_sessions IS 'How many sessions count towards max_sessions of each domain now. As many as counted_sessions has, without counting them.';
COMMENT ON COLUMN domain_sessions.domain IS 'The domain; empty: none.';
COMMENT ON COLUMN domain_sessions.counted IS 'How many sessions.';

-- The sessions of an account, and the oldest of a domain, are found without a look at those that are ending. What a node has to end is found by the
-- few rows that say so; nothing else is looked for by node, but by a node that starts.
DROP INDEX session_slots_account, session_slots_domain, session_slots_node;
CREATE INDEX session_slots_account ON session_slots (account, since, session) WHERE ending IS NULL;
CREATE INDEX session_slots_domain ON session_slots (domain, since, session) WHERE ending IS NULL;
CREATE INDEX session_slots_ending ON session_slots (node) WHERE ending IS NOT NULL;

-- As before, but for the number of the domain. Plans are kept for as long as a connection lives, and one that was made
-- while the table was small must not read all of it later. Nor may it use a bitmap, which looks again and again at the
-- rows of sessions that are gone: an index scan marks them.
CREATE OR REPLACE FUNCTION enter_session(new_session text, new_node text, new_epoch bigint, new_account text, new_domain text,
    new_name text, new_peer inet, new_since timestamptz, account_limit integer, domain_limit integer, replace boolean)
RETURNS TABLE (verdict text, counted bigint, oldest text, oldest_node text, oldest_since timestamptz)
LANGUAGE plpgsql SET search_path = public, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET lock_timeout = '800ms'
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
            SELECT coalesce(sum(d.counted), 0) INTO counted FROM domain_sessions d WHERE d.domain = new_domain;
            -- A session does not stand in its own way.
            counted := counted - (SELECT count(*) FROM counted_sessions c WHERE c.session = new_session AND c.domain = new_domain);
        END IF;
        CONTINUE WHEN counted < most;
        IF NOT replace THEN
            IF scope = 'account' THEN
                SELECT c.session, c.node, c.since INTO oldest, oldest_node, oldest_since FROM counted_sessions c
                    WHERE c.session <> new_session AND c.account = new_account ORDER BY c.since, c.session LIMIT 1;
            ELSE
                SELECT c.session, c.node, c.since INTO oldest, oldest_node, oldest_since FROM counted_sessions c
                    WHERE c.session <> new_session AND c.domain = new_domain ORDER BY c.since, c.session LIMIT 1;
            END IF;
            verdict := scope;
            RETURN NEXT;
            RETURN;
        END IF;
        WITH leaving AS (
            (SELECT c.session FROM counted_sessions c WHERE scope = 'account' AND c.session <> new_session AND c.account = new_account
                ORDER BY c.since, c.session LIMIT counted - most + 1)
            UNION ALL
            (SELECT c.session FROM counted_sessions c WHERE scope = 'domain' AND c.session <> new_session AND c.domain = new_domain
                ORDER BY c.since, c.session LIMIT counted - most + 1)
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

-- What comes and goes on a node at the same moment, in one transaction: one round trip, one wait for the disk, one change
-- of each number. The locks of accounts and domains are taken first and in one order, so that nodes do not wait in a circle.
CREATE FUNCTION count_sessions(leaving text[], new_node text, new_epoch bigint, entering text[], accounts text[], domains text[],
    names text[], peers inet[], sinces timestamptz[], account_limits integer[], domain_limits integer[], replaces boolean[])
RETURNS TABLE (verdict text, counted bigint, oldest text, oldest_node text, oldest_since timestamptz)
LANGUAGE plpgsql SET search_path = public, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET lock_timeout = '800ms'
AS $$
#variable_conflict use_column
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('lnsgate account sessions'), l.key)
        FROM (SELECT DISTINCT hashtext(e.account) AS key FROM unnest(accounts, account_limits) e(account, most) WHERE e.most > 0 ORDER BY 1) l;
    PERFORM pg_advisory_xact_lock(hashtext('lnsgate domain sessions'), l.key)
        FROM (SELECT DISTINCT hashtext(e.domain) AS key FROM unnest(domains, domain_limits) e(domain, most) WHERE e.most > 0 ORDER BY 1) l;
    IF cardinality(leaving) > 0 THEN
        WITH gone AS MATERIALIZED (
            SELECT s.session FROM session_slots s WHERE s.session = ANY (leaving) ORDER BY s.since, s.session FOR UPDATE
        )
        DELETE FROM session_slots s USING gone g WHERE s.session = g.session;
    END IF;
    IF cardinality(entering) = 0 THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM nodes n WHERE n.name = new_node AND n.epoch = new_epoch) THEN
        RETURN QUERY SELECT 'superseded'::text, NULL::bigint, NULL::text, NULL::text, NULL::timestamptz FROM unnest(entering);
        RETURN;
    END IF;
    IF EXISTS (
        SELECT FROM (SELECT e.account, count(*) AS more, min(e.most) FILTER (WHERE e.most > 0) AS most
            FROM unnest(accounts, account_limits) e(account, most) GROUP BY e.account) a
        WHERE a.most IS NOT NULL AND a.more + (SELECT count(*) FROM counted_sessions c WHERE c.account = a.account) > a.most
    ) OR EXISTS (
        SELECT FROM (SELECT e.domain, count(*) AS more, min(e.most) FILTER (WHERE e.most > 0) AS most
            FROM unnest(domains, domain_limits) e(domain, most) GROUP BY e.domain) d
        WHERE d.most IS NOT NULL AND d.more + coalesce((SELECT sum(c.counted) FROM domain_sessions c WHERE c.domain = d.domain), 0) > d.most
    ) THEN
        -- Not all of them fit in, or one of them stands in its own way: one after the other.
        FOR i IN 1 .. cardinality(entering) LOOP
            RETURN QUERY SELECT * FROM enter_session(entering[i], new_node, new_epoch, accounts[i], domains[i], names[i], peers[i],
                sinces[i], account_limits[i], domain_limits[i], replaces[i]);
        END LOOP;
        RETURN;
    END IF;
    INSERT INTO session_slots (session, node, epoch, account, domain, name, peer, since)
        SELECT e.session, new_node, new_epoch, e.account, e.domain, e.name, e.peer, e.since
        FROM unnest(entering, accounts, domains, names, peers, sinces) e(session, account, domain, name, peer, since)
        ON CONFLICT (session) DO UPDATE SET node = EXCLUDED.node, epoch = EXCLUDED.epoch, account = EXCLUDED.account,
            domain = EXCLUDED.domain, name = EXCLUDED.name, peer = EXCLUDED.peer, since = EXCLUDED.since, ending = NULL;
    RETURN QUERY SELECT 'entered'::text, NULL::bigint, NULL::text, NULL::text, NULL::timestamptz FROM unnest(entering);
END $$;
COMMENT ON FUNCTION count_sessions(text[], text, bigint, text[], text[], text[], text[], inet[], timestamptz[], integer[], integer[], boolean[]) IS
'Counts sessions out, and then others in as enter_session does: one answer for each, in their order. No session may be there twice.';

COMMENT ON COLUMN accounts.max_sessions IS 'The most sessions of the account on all nodes together; 0: no limit; null: as profile or domain say.';
COMMENT ON COLUMN profiles.max_sessions IS 'The most sessions of each account on all nodes together; 0: no limit; null: as the domain says.';

-- Whoever makes the roles later gets the rights on what came after 00010 as well.
CREATE OR REPLACE FUNCTION grant_roles() RETURNS text[]
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
DECLARE
    config constant text := 'domains, domain_aliases, profiles, accounts, pools, pool_ranges, domain_pools, static_addresses';
    hot    constant text := 'nodes, pool_blocks, leases, sessions, session_slots, accounting, logins';
    views  constant text := 'pool_usage, account_overview, session_counts, counted_sessions, domain_sessions';
    open   constant text := 'account, kind, key_id, changed_at';
    shown  text;
    role   text;
    done   text[] := '{}';
BEGIN
    SELECT string_agg(quote_ident(column_name), ', ') INTO shown FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name = 'accounts' AND column_name <> 'password';
    FOR role IN SELECT rolname FROM pg_roles WHERE rolname IN ('lnsgate_daemon', 'lnsgate_admin', 'lnsgate_reader') ORDER BY 1 LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA public, freeradius TO %I', role);
        EXECUTE format('GRANT SELECT ON audit, lnsgate_schema, %s, %s TO %I', hot, views, role);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA freeradius TO %I', role);
        EXECUTE format('GRANT EXECUTE ON FUNCTION end_session(text, text), who_had(inet, timestamptz) TO %I', role);
        CASE role
        WHEN 'lnsgate_daemon' THEN
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s, %s, credentials TO %I', config, hot, role);
            EXECUTE format('GRANT DELETE ON session_counts TO %I', role);
            EXECUTE format('GRANT USAGE ON SEQUENCE accounting_id TO %I', role);
            EXECUTE format('GRANT EXECUTE ON FUNCTION make_partitions(integer, integer), set_password(text, text), '
                'enter_session(text, text, bigint, text, text, text, inet, timestamptz, integer, integer, boolean), '
                'count_sessions(text[], text, bigint, text[], text[], text[], text[], inet[], timestamptz[], integer[], integer[], boolean[]) TO %I', role);
        WHEN 'lnsgate_admin' THEN
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', config, role);
            EXECUTE format('GRANT SELECT (%s), INSERT, UPDATE, DELETE ON credentials TO %I', open, role);
            EXECUTE format('GRANT EXECUTE ON FUNCTION set_password(text, text) TO %I', role);
        ELSE
            EXECUTE format('GRANT SELECT ON %s TO %I', replace(config, ' accounts,', ''), role);
            EXECUTE format('GRANT SELECT (%s) ON accounts TO %I', shown, role);
            EXECUTE format('GRANT SELECT (%s) ON credentials TO %I', open, role);
        END CASE;
        done := done || role;
    END LOOP;
    RETURN done;
END $$;
REVOKE EXECUTE ON FUNCTION count_slots(), count_sessions(text[], text, bigint, text[], text[], text[], text[], inet[], timestamptz[],
    integer[], integer[], boolean[]) FROM PUBLIC;
SELECT grant_roles();

-- +goose StatementEnd
