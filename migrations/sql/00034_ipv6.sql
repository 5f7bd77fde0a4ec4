-- +goose Up
-- +goose StatementBegin
SET LOCAL search_path = public;
SET LOCAL lock_timeout = '2s'; -- who waits for a lock has all others wait behind it

-- IPv6 is given in prefixes. A prefix is known by its first address, in every table, with its length beside it; so what finds
-- addresses finds prefixes.
CREATE FUNCTION last_of(address inet, prefix_length integer) RETURNS inet
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN prefix_length IS NULL THEN address
    ELSE set_masklen(broadcast(set_masklen(address, prefix_length)), CASE family(address) WHEN 4 THEN 32 ELSE 128 END) END;
COMMENT ON FUNCTION last_of(inet, integer) IS 'The last address of the prefix that an address lies in; the address itself where there is no length.';

CREATE FUNCTION address_number(address inet) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT sum(get_byte(inet_send(address), 4 + i) * 256::numeric ^ (CASE family(address) WHEN 4 THEN 3 ELSE 15 END - i))
    FROM generate_series(0, CASE family(address) WHEN 4 THEN 3 ELSE 15 END) i);
COMMENT ON FUNCTION address_number(inet) IS 'An address as a number.';

CREATE FUNCTION prefix_count(first inet, last inet, prefix_length integer) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN prefix_length IS NULL THEN range_size(first, last)
    ELSE div(address_number(last) - address_number(first), 2::numeric ^ (128 - prefix_length)) + 1 END;
COMMENT ON FUNCTION prefix_count(inet, inet, integer) IS 'How many prefixes of a length, or addresses, lie from first to last.';

ALTER TABLE pools
    ADD COLUMN prefix_length smallint,
    ADD CONSTRAINT pools_prefix_length CHECK (prefix_length IS NULL OR (family = 6 AND prefix_length BETWEEN 16 AND 127));
COMMENT ON COLUMN pools.prefix_length IS 'Of IPv6: the pool gives prefixes of so many bits, 64 for the links of subscribers, less, such as 56, to delegate. It never changes: make another pool. Null: it gives single addresses.';
COMMENT ON TABLE pools IS 'Pools of addresses, or of IPv6 prefixes, shared by all nodes. INSERT INTO pools(name) VALUES (''sales'') is enough, and of IPv6 INSERT INTO pools(name, prefix_length) VALUES (''sales6'', 64); what they give comes from pool_ranges.';

CREATE FUNCTION keep_prefix_length() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.family := 6;
    ELSIF NEW.prefix_length IS DISTINCT FROM OLD.prefix_length THEN
        RAISE EXCEPTION 'pool % gives prefixes of one length for ever', quote_literal(OLD.name)
            USING ERRCODE = 'check_violation', TABLE = 'pools', CONSTRAINT = 'pools_prefix_length_stays', HINT = 'Make another pool.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION keep_prefix_length() IS 'Trigger: a pool of prefixes is one of IPv6, and stays as it is.';
CREATE TRIGGER a_prefix BEFORE INSERT ON pools FOR EACH ROW WHEN (NEW.prefix_length IS NOT NULL) EXECUTE FUNCTION keep_prefix_length();
CREATE TRIGGER b_prefix BEFORE UPDATE OF prefix_length ON pools FOR EACH ROW EXECUTE FUNCTION keep_prefix_length();

-- What nodes have of a pool of prefixes.
ALTER TABLE pool_blocks ADD COLUMN prefix_length smallint;
COMMENT ON COLUMN pool_blocks.prefix_length IS 'Of a pool of prefixes: their length. The block is made of whole ones.';

ALTER TABLE leases
    ADD COLUMN prefix_length smallint,
    ADD CONSTRAINT leases_prefix_length CHECK (prefix_length IS NULL OR (family(address) = 6 AND prefix_length BETWEEN 1 AND 127
        AND address = host(network(set_masklen(address, prefix_length)))::inet)),
    ADD CONSTRAINT leases_overlap EXCLUDE USING gist
        (routing_context WITH =, addr_range(address, last_of(address, prefix_length), '[]') WITH &&) WHERE (family(address) = 6);
COMMENT ON COLUMN leases.address IS 'The address; of a prefix, its first one.';
COMMENT ON COLUMN leases.prefix_length IS 'The length of the prefix: set_masklen(address, prefix_length) shows it. Null: a single address.';
COMMENT ON TABLE leases IS 'Who has which address or prefix. One row per address, and no two of IPv6 overlap, so nothing can be in two hands. Written by the nodes.';

