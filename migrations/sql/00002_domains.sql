-- +goose Up
-- +goose StatementBegin
SET LOCAL search_path = public;

CREATE FUNCTION is_domain_name(name text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN octet_length(name) BETWEEN 1 AND 253 AND name = lower(name)
    AND NOT has_blank(name) AND name !~ '[@\\]' AND name !~ '(^\.|\.\.|\.$)';
COMMENT ON FUNCTION is_domain_name(text) IS
'True for a name that a peer could type behind the @: in lower case, no blanks or control characters, no @ and no \, no dot at the ends and no two dots in a row.';

CREATE FUNCTION domain_of(name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN position('@' IN name) > 0 THEN lower(substring(name FROM '[^@]*$'))
    WHEN position('\' IN name) > 0 THEN lower(substring(name FROM '^(.*)\\[^\\]*$'))
END;
COMMENT ON FUNCTION domain_of(text) IS
'The domain in a name as typed: what follows the last @, else what precedes the last \, in lower case; null if there is none.';

CREATE TABLE domains (
    name                    text PRIMARY KEY,
    description             text,
    blocked                 boolean NOT NULL DEFAULT false,
    authentication          text[] NOT NULL DEFAULT '{postgres}',
    on_backend_error        text NOT NULL DEFAULT 'stop',
    methods                 text[] NOT NULL DEFAULT '{}',
    virtual_template        text,
    dns                     inet[],
    nbns                    inet[],
    session_timeout         interval,
    idle_timeout            interval,
    mtu                     integer,
    rate_up                 bigint,
    rate_down               bigint,
    max_sessions            integer,
    max_account_sessions    integer,
    session_policy          text NOT NULL DEFAULT 'refuse',
    accounting_interim      interval,
    created_at              timestamptz NOT NULL DEFAULT now(),
    changed_at              timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT domains_name_characters CHECK (is_domain_name(name)),
    CONSTRAINT domains_authentication CHECK (cardinality(authentication) > 0 AND array_position(authentication, NULL) IS NULL),
    CONSTRAINT domains_on_backend_error CHECK (on_backend_error IN ('stop', 'continue')),
    CONSTRAINT domains_methods CHECK (methods <@ '{pap,chap,mschapv2,eap}'::text[]),
    CONSTRAINT domains_servers CHECK (are_servers(dns) AND are_servers(nbns)),
    CONSTRAINT domains_timeouts CHECK (session_timeout >= '0' AND idle_timeout >= '0'),
    CONSTRAINT domains_mtu CHECK (mtu BETWEEN 68 AND 65535),
    CONSTRAINT domains_rates CHECK (rate_up > 0 AND rate_down > 0),
    CONSTRAINT domains_sessions CHECK (max_sessions >= 0 AND max_account_sessions >= 0),
    CONSTRAINT domains_session_policy CHECK (session_policy IN ('refuse', 'replace')),
    CONSTRAINT domains_accounting_interim CHECK (accounting_interim >= '60 s')
);
COMMENT ON TABLE domains IS 'Departments: how their people are checked and what they get. INSERT INTO domains(name) VALUES (''sales.example'') is enough.';
COMMENT ON COLUMN domains.name IS 'What is typed behind the @. Kept in lower case; capital letters are folded. A renamed domain keeps its old name as an alias.';
COMMENT ON COLUMN domains.description IS 'For people.';
COMMENT ON COLUMN domains.blocked IS 'True: nobody of the domain may log in, and its sessions end.';
COMMENT ON COLUMN domains.authentication IS 'Who checks a user, in order; the next one is asked when the one before does not know the user.';
COMMENT ON COLUMN domains.on_backend_error IS 'What to do when one of them cannot answer: stop, or continue with the next.';
COMMENT ON COLUMN domains.methods IS 'The only methods allowed: pap, chap, mschapv2, eap. Empty: all.';
COMMENT ON COLUMN domains.virtual_template IS 'The interface of the subscribers of this domain; null: that of the l2tp group.';
COMMENT ON COLUMN domains.dns IS 'At most two DNS servers told to subscribers.';
COMMENT ON COLUMN domains.nbns IS 'At most two NetBIOS name servers told to subscribers.';
COMMENT ON COLUMN domains.session_timeout IS 'A session ends after this time; null or 0: never.';
COMMENT ON COLUMN domains.idle_timeout IS 'A session without user traffic ends after this time; null or 0: as the virtual template says.';
COMMENT ON COLUMN domains.mtu IS 'The largest packet sent to a subscriber, in octets; null: as negotiated.';
COMMENT ON COLUMN domains.rate_up IS 'The most a subscriber may send, in bits per second; null: no limit.';
COMMENT ON COLUMN domains.rate_down IS 'The most a subscriber is sent, in bits per second; null: no limit.';
COMMENT ON COLUMN domains.max_sessions IS 'The most sessions of the domain on all nodes together; null: no limit.';
COMMENT ON COLUMN domains.max_account_sessions IS 'The most sessions of one account on all nodes together, unless the account or its profile says otherwise; null: no limit.';
COMMENT ON COLUMN domains.session_policy IS 'At a limit: refuse the new session, or replace the oldest one.';
COMMENT ON COLUMN domains.accounting_interim IS 'How often a session writes its figures; null: as the node is configured.';
COMMENT ON COLUMN domains.created_at IS 'When the row was made.';
COMMENT ON COLUMN domains.changed_at IS 'When the row was last changed.';

CREATE TABLE domain_aliases (
    alias  text PRIMARY KEY,
    domain text NOT NULL REFERENCES domains (name) ON UPDATE CASCADE ON DELETE CASCADE,
    CONSTRAINT domain_aliases_characters CHECK (is_domain_name(alias))
);
CREATE INDEX domain_aliases_domain ON domain_aliases (domain);
COMMENT ON TABLE domain_aliases IS 'Other names that peers may type for a domain.';
COMMENT ON COLUMN domain_aliases.alias IS 'The other name, in lower case. No domain and no other alias has it.';
COMMENT ON COLUMN domain_aliases.domain IS 'The domain that is meant.';

-- Folds names to lower case, so that people may write them as they like.
CREATE FUNCTION fold_domain() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
BEGIN
    IF TG_TABLE_NAME = 'domains' THEN
        NEW.name := lower(NEW.name);
    ELSE
        NEW.domain := lower(NEW.domain);
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION fold_domain() IS 'Trigger: domain names are kept in lower case.';

-- A name means one domain: names and aliases are one name space.
CREATE FUNCTION refuse_shared_domain_name() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
DECLARE
    taken text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('lnsgate domain names'));
    IF TG_TABLE_NAME = 'domains' THEN
        SELECT alias INTO taken FROM domain_aliases WHERE alias = NEW.name;
    ELSE
        NEW.alias := lower(NEW.alias);
        SELECT name INTO taken FROM domains WHERE name = NEW.alias;
    END IF;
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION '% is already a domain or an alias', quote_literal(taken)
            USING ERRCODE = 'unique_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'domain_names_unique';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION refuse_shared_domain_name() IS 'Trigger: no alias is called like a domain.';

CREATE TRIGGER a_fold BEFORE INSERT OR UPDATE OF name ON domains FOR EACH ROW EXECUTE FUNCTION fold_domain();
CREATE TRIGGER a_fold BEFORE INSERT OR UPDATE OF domain ON domain_aliases FOR EACH ROW EXECUTE FUNCTION fold_domain();
CREATE TRIGGER b_unique BEFORE INSERT OR UPDATE OF name ON domains FOR EACH ROW EXECUTE FUNCTION refuse_shared_domain_name();
CREATE TRIGGER b_unique BEFORE INSERT OR UPDATE OF alias ON domain_aliases FOR EACH ROW EXECUTE FUNCTION refuse_shared_domain_name();

CREATE FUNCTION touch() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    NEW.changed_at := now();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION touch() IS 'Trigger: keeps changed_at.';

CREATE TRIGGER z_touch BEFORE UPDATE ON domains FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch();

-- +goose StatementEnd
