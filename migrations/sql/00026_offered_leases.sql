-- +goose Up
-- +goose StatementBegin
SET LOCAL search_path = public;

-- Leases of sessions that another NAS carries. They belong to no process, so node is empty and epoch 0: whoever clears up after
-- a process, or renews its leases, does not come across them. They begin as an offer. An offer that ran out is as free as a
-- quarantine that is over; nobody has to come by and say so.
ALTER TABLE leases
    ADD COLUMN kept_until timestamptz,
    DROP CONSTRAINT leases_state,
    ADD CONSTRAINT leases_state CHECK (state IN ('bound', 'quarantine', 'offered')),
    ADD CONSTRAINT leases_offered CHECK (state <> 'offered' OR node = ''),
    ADD CONSTRAINT leases_kept CHECK (kept_until IS NULL OR (state = 'bound' AND node = ''));

-- No index has kept_until in it: it changes every time the NAS is heard of, and then only the row is written.
DROP INDEX leases_quarantine;
CREATE INDEX leases_free ON leases (pool, expires_at) WHERE state IN ('quarantine', 'offered');

COMMENT ON COLUMN leases.node IS 'The node of that session; empty: another NAS carries it.';
COMMENT ON COLUMN leases.epoch IS 'The epoch of that node; 0: another NAS carries the session.';
COMMENT ON COLUMN leases.state IS 'bound: a session has it. offered: another NAS was told to give it to a session that it has not yet said to have begun; free again from expires_at on. quarantine: released; free again from expires_at on. The row remembers for whom.';
COMMENT ON COLUMN leases.expires_at IS 'quarantine and offered: from when on it is free. bound: when it lapses unless renewed; null: it lives as long as its node, or see kept_until.';
COMMENT ON COLUMN leases.kept_until IS 'bound, where another NAS carries the session: when it ends unless that NAS is heard of again; null: when the session ends.';

CREATE OR REPLACE VIEW pool_usage AS
WITH counted AS (
    SELECT r.pool, r.draining, range_size(r.first_address, r.last_address) - excluded.n AS size,
        held.leased, held.quarantined, fixed.n AS static, held.offered
    FROM pool_ranges r
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(range_size(greatest(e.first_address, r.first_address), least(e.last_address, r.last_address))), 0) AS n
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
    SELECT p.name AS pool, p.routing_context, p.family, p.draining,
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
    round(100 * least(leased + quarantined + static, size) / nullif(size, 0), 1) AS used_percent, leaving, offered
FROM summed;
COMMENT ON COLUMN pool_usage.leased IS 'Of these, held by sessions or offered to some; static ones not counted.';
COMMENT ON COLUMN pool_usage.offered IS 'Of the leased, those that another NAS was told of and has not yet said to be in use.';

CREATE OR REPLACE VIEW freeradius.radippool AS
SELECT row_number() OVER (ORDER BY l.routing_context, l.address) AS id, l.pool AS pool_name, l.address AS framedipaddress,
    coalesce(host(s.nas_address), host(n.address), l.node) AS nasipaddress, l.holder AS pool_key, s.called_number AS calledstationid,
    s.calling_number AS callingstationid,
    CASE l.state WHEN 'bound' THEN coalesce(l.expires_at, l.kept_until, 'infinity') ELSE l.expires_at END AS expiry_time, l.account AS username
FROM leases l LEFT JOIN nodes n ON n.name = l.node LEFT JOIN sessions s ON s.id = l.holder;

SELECT grant_roles();

-- +goose StatementEnd
