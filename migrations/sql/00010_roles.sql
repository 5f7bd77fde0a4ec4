-- +goose Up
-- +goose StatementBegin
--
-- Three roles to be granted to people and programs: GRANT lnsgate_reader TO billing.
--   lnsgate_daemon   what a node needs, all but the schema itself
--   lnsgate_admin    domains, accounts, pools; may set passwords and cannot read credentials
--   lnsgate_reader   may read everything but passwords and credentials
-- Roles belong to the whole server. Who migrates without the right to make them goes on without, and whoever makes them
-- later calls grant_roles().
SET LOCAL search_path = public;

DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY '{lnsgate_daemon,lnsgate_admin,lnsgate_reader}'::text[] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role);
            EXCEPTION
                WHEN insufficient_privilege THEN
                    RAISE NOTICE 'no right to make role %: let a superuser make it, then SELECT grant_roles()', role;
                WHEN duplicate_object OR unique_violation THEN
                    NULL; -- another database of this server was faster
            END;
        END IF;
    END LOOP;
END $$;

CREATE FUNCTION grant_roles() RETURNS text[]
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
DECLARE
    config constant text := 'domains, domain_aliases, profiles, accounts, pools, pool_ranges, domain_pools, static_addresses';
    hot    constant text := 'nodes, pool_blocks, leases, sessions, accounting, logins';
    views  constant text := 'pool_usage, account_overview';
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
            EXECUTE format('GRANT USAGE ON SEQUENCE accounting_id TO %I', role);
            EXECUTE format('GRANT EXECUTE ON FUNCTION make_partitions(integer, integer), set_password(text, text) TO %I', role);
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
COMMENT ON FUNCTION grant_roles() IS 'Gives lnsgate_daemon, lnsgate_admin and lnsgate_reader their rights, as far as they exist, and answers which do.';

REVOKE EXECUTE ON FUNCTION make_partition(text, text, date), make_partitions(integer, integer), end_session(text, text),
    who_had(inet, timestamptz), set_password(text, text), grant_roles() FROM PUBLIC;
SELECT grant_roles();

-- +goose StatementEnd