-- Fixed prefixes, beside fixed addresses.
ALTER TABLE static_addresses
    ADD COLUMN prefix_length smallint,
    ADD COLUMN delegated boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT static_addresses_prefix CHECK (prefix_length IS NULL OR (family(address) = 6 AND prefix_length BETWEEN 16 AND 127
        AND address = host(network(set_masklen(address, prefix_length)))::inet)),
    ADD CONSTRAINT static_addresses_delegated CHECK (NOT delegated OR prefix_length IS NOT NULL),
    ADD CONSTRAINT static_addresses_link CHECK (delegated OR prefix_length IS NULL OR prefix_length = 64),
    ADD CONSTRAINT static_addresses_overlap EXCLUDE USING gist
        (routing_context WITH =, addr_range(address, last_of(address, prefix_length), '[]') WITH &&) WHERE (family(address) = 6);
DROP INDEX static_addresses_account;
CREATE UNIQUE INDEX static_addresses_account ON static_addresses (account, family(address), delegated);
COMMENT ON TABLE static_addresses IS 'Fixed addresses and prefixes: one account, nobody else gets it, inside a pool or outside of all. INSERT INTO static_addresses(account, address) VALUES (''alice@sales.example'', ''10.20.0.7''), or of IPv6 (''alice@sales.example'', ''2001:db8:0:7::/64'').';
COMMENT ON COLUMN static_addresses.account IS 'Who gets it. At most one IPv4 address, one IPv6 prefix for its link and one for the networks behind it.';
COMMENT ON COLUMN static_addresses.address IS 'One IPv4 address, or an IPv6 prefix such as 2001:db8:0:7::/64; its length moves to prefix_length.';
COMMENT ON COLUMN static_addresses.prefix_length IS 'The length of the prefix. Null: a single address.';
COMMENT ON COLUMN static_addresses.delegated IS 'True: the prefix is for the networks behind the subscriber (DHCPv6 prefix delegation). False: for its link, a /64.';

CREATE FUNCTION split_static_prefix() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
DECLARE
    other text;
BEGIN
    IF masklen(NEW.address) < 128 THEN
        IF NEW.address <> network(NEW.address)::inet THEN
            RAISE EXCEPTION '% has bits set behind the prefix; the network is %', NEW.address, network(NEW.address)
                USING ERRCODE = 'check_violation', TABLE = 'static_addresses', CONSTRAINT = 'static_addresses_prefix';
        END IF;
        NEW.prefix_length := masklen(NEW.address);
        NEW.address := host(NEW.address)::inet;
    ELSIF TG_OP = 'UPDATE' AND NEW.address <> OLD.address AND NEW.prefix_length = OLD.prefix_length THEN
        NEW.prefix_length := NULL; -- it was that of the other address
    END IF;
    SELECT format('pool %L, which gives %s', r.pool, coalesce('prefixes of /' || r.prefix_length, 'addresses')) INTO other
    FROM pool_ranges r
    WHERE r.kind = 'include' AND r.family = 6 AND r.routing_context = NEW.routing_context AND r.prefix_length IS DISTINCT FROM NEW.prefix_length
        AND addr_range(r.first_address, r.last_address, '[]') && addr_range(NEW.address, last_of(NEW.address, NEW.prefix_length), '[]')
        AND NOT EXISTS (SELECT FROM pool_ranges e WHERE e.pool = r.pool AND e.kind = 'exclude'
            AND addr_range(e.first_address, e.last_address, '[]') @> addr_range(NEW.address, last_of(NEW.address, NEW.prefix_length), '[]'));
    IF FOUND THEN
        RAISE EXCEPTION '% lies in %', set_masklen(NEW.address, coalesce(NEW.prefix_length, 128)), other
            USING ERRCODE = 'check_violation', TABLE = 'static_addresses', CONSTRAINT = 'static_addresses_length',
                  HINT = 'Exclude it from the pool first, or choose one of those.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION split_static_prefix() IS 'Trigger: a fixed prefix is kept as its first address and its length, and is one that its pool gives.';
CREATE TRIGGER a_prefix BEFORE INSERT OR UPDATE ON static_addresses FOR EACH ROW WHEN (family(NEW.address) = 6)
    EXECUTE FUNCTION split_static_prefix();

-- What a range means depends on the length, which is that of the pool.
ALTER TABLE pool_ranges
    ALTER COLUMN first_address DROP EXPRESSION,
    ALTER COLUMN last_address DROP EXPRESSION,
    ADD COLUMN prefix_length smallint;
COMMENT ON COLUMN pool_ranges.range IS 'first-last with both ends, a network (without its first and last address), or one address. Of a pool of prefixes: all prefixes that it touches.';
COMMENT ON COLUMN pool_ranges.prefix_length IS 'Derived: that of the pool.';

CREATE OR REPLACE FUNCTION fill_pool_range() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
DECLARE
    span  addr_range;
    other text;
