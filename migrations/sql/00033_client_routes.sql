-- +goose Up
-- +goose StatementBegin
SET LOCAL search_path = public;
SET LOCAL lock_timeout = '2s'; -- who waits for a lock has all others wait behind it

-- What subscribers of a domain are told when they ask by DHCPINFORM: what to send through the tunnel.
CREATE FUNCTION are_client_routes(routes cidr[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT count(*) = count(DISTINCT r) FROM unnest(routes) r)
    AND NOT EXISTS (SELECT FROM unnest(routes) r WHERE r IS NULL OR family(r) <> 4)
    AND coalesce((SELECT sum(5 + (masklen(r) + 7) / 8) FROM unnest(routes) r), 0) <= 255;
COMMENT ON FUNCTION are_client_routes(cidr[]) IS 'True for IPv4 networks, none twice, as many as one DHCP option holds (31 of /24): {10.20.0.0/16}.';

ALTER TABLE domains
    ADD COLUMN client_routes cidr[] CONSTRAINT domains_client_routes CHECK (are_client_routes(client_routes)),
    ADD COLUMN dns_suffix text CONSTRAINT domains_dns_suffix
        CHECK (dns_suffix ~ '^[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*$' AND length(dns_suffix) <= 253);
COMMENT ON COLUMN domains.client_routes IS 'Networks that subscribers reach through the tunnel, told to Windows and macOS by DHCP: {10.20.0.0/16}. Null: none.';
COMMENT ON COLUMN domains.dns_suffix IS 'DNS suffix told to subscribers, such as corp.example.';

-- +goose StatementEnd
