-- +goose Up
-- +goose StatementBegin
SET LOCAL search_path = public;

CREATE VIEW pool_usage AS
WITH counted AS (
    SELECT r.pool, r.draining, range_size(r.first_address, r.last_address) - excluded.n AS size,
        held.leased, held.quarantined, fixed.n AS static
    FROM pool_ranges r
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(range_size(greatest(e.first_address, r.first_address), least(e.last_address, r.last_address))), 0) AS n
        FROM pool_ranges e
        WHERE e.pool = r.pool AND e.kind = 'exclude' AND e.first_address <= r.last_address AND e.last_address >= r.first_address
    ) excluded
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE l.state = 'bound') AS leased,
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
        coalesce(sum(c.leased) FILTER (WHERE c.draining), 0) AS leaving
    FROM pools p LEFT JOIN counted c ON c.pool = p.name
    GROUP BY p.name
)
SELECT pool, routing_context, family, draining, size, leased, quarantined, static,
    CASE WHEN draining THEN 0 ELSE greatest(size - leased - quarantined - static, 0) END AS free,
    round(100 * least(leased + quarantined + static, size) / nullif(size, 0), 1) AS used_percent, leaving
FROM summed;
COMMENT ON VIEW pool_usage IS 'How full the pools are. The fullest: SELECT * FROM pool_usage ORDER BY used_percent DESC NULLS FIRST. What nodes wrote down counts; they may be some milliseconds ahead.';
COMMENT ON COLUMN pool_usage.pool IS 'The pool.';
COMMENT ON COLUMN pool_usage.routing_context IS 'See pools.routing_context.';
COMMENT ON COLUMN pool_usage.family IS '4 or 6.';
COMMENT ON COLUMN pool_usage.draining IS 'The whole pool gives no new leases.';
COMMENT ON COLUMN pool_usage.size IS 'Addresses in ranges that are not draining, without the excluded ones.';
COMMENT ON COLUMN pool_usage.leased IS 'Of these, held by sessions; static ones not counted.';
COMMENT ON COLUMN pool_usage.quarantined IS 'Of these, released a moment ago.';
COMMENT ON COLUMN pool_usage.static IS 'Of these, reserved for accounts, whether held or not.';
COMMENT ON COLUMN pool_usage.free IS 'What a new account could get.';
COMMENT ON COLUMN pool_usage.used_percent IS 'How much of the size is not free; null: there is nothing to give.';
COMMENT ON COLUMN pool_usage.leaving IS 'Held in ranges that are draining.';

CREATE VIEW account_overview AS
SELECT a.name, a.domain,
    CASE WHEN a.disabled THEN 'disabled' WHEN d.blocked THEN 'domain blocked' WHEN a.valid_from > now() THEN 'not yet valid'
        WHEN a.valid_until <= now() THEN 'expired' ELSE 'active' END AS status,
    CASE WHEN a.password IS NOT NULL THEN '{clear}' ELSE ARRAY(SELECT c.kind FROM credentials c WHERE c.account = a.name ORDER BY c.kind) END AS password,
    a.profile,
    ARRAY(SELECT s.address FROM static_addresses s WHERE s.account = a.name ORDER BY s.address) AS addresses,
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
    a.description, a.valid_from, a.valid_until, a.created_at, a.changed_at
FROM accounts a LEFT JOIN profiles p ON p.name = a.profile LEFT JOIN domains d ON d.name = a.domain;
COMMENT ON VIEW account_overview IS 'What each account has in the end: its own word, else that of its profile, else that of its domain. Without passwords.';
COMMENT ON COLUMN account_overview.name IS 'The account.';
COMMENT ON COLUMN account_overview.domain IS 'Its domain; null: it has none, and the default domain of the node counts.';
COMMENT ON COLUMN account_overview.status IS 'active, disabled, domain blocked, not yet valid, or expired.';
COMMENT ON COLUMN account_overview.password IS 'The forms that are stored; {clear}: not yet sealed; empty: none, nobody can log in.';
COMMENT ON COLUMN account_overview.profile IS 'Its profile.';
COMMENT ON COLUMN account_overview.addresses IS 'Its fixed addresses.';
COMMENT ON COLUMN account_overview.pools IS 'Its pools, in order.';
COMMENT ON COLUMN account_overview.dns IS 'DNS servers told to it.';
COMMENT ON COLUMN account_overview.nbns IS 'NetBIOS name servers told to it.';
COMMENT ON COLUMN account_overview.session_timeout IS 'When its sessions end; null or 0: never.';
COMMENT ON COLUMN account_overview.idle_timeout IS 'When they end without user traffic.';
COMMENT ON COLUMN account_overview.mtu IS 'The largest packet, in octets; null: as negotiated.';
COMMENT ON COLUMN account_overview.rate_up IS 'The most it may send, in bits per second; null: no limit.';
COMMENT ON COLUMN account_overview.rate_down IS 'The most it is sent, in bits per second; null: no limit.';
COMMENT ON COLUMN account_overview.max_sessions IS 'The most sessions at once; null: no limit.';
COMMENT ON COLUMN account_overview.sessions IS 'Sessions now, on all nodes.';
COMMENT ON COLUMN account_overview.description IS 'For people.';
COMMENT ON COLUMN account_overview.valid_from IS 'No login before this time.';
COMMENT ON COLUMN account_overview.valid_until IS 'No login from this time on.';
COMMENT ON COLUMN account_overview.created_at IS 'When the account was made.';
COMMENT ON COLUMN account_overview.changed_at IS 'When the account was last changed.';

-- +goose StatementEnd
