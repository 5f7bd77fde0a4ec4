-- +goose Up
-- +goose StatementBegin
SET LOCAL search_path = public;
SET LOCAL lock_timeout = '2s'; -- who waits for a lock has all others wait behind it

-- What explains a login, so that it can be read for as long as the row is kept, from every node.
ALTER TABLE logins
    ADD COLUMN cause            text,
    ADD COLUMN particular       text,
    ADD COLUMN fingerprint      text,
    ADD COLUMN vendor           text,
    ADD COLUMN l2tp_group       text,
    ADD COLUMN virtual_template text,
    ADD COLUMN local_tunnel     integer,
    ADD COLUMN local_session    integer,
    ADD COLUMN rule             text,
    ADD COLUMN pool             text,
    ADD COLUMN address_because  text,
    ADD COLUMN steps            jsonb;
COMMENT ON COLUMN logins.cause IS 'The verdict in one word: see lnsgate explain --causes. Null: it is from before there were such words, or of another NAS.';
COMMENT ON COLUMN logins.particular IS 'What the verdict says of this one case.';
COMMENT ON COLUMN logins.fingerprint IS 'What the peer looks like: Windows 10 or 11, MikroTik RouterOS, ...';
COMMENT ON COLUMN logins.vendor IS 'The vendor name that the peer gave for the tunnel.';
COMMENT ON COLUMN logins.l2tp_group IS 'The l2tp group that matched the peer.';
COMMENT ON COLUMN logins.virtual_template IS 'The virtual template that it was put on.';
COMMENT ON COLUMN logins.local_tunnel IS 'The tunnel id that we chose.';
COMMENT ON COLUMN logins.local_session IS 'The session id that we chose; null: there was no call.';
COMMENT ON COLUMN logins.rule IS 'Which rule chose the domain.';
COMMENT ON COLUMN logins.pool IS 'The pool of the address.';
COMMENT ON COLUMN logins.address_because IS 'Why this address.';
COMMENT ON COLUMN logins.steps IS 'Every step from the first datagram on, without passwords or responses; null where trace.steps leaves them out.';
COMMENT ON TABLE logins IS 'Every attempt to log in, with its verdict. Partitioned by month (UTC); the nodes drop months that are older than trace.keep_days.';

CREATE FUNCTION drop_logins(keep interval) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s'
AS $$
DECLARE
    dropped integer := 0;
    child   text;
BEGIN
    IF keep IS NULL OR keep < interval '1 day' THEN
        RAISE EXCEPTION 'logins are kept for one day at least' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('lnsgate partitions'));
    FOR child IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'logins'::regclass AND c.relname ~ '^logins_[0-9]{4}_[0-9]{2}$'
          AND to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month' <= now() - keep
    LOOP
        EXECUTE format('DROP TABLE %I', child);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM logins_other WHERE at < now() - keep;
    RETURN dropped;
END $$;
COMMENT ON FUNCTION drop_logins(interval) IS 'Drops the months of logins that are older, and answers how many. The nodes call it every day, as trace.keep_days says.';
REVOKE EXECUTE ON FUNCTION drop_logins(interval) FROM PUBLIC;

DO $$
DECLARE
    here   constant text := 'make_partitions(integer, integer), set_password';
    before text := pg_get_functiondef('grant_roles()'::regprocedure);
BEGIN
    IF position(here IN before) = 0 THEN
        RAISE EXCEPTION 'grant_roles() is not the one that this migration knows';
    END IF;
    EXECUTE replace(before, here, 'drop_logins(interval), ' || here);
END $$;
SELECT grant_roles();

-- +goose StatementEnd
