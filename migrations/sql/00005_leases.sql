-- +goose Up
-- +goose StatementBegin
SET LOCAL search_path = public;

CREATE TABLE nodes (
    name         text PRIMARY KEY,
    epoch        bigint NOT NULL DEFAULT 1,
    address      inet,
    version      text,
    started_at   timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT nodes_name CHECK (name <> '' AND NOT has_blank(name))
) WITH (fillfactor = 50);
COMMENT ON TABLE nodes IS 'The lnsgate nodes that share this database. Written by the nodes.';
COMMENT ON COLUMN nodes.name IS 'The name of the node, by its configuration.';
COMMENT ON COLUMN nodes.epoch IS 'One more at every start. What carries an older epoch belongs to a process that is gone.';
COMMENT ON COLUMN nodes.address IS 'Where peers reach the node; null: unknown.';
COMMENT ON COLUMN nodes.version IS 'The program it runs.';
COMMENT ON COLUMN nodes.started_at IS 'When this epoch began.';
COMMENT ON COLUMN nodes.heartbeat_at IS 'When the node last said that it is alive.';

CREATE TABLE pool_blocks (
    routing_context text NOT NULL,
    first_address   inet NOT NULL,
    last_address    inet NOT NULL,
    pool            text NOT NULL,
    node            text,
    epoch           bigint,
    expires_at      timestamptz,
    PRIMARY KEY (routing_context, first_address),
    CONSTRAINT pool_blocks_order CHECK (first_address <= last_address AND family(first_address) = family(last_address)
        AND is_host(first_address) AND is_host(last_address)),
    CONSTRAINT pool_blocks_owner CHECK ((node IS NULL) = (epoch IS NULL) AND (node IS NULL) = (expires_at IS NULL)),
    CONSTRAINT pool_blocks_overlap EXCLUDE USING gist
        (routing_context WITH =, addr_range(first_address, last_address, '[]') WITH &&)
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.01);
CREATE INDEX pool_blocks_free ON pool_blocks (pool, first_address) WHERE node IS NULL;
CREATE INDEX pool_blocks_node ON pool_blocks (node, pool) WHERE node IS NOT NULL;
COMMENT ON TABLE pool_blocks IS 'Runs of addresses that one node gives away by itself. No two blocks of a routing context overlap. Written by the nodes.';
COMMENT ON COLUMN pool_blocks.routing_context IS 'See pools.routing_context.';
COMMENT ON COLUMN pool_blocks.first_address IS 'The first address of the block.';
COMMENT ON COLUMN pool_blocks.last_address IS 'The last address of the block.';
COMMENT ON COLUMN pool_blocks.pool IS 'The pool it was cut from.';
COMMENT ON COLUMN pool_blocks.node IS 'Who owns it; null: nobody.';
COMMENT ON COLUMN pool_blocks.epoch IS 'The epoch of the owner.';
COMMENT ON COLUMN pool_blocks.expires_at IS 'The owner stops using the block before this time unless it has renewed it. Others wait a grace time longer.';

CREATE TABLE leases (
    routing_context text NOT NULL DEFAULT 'default',
    address         inet NOT NULL,
    pool            text,
    account         text,
    holder          text NOT NULL,
    node            text NOT NULL,
    epoch           bigint NOT NULL,
    state           text NOT NULL DEFAULT 'bound',
    since           timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz,
    PRIMARY KEY (routing_context, address),
    CONSTRAINT leases_state CHECK (state IN ('bound', 'quarantine')),
    CONSTRAINT leases_quarantine CHECK (state = 'bound' OR expires_at IS NOT NULL)
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.01, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX leases_account ON leases (account) WHERE account IS NOT NULL;
CREATE INDEX leases_bound ON leases (node, epoch) WHERE state = 'bound';
CREATE INDEX leases_quarantine ON leases (pool, expires_at) WHERE state = 'quarantine';
COMMENT ON TABLE leases IS 'Who has which address. One row per address, so nothing can be in two hands. Written by the nodes.';
COMMENT ON COLUMN leases.routing_context IS 'See pools.routing_context.';
COMMENT ON COLUMN leases.address IS 'The address.';
COMMENT ON COLUMN leases.pool IS 'The pool it lay in when it was given; null: a static address outside all pools.';
COMMENT ON COLUMN leases.account IS 'Who has it, or had it last. A sticky pool gives it back to this account.';
COMMENT ON COLUMN leases.holder IS 'The session that has it: sessions.id.';
COMMENT ON COLUMN leases.node IS 'The node of that session.';
COMMENT ON COLUMN leases.epoch IS 'The epoch of that node.';
COMMENT ON COLUMN leases.state IS 'bound: a session has it. quarantine: released; free again from expires_at on, and the row remembers for whom.';
COMMENT ON COLUMN leases.since IS 'When it was given.';
COMMENT ON COLUMN leases.expires_at IS 'quarantine: from when on it is free. bound: when it lapses unless renewed; null: it lives as long as its node.';

-- +goose StatementEnd
