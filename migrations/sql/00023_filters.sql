-- +goose Up
-- +goose StatementBegin
SET LOCAL search_path = public;

-- Which packets a session may send and get, and where its records go. The names of filters are not tied together by keys:
-- a filter may stand in the files of the nodes as well.
CREATE FUNCTION are_ports(ports text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN NOT EXISTS (
    SELECT FROM unnest(ports) p
    WHERE p IS NULL OR p !~ '^[0-9]{1,5}(-[0-9]{1,5})?$'
        OR split_part(p, '-', 1)::integer > 65535 OR coalesce(nullif(split_part(p, '-', 2), ''), '0')::integer > 65535
        OR (split_part(p, '-', 2) <> '' AND split_part(p, '-', 1)::integer > split_part(p, '-', 2)::integer));
COMMENT ON FUNCTION are_ports(text[]) IS 'True for a list of ports and ranges of ports: {443,8000-8100}.';

CREATE TABLE filters (
    name           text PRIMARY KEY,
    description    text,
    default_action text NOT NULL DEFAULT 'deny',
    created_at     timestamptz NOT NULL DEFAULT now(),
    changed_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT filters_name_characters CHECK (octet_length(name) BETWEEN 1 AND 253 AND NOT has_blank(name)),
    CONSTRAINT filters_default_action CHECK (default_action IN ('allow', 'deny'))
);
COMMENT ON TABLE filters IS 'Filters of traffic: domains, profiles, accounts and RADIUS servers (Filter-Id) name them. The rules are in filter_rules.';
COMMENT ON COLUMN filters.name IS 'The name that domains and others use.';
COMMENT ON COLUMN filters.description IS 'For people.';
COMMENT ON COLUMN filters.default_action IS 'What becomes of packets that no rule matches: deny or allow.';
COMMENT ON COLUMN filters.created_at IS 'When the row was made.';
COMMENT ON COLUMN filters.changed_at IS 'When the row was last changed.';

CREATE TABLE filter_rules (
    filter      text NOT NULL REFERENCES filters (name) ON UPDATE CASCADE ON DELETE CASCADE,
    ordinal     integer NOT NULL,
    action      text NOT NULL,
    direction   text NOT NULL DEFAULT 'both',
    network     cidr,
    protocol    text,
    ports       text[] NOT NULL DEFAULT '{}',
    types       smallint[] NOT NULL DEFAULT '{}',
    established boolean NOT NULL DEFAULT false,
    description text,
    PRIMARY KEY (filter, ordinal),
    CONSTRAINT filter_rules_action CHECK (action IN ('allow', 'deny')),
    CONSTRAINT filter_rules_direction CHECK (direction IN ('both', 'up', 'down')),
    CONSTRAINT filter_rules_protocol CHECK (protocol IN ('icmp', 'igmp', 'ipip', 'tcp', 'udp', 'gre', 'esp', 'ah', 'icmpv6', 'ospf', 'sctp')
        OR (protocol ~ '^[0-9]{1,3}$' AND protocol::integer BETWEEN 1 AND 255)),
    CONSTRAINT filter_rules_ports CHECK (are_ports(ports) AND (cardinality(ports) = 0 OR coalesce(protocol, '') IN ('tcp', 'udp', 'sctp'))),
    CONSTRAINT filter_rules_types CHECK (0 <= ALL (types) AND 255 >= ALL (types)
        AND (cardinality(types) = 0 OR coalesce(protocol, '') IN ('icmp', 'icmpv6'))),
    CONSTRAINT filter_rules_established CHECK (NOT established OR coalesce(protocol, '') = 'tcp'),
    CONSTRAINT filter_rules_family CHECK (network IS NULL OR NOT (protocol = 'icmp' AND family(network) = 6)
        AND NOT (protocol = 'icmpv6' AND family(network) = 4))
);
COMMENT ON TABLE filter_rules IS 'The rules of filters. The first that matches a packet decides. INSERT INTO filter_rules (filter, action, network) VALUES (''sales'', ''allow'', ''10.1.0.0/16'') is enough.';
COMMENT ON COLUMN filter_rules.filter IS 'The filter.';
COMMENT ON COLUMN filter_rules.ordinal IS 'Rules are tried in this order. Filled if left out: behind the others.';
COMMENT ON COLUMN filter_rules.action IS 'allow or deny.';
COMMENT ON COLUMN filter_rules.direction IS 'up: from the subscriber; down: to the subscriber; both.';
COMMENT ON COLUMN filter_rules.network IS 'The far end: where packets from the subscriber go, where packets to the subscriber come from. Null: anywhere.';
COMMENT ON COLUMN filter_rules.protocol IS 'tcp, udp, icmp and others by name, or a number. Null: any.';
COMMENT ON COLUMN filter_rules.ports IS 'Ports of the far end, of tcp, udp or sctp: {443,8000-8100}. Empty: any.';
COMMENT ON COLUMN filter_rules.types IS 'Message types of icmp or icmpv6. Empty: any.';
COMMENT ON COLUMN filter_rules.established IS 'True: only tcp segments that say they belong to a connection (ACK or RST).';
COMMENT ON COLUMN filter_rules.description IS 'For people.';

CREATE FUNCTION number_filter_rule() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
BEGIN
    IF NEW.ordinal IS NULL THEN
        PERFORM FROM filters f WHERE f.name = NEW.filter FOR NO KEY UPDATE;
        SELECT coalesce(max(r.ordinal), 0) + 10 INTO NEW.ordinal FROM filter_rules r WHERE r.filter = NEW.filter;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION number_filter_rule() IS 'Trigger: a rule without a place comes behind the others.';
CREATE TRIGGER numbered BEFORE INSERT ON filter_rules FOR EACH ROW EXECUTE FUNCTION number_filter_rule();

CREATE FUNCTION touch_filter() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
BEGIN
    NEW.changed_at := now();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION touch_filter() IS 'Trigger: notes when a filter was changed.';
CREATE TRIGGER touched BEFORE UPDATE ON filters FOR EACH ROW EXECUTE FUNCTION touch_filter();

ALTER TABLE domains
    ADD COLUMN filter text CHECK (filter <> ''),
    ADD COLUMN accounting text[] NOT NULL DEFAULT '{}' CHECK (array_position(accounting, NULL) IS NULL);
ALTER TABLE profiles ADD COLUMN filter text CHECK (filter <> '');
ALTER TABLE accounts ADD COLUMN filter text CHECK (filter <> '');
COMMENT ON COLUMN domains.filter IS 'The filter of its sessions: one of filters, or of the files of the nodes. Null: none.';
COMMENT ON COLUMN domains.accounting IS 'Where the records of its sessions go: postgres, names of RADIUS groups of the nodes. Empty: postgres.';
COMMENT ON COLUMN profiles.filter IS 'The filter of the sessions; null: as the domain says.';
COMMENT ON COLUMN accounts.filter IS 'The filter of its sessions; null: as profile or domain say.';

DO $$
DECLARE
    here   constant text := 'domain_pools, static_addresses''';
    before text := pg_get_functiondef('grant_roles()'::regprocedure);
    t      record;
BEGIN
    FOR t IN VALUES ('filters', 'name', 'name'), ('filter_rules', 'filter', 'filter,ordinal') LOOP
        EXECUTE format('CREATE TRIGGER zz_inserted AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION record_change(%L, %L)', t.column1, t.column2, t.column3);
        EXECUTE format('CREATE TRIGGER zz_updated AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION record_change(%L, %L)', t.column1, t.column2, t.column3);
        EXECUTE format('CREATE TRIGGER zz_deleted AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION record_change(%L, %L)', t.column1, t.column2, t.column3);
        EXECUTE format('CREATE TRIGGER zz_truncated AFTER TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION record_truncate()', t.column1);
    END LOOP;
    -- The new tables go where the other things of administrators go.
    IF position(here IN before) = 0 THEN
        RAISE EXCEPTION 'grant_roles() is not the one that this migration knows';
    END IF;
    EXECUTE replace(before, here, 'domain_pools, static_addresses, filters, filter_rules''');
END $$;
SELECT grant_roles();

-- +goose StatementEnd
