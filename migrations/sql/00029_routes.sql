-- +goose Up
-- +goose StatementBegin
SET LOCAL search_path = public;

-- Networks behind a subscriber: a branch router's own.
CREATE FUNCTION are_routes(routes cidr[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cardinality(routes) <= 32
    AND (SELECT count(*) = count(DISTINCT r) FROM unnest(routes) r)
    AND NOT EXISTS (
        SELECT FROM unnest(routes) r
        WHERE r IS NULL OR family(r) <> 4 OR masklen(r) = 0 OR host(r) IN ('0.0.0.0', '255.255.255.255')
            OR host(r)::inet <<= ANY ('{127.0.0.0/8,169.254.0.0/16,224.0.0.0/4}'::inet[]));
COMMENT ON FUNCTION are_routes(cidr[]) IS 'True for at most 32 IPv4 networks that a subscriber can have behind it, none twice: {192.168.50.0/24}.';

ALTER TABLE profiles ADD COLUMN routes cidr[] CONSTRAINT profiles_routes CHECK (are_routes(routes));
ALTER TABLE accounts ADD COLUMN routes cidr[] CONSTRAINT accounts_routes CHECK (are_routes(routes));
COMMENT ON COLUMN profiles.routes IS 'Networks behind the subscriber; null: none. Two sessions at once cannot have the same, so this is for profiles of one account.';
COMMENT ON COLUMN accounts.routes IS 'Networks behind the subscriber, IPv4, at most 32: {192.168.50.0/24}. A change ends the sessions on our own tunnels; another NAS hears of it at the next login. Null: as profile says; {}: none.';

CREATE OR REPLACE VIEW account_overview AS
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
    a.description, a.valid_from, a.valid_until, a.created_at, a.changed_at,
    coalesce(a.routes, p.routes) AS routes
FROM accounts a LEFT JOIN profiles p ON p.name = a.profile LEFT JOIN domains d ON d.name = a.domain;
COMMENT ON COLUMN account_overview.routes IS 'Networks behind it.';

CREATE FUNCTION freeradius.routes(routes cidr[]) RETURNS TABLE (n integer, attribute text, value text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT (10 + v.ordinality)::integer, 'Framed-Route', v.route::text || ' 0.0.0.0' FROM unnest(routes) WITH ORDINALITY AS v (route, ordinality)
$$;
COMMENT ON FUNCTION freeradius.routes(cidr[]) IS 'Networks behind a subscriber as RADIUS attributes.';

CREATE OR REPLACE VIEW freeradius.radreply AS
SELECT a.id * 64 + v.n AS id, a.name AS username, v.attribute, v.op, v.value
FROM accounts a CROSS JOIN LATERAL (
    SELECT r.n, r.attribute, ':=' AS op, r.value FROM freeradius.replies(
        ARRAY(SELECT s.address FROM static_addresses s WHERE s.account = a.name),
        a.pools, a.dns, a.nbns, a.session_timeout, a.idle_timeout, a.mtu) r
    UNION ALL
    SELECT r.n, r.attribute, '+=', r.value FROM freeradius.routes(a.routes) r) v;

CREATE OR REPLACE VIEW freeradius.radgroupreply AS
SELECT row_number() OVER (ORDER BY g.name, v.n) AS id, g.name AS groupname, v.attribute, v.op, v.value
FROM (
    SELECT name, pools, dns, nbns, session_timeout, idle_timeout, mtu, routes FROM profiles
    UNION ALL
    SELECT d.name, ARRAY(SELECT dp.pool FROM domain_pools dp WHERE dp.domain = d.name ORDER BY dp.ordinal),
        d.dns, d.nbns, d.session_timeout, d.idle_timeout, d.mtu, NULL FROM domains d
) g CROSS JOIN LATERAL (
    SELECT r.n, r.attribute, ':=' AS op, r.value
    FROM freeradius.replies(NULL, g.pools, g.dns, g.nbns, g.session_timeout, g.idle_timeout, g.mtu) r
    UNION ALL
    SELECT r.n, r.attribute, '+=', r.value FROM freeradius.routes(g.routes) r) v;

-- Who may read single columns of accounts may read the new one.
SELECT grant_roles();

-- +goose StatementEnd