BEGIN
    NEW.prefix_length := NULL;
    SELECT routing_context, family, prefix_length INTO NEW.routing_context, NEW.family, NEW.prefix_length FROM pools WHERE name = NEW.pool;
    IF NOT FOUND THEN
        NEW.routing_context := 'default';
        NEW.family := 4;
        IF position(':' IN NEW.range) > 0 THEN
            NEW.family := 6;
        END IF;
    END IF;
    span := parse_range(NEW.range, CASE WHEN NEW.prefix_length IS NULL THEN NEW.kind ELSE 'exclude' END); -- a prefix leaves nothing out
    NEW.first_address := lower(span);
    NEW.last_address := upper(span);
    IF NEW.prefix_length IS NULL OR family(NEW.first_address) = 4 THEN
        RETURN NEW;
    END IF;
    NEW.first_address := host(network(set_masklen(NEW.first_address, NEW.prefix_length)))::inet;
    NEW.last_address := last_of(NEW.last_address, NEW.prefix_length);
    IF NEW.kind <> 'include' THEN
        RETURN NEW;
    END IF;
    span := addr_range(NEW.first_address, NEW.last_address, '[]');
    SELECT format('a session still holds %s of it', set_masklen(l.address, coalesce(l.prefix_length, 128))) INTO other
    FROM leases l
    WHERE l.routing_context = NEW.routing_context AND family(l.address) = 6 AND addr_range(l.address, last_of(l.address, l.prefix_length), '[]') && span
        AND l.prefix_length IS DISTINCT FROM NEW.prefix_length AND (l.state = 'bound' OR l.state = 'offered' AND l.expires_at > now()) LIMIT 1;
    IF other IS NULL THEN
        SELECT format('account %L has %s of it', s.account, set_masklen(s.address, coalesce(s.prefix_length, 128))) INTO other
        FROM static_addresses s
        WHERE s.routing_context = NEW.routing_context AND family(s.address) = 6
            AND addr_range(s.address, last_of(s.address, s.prefix_length), '[]') && span AND s.prefix_length IS DISTINCT FROM NEW.prefix_length
            AND NOT EXISTS (SELECT FROM pool_ranges e WHERE e.pool = NEW.pool AND e.kind = 'exclude'
                AND addr_range(e.first_address, e.last_address, '[]') @> addr_range(s.address, last_of(s.address, s.prefix_length), '[]')) LIMIT 1;
    END IF;
    IF other IS NOT NULL THEN
        RAISE EXCEPTION 'range % cannot give prefixes of /%: %', NEW.range, NEW.prefix_length, other
            USING ERRCODE = 'exclusion_violation', TABLE = 'pool_ranges', CONSTRAINT = 'pool_ranges_length',
                  HINT = 'Add it when the session has ended, or after an exclusion of what the account has.';
    END IF;
    RETURN NEW;
END $$;

