-- +goose Up
-- +goose StatementBegin
--
-- The FreeRADIUS shape, for billing and reports that know it. A schema of its own, so that nothing is in the way of a
-- real FreeRADIUS in the same database; a tool finds it with: ALTER ROLE billing SET search_path = freeradius.
-- The views can only be read, and no secret is in them.
SET LOCAL search_path = public;

CREATE SCHEMA freeradius;
COMMENT ON SCHEMA freeradius IS 'The tables of FreeRADIUS 3.2 as views of those of lnsgate, to read.';

CREATE FUNCTION freeradius.replies(address inet[], pools text[], dns inet[], nbns inet[], session_timeout interval, idle_timeout interval, mtu integer)
RETURNS TABLE (n integer, attribute text, value text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT v.n, v.attribute, v.value FROM (VALUES
        (1, 'Framed-IP-Address', (SELECT host(a) FROM unnest(address) a WHERE family(a) = 4)),
        (2, 'Framed-IPv6-Address', (SELECT host(a) FROM unnest(address) a WHERE family(a) = 6)),
        (3, 'Framed-Pool', pools[1]),
        (4, 'MS-Primary-DNS-Server', host(dns[1])),
        (5, 'MS-Secondary-DNS-Server', host(dns[2])),
        (6, 'MS-Primary-NBNS-Server', host(nbns[1])),
        (7, 'MS-Secondary-NBNS-Server', host(nbns[2])),
        (8, 'Session-Timeout', nullif(extract(epoch FROM session_timeout)::bigint, 0)::text),
        (9, 'Idle-Timeout', nullif(extract(epoch FROM idle_timeout)::bigint, 0)::text),
        (10, 'Framed-MTU', mtu::text)
    ) AS v (n, attribute, value) WHERE v.value IS NOT NULL
$$;
COMMENT ON FUNCTION freeradius.replies(inet[], text[], inet[], inet[], interval, interval, integer) IS 'Settings as RADIUS attributes.';

CREATE VIEW freeradius.radcheck AS
SELECT a.id * 16 + v.n AS id, a.name AS username, v.attribute, ':=' AS op, v.value
FROM accounts a LEFT JOIN domains d ON d.name = a.domain
CROSS JOIN LATERAL (VALUES
    (1, 'Auth-Type', CASE WHEN a.disabled OR d.blocked THEN 'Reject' END),
    (2, 'Expiration', to_char(a.valid_until AT TIME ZONE 'UTC', 'Mon DD YYYY HH24:MI:SS')),
    (3, 'Simultaneous-Use', a.max_sessions::text)
) AS v (n, attribute, value) WHERE v.value IS NOT NULL;
COMMENT ON VIEW freeradius.radcheck IS 'What is checked of an account, without the password.';

CREATE VIEW freeradius.radreply AS
SELECT a.id * 16 + v.n AS id, a.name AS username, v.attribute, ':=' AS op, v.value
FROM accounts a CROSS JOIN LATERAL freeradius.replies(
    ARRAY(SELECT s.address FROM static_addresses s WHERE s.account = a.name),
    a.pools, a.dns, a.nbns, a.session_timeout, a.idle_timeout, a.mtu) v;
COMMENT ON VIEW freeradius.radreply IS 'What an account gets by its own word.';

CREATE VIEW freeradius.radusergroup AS
SELECT a.id * 2 + v.priority AS id, a.name AS username, v.groupname, v.priority
FROM accounts a CROSS JOIN LATERAL (VALUES (1, a.profile), (2, a.domain)) AS v (priority, groupname)
WHERE v.groupname IS NOT NULL;
COMMENT ON VIEW freeradius.radusergroup IS 'The groups of an account: its profile, then its domain.';

CREATE VIEW freeradius.radgroupreply AS
SELECT row_number() OVER (ORDER BY g.name, v.n) AS id, g.name AS groupname, v.attribute, ':=' AS op, v.value
FROM (
    SELECT name, pools, dns, nbns, session_timeout, idle_timeout, mtu FROM profiles
    UNION ALL
    SELECT d.name, ARRAY(SELECT dp.pool FROM domain_pools dp WHERE dp.domain = d.name ORDER BY dp.ordinal),
        d.dns, d.nbns, d.session_timeout, d.idle_timeout, d.mtu FROM domains d
) g CROSS JOIN LATERAL freeradius.replies(NULL, g.pools, g.dns, g.nbns, g.session_timeout, g.idle_timeout, g.mtu) v;
COMMENT ON VIEW freeradius.radgroupreply IS 'What profiles and domains give.';

CREATE VIEW freeradius.nas AS
SELECT row_number() OVER (ORDER BY name)::integer AS id, coalesce(host(address), name) AS nasname, name AS shortname,
    'other'::text AS type, NULL::integer AS ports, NULL::text AS secret, NULL::text AS server, NULL::text AS community,
    'lnsgate ' || coalesce(version, '') AS description, NULL::text AS require_ma, NULL::text AS limit_proxy_state
FROM nodes;
COMMENT ON VIEW freeradius.nas IS 'The nodes. The secret is always null.';

CREATE VIEW freeradius.radacct AS
SELECT a.id AS radacctid, a.session AS acctsessionid, md5(a.session || ' ' || a.node) AS acctuniqueid, a.name AS username,
    NULL::text AS groupname, a.domain AS realm, n.address AS nasipaddress, a.local_tunnel || '/' || a.local_session AS nasportid,
    'Virtual'::text AS nasporttype, a.started_at AS acctstarttime, a.updated_at AS acctupdatetime, a.stopped_at AS acctstoptime,
    NULL::bigint AS acctinterval,
    extract(epoch FROM coalesce(a.stopped_at, a.updated_at) - a.started_at)::bigint AS acctsessiontime,
    'Local'::text AS acctauthentic, NULL::text AS connectinfo_start, NULL::text AS connectinfo_stop,
    a.octets_up AS acctinputoctets, a.octets_down AS acctoutputoctets, a.called_number AS calledstationid,
    coalesce(a.calling_number, host(a.peer)) AS callingstationid, coalesce(a.terminate_cause, '') AS acctterminatecause,
    'Framed-User'::text AS servicetype, 'PPP'::text AS framedprotocol,
    CASE WHEN family(a.address) = 4 THEN a.address END AS framedipaddress,
    CASE WHEN family(a.address) = 6 THEN a.address END AS framedipv6address,
    NULL::inet AS framedipv6prefix, NULL::text AS framedinterfaceid, NULL::inet AS delegatedipv6prefix, NULL::text AS class
FROM accounting a LEFT JOIN nodes n ON n.name = a.node;
COMMENT ON VIEW freeradius.radacct IS 'Accounting. Input is from the subscriber, output to the subscriber.';

CREATE VIEW freeradius.radippool AS
SELECT row_number() OVER (ORDER BY l.routing_context, l.address) AS id, l.pool AS pool_name, l.address AS framedipaddress,
    coalesce(host(n.address), l.node) AS nasipaddress, l.holder AS pool_key, s.called_number AS calledstationid,
    s.calling_number AS callingstationid,
    CASE l.state WHEN 'bound' THEN coalesce(l.expires_at, 'infinity') ELSE l.expires_at END AS expiry_time, l.account AS username
FROM leases l LEFT JOIN nodes n ON n.name = l.node LEFT JOIN sessions s ON s.id = l.holder;
COMMENT ON VIEW freeradius.radippool IS 'Leases. An address that nobody ever had is not in it.';

-- +goose StatementEnd
