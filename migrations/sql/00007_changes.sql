-- +goose Up
-- +goose StatementBegin
SET LOCAL search_path = public;

CREATE TABLE audit (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor       text NOT NULL DEFAULT session_user,
    application text NOT NULL DEFAULT current_setting('application_name', true),
    action      text NOT NULL,
    table_name  text NOT NULL,
    key         text NOT NULL,
    before      jsonb,
    after       jsonb
);
CREATE INDEX audit_key ON audit (table_name, key);
CREATE INDEX audit_at ON audit USING brin (at);
COMMENT ON TABLE audit IS 'Every change of domains, accounts, pools and what belongs to them: who, when, what. Written by the database. Never a password.';
COMMENT ON COLUMN audit.id IS 'Counts the changes.';
COMMENT ON COLUMN audit.at IS 'When.';
COMMENT ON COLUMN audit.actor IS 'The database user.';
COMMENT ON COLUMN audit.application IS 'The program, as it called itself.';
COMMENT ON COLUMN audit.action IS 'INSERT, UPDATE or DELETE.';
COMMENT ON COLUMN audit.table_name IS 'Where.';
COMMENT ON COLUMN audit.key IS 'Which domain, account, profile or pool.';
COMMENT ON COLUMN audit.before IS 'The row before, without secrets; null when it was made, or got another name.';
COMMENT ON COLUMN audit.after IS 'The row after, without secrets; null when it was deleted, or lost its name.';

CREATE FUNCTION without_secrets(line jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN line ->> 'password' IS NULL THEN line - 'value'
    ELSE (line - 'value') || '{"password": "(set)"}'::jsonb END;
COMMENT ON FUNCTION without_secrets(jsonb) IS 'A row as audit may keep it.';

-- One call per statement, whatever the number of rows. Arguments: the column that names the object in notifications and
-- in audit, and the columns that tell rows apart when old and new ones are put side by side.
CREATE FUNCTION record_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    named text := TG_ARGV[0];
    parts text[] := string_to_array(TG_ARGV[1], ',');
    keys  text[];
    key   text;
BEGIN
    CASE TG_OP
    WHEN 'INSERT' THEN
        WITH added AS (
            INSERT INTO audit (action, table_name, key, after)
            SELECT TG_OP, TG_TABLE_NAME, to_jsonb(n) ->> named, without_secrets(to_jsonb(n)) FROM new_rows n RETURNING audit.key)
        SELECT array_agg(DISTINCT added.key) INTO keys FROM added;
    WHEN 'DELETE' THEN
        WITH added AS (
            INSERT INTO audit (action, table_name, key, before)
            SELECT TG_OP, TG_TABLE_NAME, to_jsonb(o) ->> named, without_secrets(to_jsonb(o)) FROM old_rows o RETURNING audit.key)
        SELECT array_agg(DISTINCT added.key) INTO keys FROM added;
    ELSE
        WITH o AS (SELECT to_jsonb(r) AS line, ARRAY(SELECT to_jsonb(r) ->> p FROM unnest(parts) p) AS id FROM old_rows r),
        n AS (SELECT to_jsonb(r) AS line, ARRAY(SELECT to_jsonb(r) ->> p FROM unnest(parts) p) AS id FROM new_rows r),
        changed AS (
            SELECT o.line AS before, n.line AS after FROM o FULL JOIN n ON n.id = o.id WHERE o.line IS DISTINCT FROM n.line),
        added AS (
            INSERT INTO audit (action, table_name, key, before, after)
            SELECT TG_OP, TG_TABLE_NAME, coalesce(c.after, c.before) ->> named, without_secrets(c.before), without_secrets(c.after)
            FROM changed c)
        SELECT array_agg(DISTINCT k) INTO keys FROM changed c, unnest(ARRAY[c.before ->> named, c.after ->> named]) k
        WHERE k IS NOT NULL;
    END CASE;
    IF cardinality(keys) > 100 THEN
        PERFORM pg_notify('lnsgate', json_build_object('table', TG_TABLE_NAME, 'op', lower(TG_OP), 'all', true)::text);
    ELSIF keys IS NOT NULL THEN
        FOREACH key IN ARRAY keys LOOP
            PERFORM pg_notify('lnsgate', json_build_object('table', TG_TABLE_NAME, 'op', lower(TG_OP), 'key', key)::text);
        END LOOP;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION record_change() IS
'Trigger: writes audit and tells the nodes. Channel lnsgate, payload {"table","op","key"}; of more than 100 objects in one statement {"table","op","all":true}.';

CREATE FUNCTION record_truncate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    INSERT INTO audit (action, table_name, key) VALUES (TG_OP, TG_TABLE_NAME, '');
    PERFORM pg_notify('lnsgate', json_build_object('table', TG_TABLE_NAME, 'op', 'delete', 'all', true)::text);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION record_truncate() IS 'Trigger: TRUNCATE is recorded and told as well.';

DO $$
DECLARE
    t record;
BEGIN
    FOR t IN VALUES
        ('domains', 'name', 'name'), ('domain_aliases', 'domain', 'alias'), ('accounts', 'name', 'id'),
        ('credentials', 'account', 'account,kind'), ('profiles', 'name', 'name'), ('pools', 'name', 'name'),
        ('pool_ranges', 'pool', 'pool,kind,range'), ('domain_pools', 'domain', 'domain,pool'),
        ('static_addresses', 'account', 'routing_context,address')
    LOOP
        EXECUTE format('CREATE TRIGGER zz_inserted AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION record_change(%L, %L)', t.column1, t.column2, t.column3);
        EXECUTE format('CREATE TRIGGER zz_updated AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION record_change(%L, %L)', t.column1, t.column2, t.column3);
        EXECUTE format('CREATE TRIGGER zz_deleted AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION record_change(%L, %L)', t.column1, t.column2, t.column3);
        EXECUTE format('CREATE TRIGGER zz_truncated AFTER TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION record_truncate()', t.column1);
    END LOOP;
END $$;

-- +goose StatementEnd