-- Where they come from, in the words of the configuration file.
CREATE FUNCTION are_ipv6_servers(addresses inet[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cardinality(addresses) <= 3 AND array_position(addresses, NULL) IS NULL
    AND coalesce((SELECT bool_and(family(a) = 6 AND masklen(a) = 128) FROM unnest(addresses) a), true);
COMMENT ON FUNCTION are_ipv6_servers(inet[]) IS 'True for at most three single IPv6 addresses.';

ALTER TABLE domains
    ADD COLUMN ipv6_pools text[],
    ADD COLUMN delegated_pools text[],
    ADD COLUMN ipv6_dns inet[] CONSTRAINT domains_ipv6_dns CHECK (are_ipv6_servers(ipv6_dns));
COMMENT ON COLUMN domains.ipv6_pools IS 'Pools of /64 prefixes for the links of subscribers, in order: {sales6}. Null: no IPv6.';
COMMENT ON COLUMN domains.delegated_pools IS 'Pools of prefixes for the networks behind subscribers (DHCPv6 prefix delegation), in order. Null: none.';
COMMENT ON COLUMN domains.ipv6_dns IS 'DNS servers told to subscribers over IPv6, at most 3; null: those of the virtual template.';

ALTER TABLE profiles
    ADD COLUMN ipv6_pool text REFERENCES pools (name) ON UPDATE CASCADE,
    ADD COLUMN delegated_pool text REFERENCES pools (name) ON UPDATE CASCADE,
    ADD COLUMN ipv6_dns inet[] CONSTRAINT profiles_ipv6_dns CHECK (are_ipv6_servers(ipv6_dns));
COMMENT ON COLUMN profiles.ipv6_pool IS 'A pool of /64 prefixes instead of those of the domain; null: as the domain says.';
COMMENT ON COLUMN profiles.delegated_pool IS 'A pool of prefixes to delegate instead of those of the domain; null: as the domain says.';
COMMENT ON COLUMN profiles.ipv6_dns IS 'DNS servers told over IPv6; null: as the domain says.';

ALTER TABLE accounts
    ADD COLUMN ipv6_pool text REFERENCES pools (name) ON UPDATE CASCADE,
    ADD COLUMN delegated_pool text REFERENCES pools (name) ON UPDATE CASCADE,
    ADD COLUMN ipv6_dns inet[] CONSTRAINT accounts_ipv6_dns CHECK (are_ipv6_servers(ipv6_dns));
COMMENT ON COLUMN accounts.ipv6_pool IS 'A pool of /64 prefixes; null: as profile, then domain say. A prefix of its own is in static_addresses.';
COMMENT ON COLUMN accounts.delegated_pool IS 'A pool of prefixes to delegate; null: as profile, then domain say.';
COMMENT ON COLUMN accounts.ipv6_dns IS 'DNS servers told over IPv6; null: as profile, then domain say.';
CREATE INDEX accounts_ipv6_pool ON accounts (ipv6_pool) WHERE ipv6_pool IS NOT NULL;
CREATE INDEX accounts_delegated_pool ON accounts (delegated_pool) WHERE delegated_pool IS NOT NULL;

CREATE FUNCTION check_prefix_pools(who text, pools text[], link boolean) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
DECLARE
    bad record;
BEGIN
    PERFORM FROM pools p WHERE p.name = ANY ($2) FOR KEY SHARE;
    SELECT u.name, p.name IS NULL AS missing, p.prefix_length INTO bad FROM unnest($2) u(name) LEFT JOIN pools p ON p.name = u.name
        WHERE p.prefix_length IS NULL OR (link AND p.prefix_length <> 64) OR p.prefix_length > 64 LIMIT 1;
    IF NOT FOUND THEN
        RETURN;
    ELSIF bad.missing THEN
        RAISE EXCEPTION '%: there is no pool %', who, quote_nullable(bad.name) USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'prefix_pools_fkey';
    ELSIF bad.prefix_length IS NULL THEN
        RAISE EXCEPTION '%: pool % gives addresses; a pool of IPv6 prefixes has a prefix_length', who, quote_literal(bad.name)
            USING ERRCODE = 'check_violation', CONSTRAINT = 'prefix_pools_family';
    END IF;
    RAISE EXCEPTION '%: pool % gives prefixes of /%; %', who, quote_literal(bad.name), bad.prefix_length,
        CASE WHEN link THEN 'hosts make addresses only of /64' ELSE 'a subscriber cannot divide one longer than /64' END
        USING ERRCODE = 'check_violation', CONSTRAINT = 'prefix_pools_length';
END $$;
COMMENT ON FUNCTION check_prefix_pools(text, text[], boolean) IS 'Refuses pools that do not exist, or do not give prefixes for a link or to delegate.';

CREATE FUNCTION refuse_unfit_prefix_pools() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
BEGIN
    IF TG_TABLE_NAME = 'domains' THEN
        PERFORM check_prefix_pools(format('domain %L', NEW.name), NEW.ipv6_pools, true);
        PERFORM check_prefix_pools(format('domain %L', NEW.name), NEW.delegated_pools, false);
    ELSE
        PERFORM check_prefix_pools(format('%s %L', rtrim(TG_TABLE_NAME, 's'), NEW.name), array_remove(ARRAY[NEW.ipv6_pool], NULL), true);
        PERFORM check_prefix_pools(format('%s %L', rtrim(TG_TABLE_NAME, 's'), NEW.name), array_remove(ARRAY[NEW.delegated_pool], NULL), false);
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION refuse_unfit_prefix_pools() IS 'Trigger: pools for IPv6 are pools of prefixes.';
CREATE TRIGGER c_ipv6 BEFORE INSERT OR UPDATE OF ipv6_pools, delegated_pools ON domains FOR EACH ROW
    WHEN (NEW.ipv6_pools IS NOT NULL OR NEW.delegated_pools IS NOT NULL) EXECUTE FUNCTION refuse_unfit_prefix_pools();
-- Depth 0: a renamed pool is carried along by the foreign key.
CREATE TRIGGER c_ipv6 BEFORE INSERT OR UPDATE OF ipv6_pool, delegated_pool ON profiles FOR EACH ROW
    WHEN (pg_trigger_depth() = 0 AND (NEW.ipv6_pool IS NOT NULL OR NEW.delegated_pool IS NOT NULL)) EXECUTE FUNCTION refuse_unfit_prefix_pools();
CREATE TRIGGER c_ipv6 BEFORE INSERT OR UPDATE OF ipv6_pool, delegated_pool ON accounts FOR EACH ROW
    WHEN (pg_trigger_depth() = 0 AND (NEW.ipv6_pool IS NOT NULL OR NEW.delegated_pool IS NOT NULL)) EXECUTE FUNCTION refuse_unfit_prefix_pools();

CREATE FUNCTION follow_prefix_pool() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
DECLARE
    who text;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        UPDATE domains SET ipv6_pools = array_replace(ipv6_pools, OLD.name, NEW.name),
            delegated_pools = array_replace(delegated_pools, OLD.name, NEW.name)
        WHERE ipv6_pools @> ARRAY[OLD.name] OR delegated_pools @> ARRAY[OLD.name];
        RETURN NULL;
    END IF;
    SELECT name INTO who FROM domains WHERE ipv6_pools @> ARRAY[OLD.name] OR delegated_pools @> ARRAY[OLD.name] LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'pool % is in use by domain %', quote_literal(OLD.name), quote_literal(who)
            USING ERRCODE = 'foreign_key_violation', TABLE = 'pools', CONSTRAINT = 'pools_in_use';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION follow_prefix_pool() IS 'Trigger: domains follow a renamed pool of prefixes and hold back a deleted one.';
CREATE TRIGGER y_renamed_prefixes AFTER UPDATE OF name ON pools FOR EACH ROW WHEN (OLD.name <> NEW.name AND NEW.prefix_length IS NOT NULL)
    EXECUTE FUNCTION follow_prefix_pool();
CREATE TRIGGER y_deleted_prefixes AFTER DELETE ON pools FOR EACH ROW WHEN (OLD.prefix_length IS NOT NULL) EXECUTE FUNCTION follow_prefix_pool();

-- Addresses do not come from pools of prefixes.
CREATE FUNCTION refuse_pools_of_prefixes(pools text[], instead text) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
DECLARE
    bad text;
BEGIN
    SELECT p.name INTO bad FROM pools p WHERE p.name = ANY ($1) AND p.prefix_length IS NOT NULL LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'pool % gives IPv6 prefixes: name it in %', quote_literal(bad), instead
            USING ERRCODE = 'check_violation', CONSTRAINT = 'pools_of_addresses';
    END IF;
END $$;
COMMENT ON FUNCTION refuse_pools_of_prefixes(text[], text) IS 'Refuses pools of prefixes where addresses are to come from.';

CREATE OR REPLACE FUNCTION refuse_unknown_pools() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
DECLARE
    missing text;
BEGIN
    PERFORM FROM pools p WHERE p.name = ANY (NEW.pools) FOR KEY SHARE;
    SELECT u INTO missing FROM unnest(NEW.pools) u WHERE NOT EXISTS (SELECT FROM pools p WHERE p.name = u) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% %: there is no pool %', TG_TABLE_NAME, quote_literal(NEW.name), quote_nullable(missing)
            USING ERRCODE = 'foreign_key_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_TABLE_NAME || '_pools_fkey';
    END IF;
    PERFORM refuse_pools_of_prefixes(NEW.pools, 'ipv6_pool or delegated_pool');
    RETURN NEW;
END $$;

CREATE FUNCTION refuse_prefixes_of_domain() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
BEGIN
    PERFORM refuse_pools_of_prefixes(ARRAY[NEW.pool], 'ipv6_pools or delegated_pools of the domain');
    RETURN NEW;
END $$;
COMMENT ON FUNCTION refuse_prefixes_of_domain() IS 'Trigger: the pools in domain_pools give addresses.';
CREATE TRIGGER c_family BEFORE INSERT OR UPDATE OF pool ON domain_pools FOR EACH ROW EXECUTE FUNCTION refuse_prefixes_of_domain();

-- What became of it.
ALTER TABLE sessions
    ADD COLUMN ipv6_prefix cidr,
    ADD COLUMN delegated_prefix cidr,
    ADD COLUMN interface_id text;
COMMENT ON COLUMN sessions.ipv6_prefix IS 'The IPv6 prefix of the link; null: no IPv6.';
COMMENT ON COLUMN sessions.delegated_prefix IS 'The IPv6 prefix for the networks behind the subscriber.';
COMMENT ON COLUMN sessions.interface_id IS 'The second half of the subscriber''s link-local address, as IPv6CP agreed on it: 0:0:0:1.';
ALTER TABLE accounting
    ADD COLUMN ipv6_prefix cidr,
    ADD COLUMN delegated_prefix cidr,
    ADD COLUMN interface_id text;
COMMENT ON COLUMN accounting.ipv6_prefix IS 'The IPv6 prefix of the link; null: no IPv6.';
COMMENT ON COLUMN accounting.delegated_prefix IS 'The IPv6 prefix for the networks behind the subscriber.';
COMMENT ON COLUMN accounting.interface_id IS 'The second half of the subscriber''s link-local address, as IPv6CP agreed on it.';
ALTER TABLE logins
    ADD COLUMN ipv6_prefix cidr,
    ADD COLUMN delegated_prefix cidr,
    ADD COLUMN interface_id text;
COMMENT ON COLUMN logins.ipv6_prefix IS 'The IPv6 prefix that its link got.';
COMMENT ON COLUMN logins.delegated_prefix IS 'The IPv6 prefix that it got for the networks behind it.';
COMMENT ON COLUMN logins.interface_id IS 'The second half of its link-local address, as IPv6CP agreed on it.';

CREATE FUNCTION prefixes_around(address inet) RETURNS cidr[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE family(address) WHEN 6 THEN ARRAY(SELECT network(set_masklen(address, n)) FROM generate_series(16, masklen(address)) n) ELSE '{}' END;
COMMENT ON FUNCTION prefixes_around(inet) IS 'The IPv6 prefixes of every length that an address lies in.';

-- Prefixes are looked for by each length that one can have.
CREATE OR REPLACE FUNCTION who_had(address inet, at timestamptz)
RETURNS TABLE (account text, name text, domain text, session text, node text, started_at timestamptz, stopped_at timestamptz,
    peer inet, peer_name text, calling_number text, nas text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT a.account, a.name, a.domain, a.session, a.node, a.started_at, a.stopped_at, a.peer, a.peer_name, a.calling_number, a.nas
    FROM accounting a WHERE a.address = $1 AND a.started_at <= $2 AND (a.stopped_at IS NULL OR a.stopped_at > $2)
    UNION ALL
    SELECT a.account, a.name, a.domain, a.session, a.node, a.started_at, a.stopped_at, a.peer, a.peer_name, a.calling_number, a.nas
    FROM accounting a WHERE family($1) = 6 AND a.ipv6_prefix IS NOT NULL AND a.ipv6_prefix = ANY (prefixes_around($1))
        AND a.started_at <= $2 AND (a.stopped_at IS NULL OR a.stopped_at > $2)
    UNION ALL
    SELECT a.account, a.name, a.domain, a.session, a.node, a.started_at, a.stopped_at, a.peer, a.peer_name, a.calling_number, a.nas
    FROM accounting a WHERE family($1) = 6 AND a.delegated_prefix IS NOT NULL AND a.delegated_prefix = ANY (prefixes_around($1))
        AND a.started_at <= $2 AND (a.stopped_at IS NULL OR a.stopped_at > $2)
    ORDER BY 6 DESC
$$;
COMMENT ON FUNCTION who_had(inet, timestamptz) IS 'Who had an address at a time, or the IPv6 prefix that it lies in: SELECT * FROM who_had(''10.1.2.3'', ''2026-11-17 20:43+08'').';

CREATE OR REPLACE VIEW pool_usage AS
WITH counted AS (
    SELECT r.pool, r.draining, prefix_count(r.first_address, r.last_address, r.prefix_length) - excluded.n AS size,
        held.leased, held.quarantined, fixed.n AS static, held.offered
    FROM pool_ranges r
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(prefix_count(greatest(e.first_address, r.first_address), least(e.last_address, r.last_address), r.prefix_length)), 0) AS n
        FROM pool_ranges e
        WHERE e.pool = r.pool AND e.kind = 'exclude' AND e.first_address <= r.last_address AND e.last_address >= r.first_address
    ) excluded
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE l.state = 'bound' OR l.state = 'offered' AND l.expires_at > now()) AS leased,
            count(*) FILTER (WHERE l.state = 'offered' AND l.expires_at > now()) AS offered,
            count(*) FILTER (WHERE l.state = 'quarantine' AND l.expires_at > now()) AS quarantined
        FROM leases l
        WHERE l.routing_context = r.routing_context AND l.address BETWEEN r.first_address AND r.last_address
            AND NOT EXISTS (SELECT FROM static_addresses s WHERE s.routing_context = l.routing_context AND s.address = l.address)
    ) held
    CROSS JOIN LATERAL (
        SELECT count(*) AS n FROM static_addresses s
        WHERE s.routing_context = r.routing_context AND s.address BETWEEN r.first_address AND r.last_address
            AND NOT EXISTS (SELECT FROM pool_ranges e WHERE e.pool = r.pool AND e.kind = 'exclude'
                AND s.address BETWEEN e.first_address AND e.last_address)
    ) fixed
    WHERE r.kind = 'include'
), summed AS (
    SELECT p.name AS pool, p.routing_context, p.family, p.draining, p.prefix_length,
        coalesce(sum(c.size) FILTER (WHERE NOT c.draining), 0) AS size,
        coalesce(sum(c.leased) FILTER (WHERE NOT c.draining), 0) AS leased,
        coalesce(sum(c.quarantined) FILTER (WHERE NOT c.draining), 0) AS quarantined,
        coalesce(sum(c.static) FILTER (WHERE NOT c.draining), 0) AS static,
        coalesce(sum(c.leased) FILTER (WHERE c.draining), 0) AS leaving,
        coalesce(sum(c.offered) FILTER (WHERE NOT c.draining), 0) AS offered
    FROM pools p LEFT JOIN counted c ON c.pool = p.name
    GROUP BY p.name
)
SELECT pool, routing_context, family, draining, size, leased, quarantined, static,
    CASE WHEN draining THEN 0 ELSE greatest(size - leased - quarantined - static, 0) END AS free,
    round(100 * least(leased + quarantined + static, size) / nullif(size, 0), 1) AS used_percent, leaving, offered, prefix_length
