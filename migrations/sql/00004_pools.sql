-- +goose Up
-- +goose StatementBegin
SET LOCAL search_path = public;

CREATE TABLE pools (
    name            text PRIMARY KEY,
    routing_context text NOT NULL DEFAULT 'default',
    family          smallint NOT NULL DEFAULT 4,
    quarantine      interval NOT NULL DEFAULT '60 s',
    sticky          boolean NOT NULL DEFAULT true,
    draining        boolean NOT NULL DEFAULT false,
    description     text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    changed_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (name, routing_context, family),
    CONSTRAINT pools_name CHECK (name <> '' AND NOT has_blank(name)),
    CONSTRAINT pools_routing_context CHECK (routing_context <> ''),
    CONSTRAINT pools_family CHECK (family IN (4, 6)),
    CONSTRAINT pools_quarantine CHECK (quarantine >= '0')
);
COMMENT ON TABLE pools IS 'Pools of addresses, shared by all nodes. INSERT INTO pools(name) VALUES (''sales'') is enough; the addresses come from pool_ranges.';
COMMENT ON COLUMN pools.name IS 'What domain_pools, accounts.pools and profiles.pools refer to.';
COMMENT ON COLUMN pools.routing_context IS 'Addresses are unique within one routing context. Networks that never meet may use the same addresses twice in two contexts.';
COMMENT ON COLUMN pools.family IS '4 or 6. Ranges of the other family are refused.';
COMMENT ON COLUMN pools.quarantine IS 'How long a released address stays unused, except for the account that had it.';
COMMENT ON COLUMN pools.sticky IS 'True: an account gets its last address back while nobody else has it.';
COMMENT ON COLUMN pools.draining IS 'True: no new leases. Nobody is disconnected.';
COMMENT ON COLUMN pools.description IS 'For people.';
COMMENT ON COLUMN pools.created_at IS 'When the row was made.';
COMMENT ON COLUMN pools.changed_at IS 'When the row was last changed.';

CREATE TABLE pool_ranges (
    pool            text NOT NULL,
    range           text NOT NULL,
    kind            text NOT NULL DEFAULT 'include',
    draining        boolean NOT NULL DEFAULT false,
    first_address   inet NOT NULL GENERATED ALWAYS AS (lower(parse_range(range, kind))) STORED,
    last_address    inet NOT NULL GENERATED ALWAYS AS (upper(parse_range(range, kind))) STORED,
    routing_context text NOT NULL,
    family          smallint NOT NULL,
    PRIMARY KEY (pool, kind, range),
    CONSTRAINT pool_ranges_pool_fkey FOREIGN KEY (pool, routing_context, family)
        REFERENCES pools (name, routing_context, family) ON UPDATE CASCADE ON DELETE CASCADE,
    CONSTRAINT pool_ranges_kind CHECK (kind IN ('include', 'exclude')),
    CONSTRAINT pool_ranges_family CHECK (family = family(first_address)),
    CONSTRAINT pool_ranges_overlap EXCLUDE USING gist
        (routing_context WITH =, addr_range(first_address, last_address, '[]') WITH &&) WHERE (kind = 'include'),
    CONSTRAINT pool_ranges_exclude_overlap EXCLUDE USING gist
        (pool WITH =, addr_range(first_address, last_address, '[]') WITH &&) WHERE (kind = 'exclude')
);
COMMENT ON TABLE pool_ranges IS 'The addresses of pools. INSERT INTO pool_ranges(pool, range) VALUES (''sales'', ''10.20.0.0/24''). A deleted range gives no more leases; who has an address of it keeps it until the session ends.';
COMMENT ON COLUMN pool_ranges.pool IS 'The pool.';
COMMENT ON COLUMN pool_ranges.range IS 'first-last with both ends, a network (without its first and last address), or one address.';
COMMENT ON COLUMN pool_ranges.kind IS 'include: may be given away. exclude: never, whatever range it lies in; a network then means all its addresses.';
COMMENT ON COLUMN pool_ranges.draining IS 'True: no new leases from this range. Nobody is disconnected.';
COMMENT ON COLUMN pool_ranges.first_address IS 'Derived: the first address that is meant.';
COMMENT ON COLUMN pool_ranges.last_address IS 'Derived: the last address that is meant.';
COMMENT ON COLUMN pool_ranges.routing_context IS 'Derived: that of the pool. Within one context no two included ranges overlap.';
COMMENT ON COLUMN pool_ranges.family IS 'Derived: that of the pool.';

CREATE TABLE domain_pools (
    domain  text NOT NULL REFERENCES domains (name) ON UPDATE CASCADE ON DELETE CASCADE,
    pool    text NOT NULL REFERENCES pools (name) ON UPDATE CASCADE,
    ordinal integer NOT NULL,
    PRIMARY KEY (domain, pool),
    UNIQUE (domain, ordinal) DEFERRABLE
);
CREATE INDEX domain_pools_pool ON domain_pools (pool);
COMMENT ON TABLE domain_pools IS 'Which pools a domain takes addresses from. INSERT INTO domain_pools(domain, pool) VALUES (''sales.example'', ''sales'').';
COMMENT ON COLUMN domain_pools.domain IS 'The domain.';
COMMENT ON COLUMN domain_pools.pool IS 'The pool. A pool that a domain uses cannot be deleted.';
COMMENT ON COLUMN domain_pools.ordinal IS 'The order: the next one serves when the one before is exhausted. Left out: behind the last.';

