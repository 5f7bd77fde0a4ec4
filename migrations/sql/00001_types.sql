-- +goose Up
-- +goose StatementBegin
--
-- THE MAP. Everything lives in the schema "public". Names are the keys: a pool is called by its name in every table, and
-- a renamed object is renamed everywhere (ON UPDATE CASCADE). Names make SQL by hand pleasant and save the join that a
-- number would need; the tables that a login reads are looked up by name anyway.
--
--   what administrators write            key                          file
--     domains                            name (lower case)            00002
--     domain_aliases                     alias -> domain              00002
--     profiles                           name                         00003
--     accounts                           name, as typed               00003
--     credentials                        account, kind                00003
--     pools                              name                         00004
--     pool_ranges                        pool, kind, range            00004
--     domain_pools                       domain, pool (ordinal)       00004
--     static_addresses                   routing_context, address     00004
--   what the nodes write
--     nodes                              name                         00005
--     pool_blocks                        routing_context, first_address
--     leases                             routing_context, address
--     sessions                           id: the live ones            00006
--     accounting                         session, started_at: one row per session, by month
--     logins                             attempt, at: one row per attempt, by month
--   what the database writes
--     audit                              id: every change of the first group, without secrets   00007
--   views: pool_usage, account_overview (00008), and the FreeRADIUS shape (00009)
--
-- Every change of the first group is announced on the channel "lnsgate" when it is committed (00007). The tables of the
-- second group are written too often for that and announce nothing; they have no foreign keys either, because a foreign
-- key would lock the one row of a busy pool for every lease, and because their rows outlive what they speak of.

SET LOCAL search_path = public;

CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA public;

CREATE TYPE addr_range AS RANGE (subtype = inet);
COMMENT ON TYPE addr_range IS 'A run of addresses, both ends included. Made for the constraints that refuse overlaps.';

-- Spelled out beyond ASCII, because what [:space:] means there differs from one locale to the next.
CREATE FUNCTION has_blank(words text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN words ~ '[[:space:][:cntrl:]\u0080-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]';
COMMENT ON FUNCTION has_blank(text) IS 'True if there is white space or a control character in it.';

CREATE FUNCTION is_host(address inet) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN masklen(address) = CASE family(address) WHEN 4 THEN 32 ELSE 128 END;
COMMENT ON FUNCTION is_host(inet) IS 'True for one address, false for a network such as 10.0.0.0/24.';

CREATE FUNCTION are_servers(addresses inet[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cardinality(addresses) <= 2 AND array_position(addresses, NULL) IS NULL
    AND coalesce((SELECT bool_and(masklen(a) = CASE family(a) WHEN 4 THEN 32 ELSE 128 END) FROM unnest(addresses) a), true);
COMMENT ON FUNCTION are_servers(inet[]) IS 'True for at most two single addresses.';

-- The forms and their meaning are those of the configuration file.
CREATE FUNCTION parse_range(range text, kind text) RETURNS addr_range
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT
SET search_path = public, pg_temp
AS $$
DECLARE
    net cidr;
    a   inet;
    z   inet;
    ends text[];
BEGIN
    IF position('/' IN range) > 0 THEN
        net := btrim(range)::cidr;
        a := set_masklen(net::inet, CASE family(net) WHEN 4 THEN 32 ELSE 128 END);
        z := set_masklen(broadcast(net), CASE family(net) WHEN 4 THEN 32 ELSE 128 END);
        IF kind = 'include' AND masklen(a) - masklen(net) >= 2 THEN
            a := a + 1;
            IF family(net) = 4 THEN
                z := z - 1;
            END IF;
        END IF;
        RETURN addr_range(a, z, '[]');
    END IF;
    ends := string_to_array(range, '-');
    IF cardinality(ends) NOT BETWEEN 1 AND 2 THEN
        RAISE EXCEPTION '%: a range is first-last, a network like 10.20.0.0/24, or one address', quote_literal(range)
            USING ERRCODE = 'invalid_text_representation';
    END IF;
    a := btrim(ends[1])::inet;
    z := btrim(ends[cardinality(ends)])::inet;
    IF family(a) <> family(z) THEN
        RAISE EXCEPTION 'range % mixes IPv4 and IPv6', quote_literal(range) USING ERRCODE = 'invalid_text_representation';
    ELSIF z < a THEN
        RAISE EXCEPTION 'range % ends before it begins', quote_literal(range) USING ERRCODE = 'invalid_text_representation';
    END IF;
    RETURN addr_range(a, z, '[]');
END $$;
COMMENT ON FUNCTION parse_range(text, text) IS
'Reads first-last, a network, or one address. Of an included IPv4 network the network and the broadcast address are left out, of an IPv6 network the first address; an excluded network means all its addresses.';

CREATE FUNCTION range_size(first inet, last inet) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT
AS $$
BEGIN
    RETURN (last - first)::numeric + 1;
EXCEPTION WHEN numeric_value_out_of_range THEN
    RETURN 2::numeric ^ 64;
END $$;
COMMENT ON FUNCTION range_size(inet, inet) IS 'How many addresses lie from first to last, both included. 2^64 stands for more than a bigint holds.';

-- +goose StatementEnd