FROM summed;
COMMENT ON COLUMN pool_usage.size IS 'Addresses in ranges that are not draining, without the excluded ones; of a pool of prefixes, prefixes.';
COMMENT ON COLUMN pool_usage.prefix_length IS 'The length of the prefixes that are counted; null: addresses are.';

CREATE OR REPLACE VIEW account_overview AS
SELECT a.name, a.domain,
    CASE WHEN a.disabled THEN 'disabled' WHEN d.blocked THEN 'domain blocked' WHEN a.valid_from > now() THEN 'not yet valid'
        WHEN a.valid_until <= now() THEN 'expired' ELSE 'active' END AS status,
    CASE WHEN a.password IS NOT NULL THEN '{clear}' ELSE ARRAY(SELECT c.kind FROM credentials c WHERE c.account = a.name ORDER BY c.kind) END AS password,
    a.profile,
    ARRAY(SELECT s.address FROM static_addresses s WHERE s.account = a.name AND s.prefix_length IS NULL ORDER BY s.address) AS addresses,
    coalesce(a.pools, p.pools, ARRAY(SELECT dp.pool FROM domain_pools dp WHERE dp.domain = a.domain ORDER BY dp.ordinal)) AS pools,
    coalesce(a.dns, p.dns, d.dns) AS dns,
    coalesce(a.nbns, p.nbns, d.nbns) AS nbns,
    coalesce(a.session_timeout, p.session_timeout, d.session_timeout) AS session_timeout,
    coalesce(a.idle_timeout, p.idle_timeout, d.idle_timeout) AS idle_timeout,
    coalesce(a.mtu, p.mtu, d.mtu) AS mtu,
    coalesce(a.rate_up, p.rate_up, d.rate_up) AS rate_up,
    coalesce(a.rate_down, p.rate_down, d.rate_down) AS rate_down,
    coalesce(a.max_sessions, p.max_sessions, d.max_account_sessions) AS max_sessions,
    (SELECT count(*) FROM sessions s WHERE s.account = a.name) AS sessions,
    a.description, a.valid_from, a.valid_until, a.created_at, a.changed_at,
    coalesce(a.routes, p.routes) AS routes,
    (SELECT set_masklen(s.address, s.prefix_length)::cidr FROM static_addresses s
        WHERE s.account = a.name AND s.prefix_length IS NOT NULL AND NOT s.delegated) AS ipv6_prefix,
    (SELECT set_masklen(s.address, s.prefix_length)::cidr FROM static_addresses s
        WHERE s.account = a.name AND s.prefix_length IS NOT NULL AND s.delegated) AS delegated_prefix,
    CASE WHEN coalesce(a.ipv6_pool, p.ipv6_pool) IS NULL THEN d.ipv6_pools ELSE ARRAY[coalesce(a.ipv6_pool, p.ipv6_pool)] END AS ipv6_pools,
    CASE WHEN coalesce(a.delegated_pool, p.delegated_pool) IS NULL THEN d.delegated_pools
        ELSE ARRAY[coalesce(a.delegated_pool, p.delegated_pool)] END AS delegated_pools,
    coalesce(a.ipv6_dns, p.ipv6_dns, d.ipv6_dns) AS ipv6_dns