CREATE TABLE static_addresses (
    account         text NOT NULL REFERENCES accounts (name) ON UPDATE CASCADE ON DELETE CASCADE,
    address         inet NOT NULL,
    routing_context text NOT NULL DEFAULT 'default',
    description     text,
    PRIMARY KEY (routing_context, address),
    CONSTRAINT static_addresses_one_address CHECK (is_host(address)),
    CONSTRAINT static_addresses_routing_context CHECK (routing_context <> '')
);
CREATE UNIQUE INDEX static_addresses_account ON static_addresses (account, family(address));
COMMENT ON TABLE static_addresses IS 'Fixed addresses: one account, one address, nobody else gets it, inside a pool or outside of all. INSERT INTO static_addresses(account, address) VALUES (''alice@sales.example'', ''10.20.0.7'').';
COMMENT ON COLUMN static_addresses.account IS 'Who gets it. At most one address of each family.';
COMMENT ON COLUMN static_addresses.address IS 'One address, not a network.';
COMMENT ON COLUMN static_addresses.routing_context IS 'See pools.routing_context.';
COMMENT ON COLUMN static_addresses.description IS 'For people.';

-- The pool's context and family stand in each range, so that the constraints can see them. A pool that does not exist is
-- left to the foreign key.
CREATE FUNCTION fill_pool_range() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
BEGIN
    SELECT routing_context, family INTO NEW.routing_context, NEW.family FROM pools WHERE name = NEW.pool;
    IF NOT FOUND THEN
        NEW.routing_context := 'default';
        NEW.family := 4;
        IF position(':' IN NEW.range) > 0 THEN
            NEW.family := 6;
        END IF;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION fill_pool_range() IS 'Trigger: fills what a range has from its pool.';
-- Depth 0: a changed pool is carried along by the foreign key.
CREATE TRIGGER a_fill BEFORE INSERT ON pool_ranges FOR EACH ROW EXECUTE FUNCTION fill_pool_range();
CREATE TRIGGER a_refill BEFORE UPDATE ON pool_ranges FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION fill_pool_range();

CREATE FUNCTION number_domain_pool() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
BEGIN
    SELECT coalesce(max(ordinal), 0) + 1 INTO NEW.ordinal FROM domain_pools WHERE domain = NEW.domain;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION number_domain_pool() IS 'Trigger: a pool without an ordinal goes behind the last.';
CREATE TRIGGER a_fold BEFORE INSERT OR UPDATE OF domain ON domain_pools FOR EACH ROW EXECUTE FUNCTION fold_domain();
CREATE TRIGGER b_number BEFORE INSERT ON domain_pools FOR EACH ROW WHEN (NEW.ordinal IS NULL) EXECUTE FUNCTION number_domain_pool();
CREATE TRIGGER z_touch BEFORE UPDATE ON pools FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch();

-- Lists of pools have no foreign keys of their own; these triggers are theirs.
CREATE FUNCTION refuse_unknown_pools() RETURNS trigger
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
    RETURN NEW;
END $$;
COMMENT ON FUNCTION refuse_unknown_pools() IS 'Trigger: a list of pools names pools that exist.';
CREATE TRIGGER c_pools BEFORE INSERT OR UPDATE OF pools ON accounts FOR EACH ROW WHEN (NEW.pools IS NOT NULL)
    EXECUTE FUNCTION refuse_unknown_pools();
CREATE TRIGGER c_pools BEFORE INSERT OR UPDATE OF pools ON profiles FOR EACH ROW WHEN (NEW.pools IS NOT NULL)
    EXECUTE FUNCTION refuse_unknown_pools();

CREATE FUNCTION follow_pool() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
DECLARE
    who text;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        UPDATE accounts SET pools = array_replace(pools, OLD.name, NEW.name) WHERE pools @> ARRAY[OLD.name];
        UPDATE profiles SET pools = array_replace(pools, OLD.name, NEW.name) WHERE pools @> ARRAY[OLD.name];
        RETURN NULL;
    END IF;
    SELECT 'account ' || quote_literal(name) INTO who FROM accounts WHERE pools @> ARRAY[OLD.name] LIMIT 1;
    IF NOT FOUND THEN
        SELECT 'profile ' || quote_literal(name) INTO who FROM profiles WHERE pools @> ARRAY[OLD.name] LIMIT 1;
    END IF;
    IF FOUND THEN
        RAISE EXCEPTION 'pool % is in use by %', quote_literal(OLD.name), who
            USING ERRCODE = 'foreign_key_violation', TABLE = 'pools', CONSTRAINT = 'pools_in_use';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION follow_pool() IS 'Trigger: lists of pools follow a renamed pool and hold back a deleted one.';
CREATE TRIGGER y_renamed AFTER UPDATE OF name ON pools FOR EACH ROW WHEN (OLD.name <> NEW.name) EXECUTE FUNCTION follow_pool();
CREATE TRIGGER y_deleted AFTER DELETE ON pools FOR EACH ROW EXECUTE FUNCTION follow_pool();

-- +goose StatementEnd
