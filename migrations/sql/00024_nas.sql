-- +goose Up
-- +goose StatementBegin
SET LOCAL search_path = public;

-- NASes of others that ask lnsgate by RADIUS.
CREATE TABLE nas (
    name                       text PRIMARY KEY,
    id                         bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    source                     cidr NOT NULL,
    secret                     text,
    sealed                     bytea,
    key_id                     text,
    certificate_names          text[] NOT NULL DEFAULT '{}',
    type                       text NOT NULL DEFAULT 'standard',
    message_authenticator      text NOT NULL DEFAULT 'auto',
    unsigned_proxies           boolean NOT NULL DEFAULT false,
    addresses                  text NOT NULL DEFAULT 'given',
    domain                     text REFERENCES domains (name) ON UPDATE CASCADE,
    default_domain             text REFERENCES domains (name) ON UPDATE CASCADE,
    dynamic_authorization_port integer NOT NULL DEFAULT 3799,
    description                text,
    disabled                   boolean NOT NULL DEFAULT false,
    created_at                 timestamptz NOT NULL DEFAULT now(),
    changed_at                 timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT nas_source_key UNIQUE (source),
    -- A slash stands between the NAS and one of several behind it in records.
    CONSTRAINT nas_name_characters CHECK (octet_length(name) BETWEEN 1 AND 253 AND NOT has_blank(name) AND name !~ '/'),
    CONSTRAINT nas_source_mapped CHECK (NOT source <<= '::ffff:0.0.0.0/96'),
    CONSTRAINT nas_secret_missing CHECK (secret IS NOT NULL OR sealed IS NOT NULL),
    CONSTRAINT nas_secret_length CHECK (octet_length(secret) BETWEEN 8 AND 256),
    CONSTRAINT nas_secret_characters CHECK (secret !~ '[[:cntrl:]]'),
    CONSTRAINT nas_sealed CHECK ((sealed IS NULL) = (key_id IS NULL) AND octet_length(sealed) > 28),
    CONSTRAINT nas_certificate_names CHECK (array_position(certificate_names, NULL) IS NULL AND '' <> ALL (certificate_names)),
    CONSTRAINT nas_type CHECK (type IN ('standard', 'mikrotik', 'cisco', 'huawei', 'wispr', 'accel')),
    CONSTRAINT nas_message_authenticator CHECK (message_authenticator IN ('auto', 'require', 'off')),
    CONSTRAINT nas_addresses CHECK (addresses IN ('given', 'named', 'none')),
    CONSTRAINT nas_dynamic_authorization_port CHECK (dynamic_authorization_port BETWEEN 0 AND 65535)
);
COMMENT ON TABLE nas IS 'NASes, or networks of them, that ask lnsgate by RADIUS. INSERT INTO nas(name, source, secret) VALUES (''router1'', ''192.0.2.7'', ''a long secret'') is enough.';
COMMENT ON COLUMN nas.name IS 'What it is called in logs and records. No blanks and no slash.';
COMMENT ON COLUMN nas.id IS 'A number that stays when the NAS is renamed. The sealed secret is bound to it.';
COMMENT ON COLUMN nas.source IS 'Where it sends from: one address, or a network. Of several that fit, the one with the longest prefix counts.';
COMMENT ON COLUMN nas.secret IS 'Write the clear secret here, 8 octets at least and better 16 or more. While it stands here it is the one that counts; within a second a node that has a key seals it and empties this column.';
COMMENT ON COLUMN nas.sealed IS 'The secret sealed with a key outside the database: nonce and AES-256-GCM text. Written by the nodes.';
COMMENT ON COLUMN nas.key_id IS 'The key that sealed it.';
COMMENT ON COLUMN nas.certificate_names IS 'Over TLS: one of these names must be in its certificate. Empty: any that is signed.';
COMMENT ON COLUMN nas.type IS 'In whose words it is answered: standard, mikrotik, cisco, huawei, wispr or accel.';
COMMENT ON COLUMN nas.message_authenticator IS 'Must its requests be signed? require: always; auto: as soon as it signed once; off: no, and whoever sits between can forge them (CVE-2024-3596).';
COMMENT ON COLUMN nas.unsigned_proxies IS 'True: takes requests that come through a proxy without being signed. Only for proxies that cannot sign (CVE-2024-3596).';
COMMENT ON COLUMN nas.addresses IS 'Who gives its users their addresses. given: lnsgate, from its pools; named: the NAS, from its pool of the name that it is told; none: nobody, as with Wi-Fi.';
COMMENT ON COLUMN nas.domain IS 'All its users belong to this domain, whatever they type. Null: what they type counts. An alias is resolved.';
COMMENT ON COLUMN nas.default_domain IS 'The domain of names that are typed without one. Null: that of the node. An alias is resolved.';
COMMENT ON COLUMN nas.dynamic_authorization_port IS 'Where it takes requests to end or change a session (RFC 5176). 0: it is never sent any.';
COMMENT ON COLUMN nas.description IS 'For people.';
COMMENT ON COLUMN nas.disabled IS 'True: it gets no answer, as if the row were not there.';
COMMENT ON COLUMN nas.created_at IS 'When the row was made.';
COMMENT ON COLUMN nas.changed_at IS 'When the row was last changed.';