FROM accounts a LEFT JOIN profiles p ON p.name = a.profile LEFT JOIN domains d ON d.name = a.domain;
COMMENT ON COLUMN account_overview.addresses IS 'Its fixed addresses; prefixes are in ipv6_prefix and delegated_prefix.';
COMMENT ON COLUMN account_overview.ipv6_prefix IS 'Its fixed IPv6 prefix for the link.';
COMMENT ON COLUMN account_overview.delegated_prefix IS 'Its fixed IPv6 prefix for the networks behind it.';
COMMENT ON COLUMN account_overview.ipv6_pools IS 'Its pools of prefixes for the link, in order.';
COMMENT ON COLUMN account_overview.delegated_pools IS 'Its pools of prefixes to delegate, in order.';
COMMENT ON COLUMN account_overview.ipv6_dns IS 'DNS servers told to it over IPv6.';

CREATE FUNCTION freeradius.ipv6_replies(prefix inet, delegated inet, pool text, delegated_pool text, dns inet[])
RETURNS TABLE (n integer, attribute text, op text, value text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT v.n, v.attribute, v.op, v.value FROM (VALUES
        (43, 'Framed-IPv6-Prefix', ':=', text(prefix)),
        (44, 'Delegated-IPv6-Prefix', ':=', text(delegated)),
        (45, 'Framed-IPv6-Pool', ':=', pool),
        (46, 'Delegated-IPv6-Prefix-Pool', ':=', delegated_pool),
        (47, 'DNS-Server-IPv6-Address', '+=', host(dns[1])),
        (48, 'DNS-Server-IPv6-Address', '+=', host(dns[2])),
        (49, 'DNS-Server-IPv6-Address', '+=', host(dns[3]))
    ) AS v (n, attribute, op, value) WHERE v.value IS NOT NULL
$$;
COMMENT ON FUNCTION freeradius.ipv6_replies(inet, inet, text, text, inet[]) IS 'Settings of IPv6 as RADIUS attributes (RFC 3162, RFC 4818, RFC 6911).';

CREATE OR REPLACE VIEW freeradius.radreply AS
SELECT a.id * 64 + v.n AS id, a.name AS username, v.attribute, v.op, v.value
FROM accounts a CROSS JOIN LATERAL (
    SELECT r.n, r.attribute, ':=' AS op, r.value FROM freeradius.replies(
        ARRAY(SELECT s.address FROM static_addresses s WHERE s.account = a.name AND s.prefix_length IS NULL),
        a.pools, a.dns, a.nbns, a.session_timeout, a.idle_timeout, a.mtu) r
    UNION ALL
    SELECT r.n, r.attribute, '+=', r.value FROM freeradius.routes(a.routes) r
    UNION ALL
    SELECT r.n, r.attribute, r.op, r.value FROM freeradius.ipv6_replies(
        (SELECT set_masklen(s.address, s.prefix_length) FROM static_addresses s WHERE s.account = a.name AND s.prefix_length IS NOT NULL AND NOT s.delegated),
        (SELECT set_masklen(s.address, s.prefix_length) FROM static_addresses s WHERE s.account = a.name AND s.prefix_length IS NOT NULL AND s.delegated),
        a.ipv6_pool, a.delegated_pool, a.ipv6_dns) r) v;

CREATE OR REPLACE VIEW freeradius.radgroupreply AS
SELECT row_number() OVER (ORDER BY g.name, v.n) AS id, g.name AS groupname, v.attribute, v.op, v.value
FROM (
    SELECT name, pools, dns, nbns, session_timeout, idle_timeout, mtu, routes, ipv6_pool, delegated_pool, ipv6_dns FROM profiles
    UNION ALL
    SELECT d.name, ARRAY(SELECT dp.pool FROM domain_pools dp WHERE dp.domain = d.name ORDER BY dp.ordinal),
        d.dns, d.nbns, d.session_timeout, d.idle_timeout, d.mtu, NULL, d.ipv6_pools[1], d.delegated_pools[1], d.ipv6_dns FROM domains d
) g CROSS JOIN LATERAL (
    SELECT r.n, r.attribute, ':=' AS op, r.value
    FROM freeradius.replies(NULL, g.pools, g.dns, g.nbns, g.session_timeout, g.idle_timeout, g.mtu) r
    UNION ALL
    SELECT r.n, r.attribute, '+=', r.value FROM freeradius.routes(g.routes) r
    UNION ALL
    SELECT r.n, r.attribute, r.op, r.value FROM freeradius.ipv6_replies(NULL, NULL, g.ipv6_pool, g.delegated_pool, g.ipv6_dns) r) v;

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
    a.ipv6_prefix::inet AS framedipv6prefix, a.interface_id AS framedinterfaceid, a.delegated_prefix::inet AS delegatedipv6prefix, NULL::text AS class
FROM accounting a LEFT JOIN nodes n ON n.name = a.node;

CREATE OR REPLACE VIEW freeradius.radippool AS
SELECT row_number() OVER (ORDER BY l.routing_context, l.address) AS id, l.pool AS pool_name, set_masklen(l.address, coalesce(l.prefix_length, masklen(l.address))) AS framedipaddress,
    coalesce(host(s.nas_address), host(n.address), l.node) AS nasipaddress, l.holder AS pool_key, s.called_number AS calledstationid,
    s.calling_number AS callingstationid,
    CASE l.state WHEN 'bound' THEN coalesce(l.expires_at, l.kept_until, 'infinity') ELSE l.expires_at END AS expiry_time, l.account AS username
FROM leases l LEFT JOIN nodes n ON n.name = l.node LEFT JOIN sessions s ON s.id = l.holder;

SELECT grant_roles();

-- +goose StatementEnd