CREATE FUNCTION settle_nas() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
BEGIN
    NEW.domain := coalesce((SELECT a.domain FROM domain_aliases a WHERE a.alias = lower(NEW.domain)), lower(NEW.domain));
    NEW.default_domain := coalesce((SELECT a.domain FROM domain_aliases a WHERE a.alias = lower(NEW.default_domain)), lower(NEW.default_domain));
    IF NEW.secret IS NOT NULL THEN
        NEW.sealed := NULL;
        NEW.key_id := NULL;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION settle_nas() IS 'Trigger: domains of a NAS are written as they are called, and a new clear secret takes the place of the sealed one.';
CREATE TRIGGER a_settle BEFORE INSERT OR UPDATE ON nas FOR EACH ROW EXECUTE FUNCTION settle_nas();
CREATE TRIGGER z_touch BEFORE UPDATE ON nas FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch();

-- Audit keeps the secrets of NASes as little as passwords, sealed or not.
CREATE OR REPLACE FUNCTION without_secrets(line jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (line - 'value' - 'sealed')
    || CASE WHEN line ->> 'password' IS NULL THEN '{}' ELSE '{"password": "(set)"}' END::jsonb
    || CASE WHEN line ->> 'secret' IS NULL THEN '{}' ELSE '{"secret": "(set)"}' END::jsonb;

CREATE OR REPLACE VIEW freeradius.nas AS
SELECT row_number() OVER (ORDER BY c.place, c.shortname)::integer AS id, c.nasname, c.shortname, c.type, NULL::integer AS ports,
    NULL::text AS secret, NULL::text AS server, NULL::text AS community, c.description, c.require_ma, c.limit_proxy_state
FROM (
    SELECT 1 AS place, coalesce(host(address), name) AS nasname, name AS shortname, 'other'::text AS type,
        'lnsgate ' || coalesce(version, '') AS description, NULL::text AS require_ma, NULL::text AS limit_proxy_state
    FROM nodes
    UNION ALL
    SELECT 2, CASE WHEN is_host(source) THEN host(source) ELSE source::text END, name,
        CASE type WHEN 'standard' THEN 'other' ELSE type END, description,
        CASE message_authenticator WHEN 'require' THEN 'yes' WHEN 'off' THEN 'no' ELSE 'auto' END,
        CASE WHEN unsigned_proxies THEN 'no' ELSE 'yes' END
    FROM nas
) c;
COMMENT ON VIEW freeradius.nas IS 'The nodes, and the NASes that ask them. The secret is always null.';

DO $$
DECLARE
    -- The reader sees all but the secret. These lines come where every role passes; what others add to the lists of
    -- tables in the function is left alone.
    here     constant text := 'done := done || role;';
    nas_rows constant text := $rights$EXECUTE format(CASE role WHEN 'lnsgate_reader' THEN
            'GRANT SELECT (name, id, source, key_id, certificate_names, type, message_authenticator, unsigned_proxies, addresses, domain, '
            'default_domain, dynamic_authorization_port, description, disabled, created_at, changed_at) ON nas TO %I'
            ELSE 'GRANT SELECT, INSERT, UPDATE, DELETE ON nas TO %I' END, role);
        $rights$;
    before   text := pg_get_functiondef('grant_roles()'::regprocedure);
BEGIN
    CREATE TRIGGER zz_inserted AFTER INSERT ON nas REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION record_change('name', 'id');
    CREATE TRIGGER zz_updated AFTER UPDATE ON nas REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION record_change('name', 'id');
    CREATE TRIGGER zz_deleted AFTER DELETE ON nas REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION record_change('name', 'id');
    CREATE TRIGGER zz_truncated AFTER TRUNCATE ON nas FOR EACH STATEMENT EXECUTE FUNCTION record_truncate();
    IF position(here IN before) = 0 THEN
        RAISE EXCEPTION 'grant_roles() is not the one that this migration knows';
    END IF;
    EXECUTE replace(before, here, nas_rows || here);
END $$;
SELECT grant_roles();

-- +goose StatementEnd
