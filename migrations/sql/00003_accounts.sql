-- +goose Up
-- +goose StatementBegin
SET LOCAL search_path = public;

CREATE TABLE profiles (
    name            text PRIMARY KEY,
    description     text,
    max_sessions    integer,
    pools           text[],
    dns             inet[],
    nbns            inet[],
    session_timeout interval,
    idle_timeout    interval,
    mtu             integer,
    rate_up         bigint,
    rate_down       bigint,
    created_at      timestamptz NOT NULL DEFAULT now(),
    changed_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT profiles_name CHECK (name <> '' AND NOT has_blank(name)),
    CONSTRAINT profiles_sessions CHECK (max_sessions >= 0),
    CONSTRAINT profiles_servers CHECK (are_servers(dns) AND are_servers(nbns)),
    CONSTRAINT profiles_timeouts CHECK (session_timeout >= '0' AND idle_timeout >= '0'),
    CONSTRAINT profiles_mtu CHECK (mtu BETWEEN 68 AND 65535),
    CONSTRAINT profiles_rates CHECK (rate_up > 0 AND rate_down > 0)
);
COMMENT ON TABLE profiles IS 'Settings that many accounts share. The order is: account, then its profile, then its domain; the first that is not null counts.';
COMMENT ON COLUMN profiles.name IS 'What accounts.profile refers to.';
COMMENT ON COLUMN profiles.description IS 'For people.';
COMMENT ON COLUMN profiles.max_sessions IS 'The most sessions of each account on all nodes together.';
COMMENT ON COLUMN profiles.pools IS 'Pools instead of those of the domain, in order.';
COMMENT ON COLUMN profiles.dns IS 'At most two DNS servers instead of those of the domain.';
COMMENT ON COLUMN profiles.nbns IS 'At most two NetBIOS name servers instead of those of the domain.';
COMMENT ON COLUMN profiles.session_timeout IS 'A session ends after this time; 0: never.';
COMMENT ON COLUMN profiles.idle_timeout IS 'A session without user traffic ends after this time.';
COMMENT ON COLUMN profiles.mtu IS 'The largest packet sent to the subscriber, in octets.';
COMMENT ON COLUMN profiles.rate_up IS 'The most a subscriber may send, in bits per second.';
COMMENT ON COLUMN profiles.rate_down IS 'The most a subscriber is sent, in bits per second.';
COMMENT ON COLUMN profiles.created_at IS 'When the row was made.';
COMMENT ON COLUMN profiles.changed_at IS 'When the row was last changed.';

CREATE TABLE accounts (
    name            text PRIMARY KEY,
    id              bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    domain          text REFERENCES domains (name) ON UPDATE CASCADE,
    password        text,
    disabled        boolean NOT NULL DEFAULT false,
    valid_from      timestamptz,
    valid_until     timestamptz,
    max_sessions    integer,
    profile         text REFERENCES profiles (name) ON UPDATE CASCADE,
    pools           text[],
    dns             inet[],
    nbns            inet[],
    session_timeout interval,
    idle_timeout    interval,
    mtu             integer,
    rate_up         bigint,
    rate_down       bigint,
    description     text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    changed_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT accounts_name_characters CHECK (octet_length(name) BETWEEN 1 AND 253
        AND NOT has_blank(name) AND name !~ '\.\.' AND name !~ '^@[^@]*$' AND (name ~ '@' OR name !~ '\\$')),
    CONSTRAINT accounts_password CHECK (password <> '' AND length(password) <= 256),
    CONSTRAINT accounts_validity CHECK (valid_from < valid_until),
    CONSTRAINT accounts_sessions CHECK (max_sessions >= 0),
    CONSTRAINT accounts_servers CHECK (are_servers(dns) AND are_servers(nbns)),
    CONSTRAINT accounts_timeouts CHECK (session_timeout >= '0' AND idle_timeout >= '0'),
    CONSTRAINT accounts_mtu CHECK (mtu BETWEEN 68 AND 65535),
    CONSTRAINT accounts_rates CHECK (rate_up > 0 AND rate_down > 0)
);
CREATE INDEX accounts_domain ON accounts (domain);
CREATE INDEX accounts_profile ON accounts (profile) WHERE profile IS NOT NULL;
CREATE INDEX accounts_pools ON accounts USING gin (pools) WHERE pools IS NOT NULL;
CREATE INDEX accounts_unsealed ON accounts (id) WHERE password IS NOT NULL;
COMMENT ON TABLE accounts IS 'Who may log in. INSERT INTO accounts(name, password) VALUES (''alice@sales.example'', ''secret'') is enough.';
COMMENT ON COLUMN accounts.name IS 'The name exactly as it is typed, capital letters included. alice and alice@sales.example are two accounts.';
COMMENT ON COLUMN accounts.id IS 'A number that stays when the account is renamed. Sealed credentials are bound to it.';
COMMENT ON COLUMN accounts.domain IS 'Derived from the name, aliases resolved; null when the name has no domain. Whatever is written here is replaced.';
COMMENT ON COLUMN accounts.password IS 'Write the clear password here. While it stands here it is the one that counts; within a second a node seals it into credentials and empties this column.';
COMMENT ON COLUMN accounts.disabled IS 'True: the account may not log in, and its sessions end.';
COMMENT ON COLUMN accounts.valid_from IS 'No login before this time.';
COMMENT ON COLUMN accounts.valid_until IS 'No login from this time on, and sessions end.';
COMMENT ON COLUMN accounts.max_sessions IS 'The most sessions of the account on all nodes together; 0: none; null: as profile or domain say.';
COMMENT ON COLUMN accounts.profile IS 'Settings shared with other accounts.';
COMMENT ON COLUMN accounts.pools IS 'Pools instead of those of profile or domain, in order. For one fixed address use static_addresses.';
COMMENT ON COLUMN accounts.dns IS 'At most two DNS servers instead of those of profile or domain.';
COMMENT ON COLUMN accounts.nbns IS 'At most two NetBIOS name servers instead of those of profile or domain.';
COMMENT ON COLUMN accounts.session_timeout IS 'A session ends after this time; 0: never.';
COMMENT ON COLUMN accounts.idle_timeout IS 'A session without user traffic ends after this time.';
COMMENT ON COLUMN accounts.mtu IS 'The largest packet sent to the subscriber, in octets.';
COMMENT ON COLUMN accounts.rate_up IS 'The most the subscriber may send, in bits per second.';
COMMENT ON COLUMN accounts.rate_down IS 'The most the subscriber is sent, in bits per second.';
COMMENT ON COLUMN accounts.description IS 'For people.';
COMMENT ON COLUMN accounts.created_at IS 'When the row was made.';
COMMENT ON COLUMN accounts.changed_at IS 'When the row was last changed.';

CREATE TABLE credentials (
    account    text NOT NULL REFERENCES accounts (name) ON UPDATE CASCADE ON DELETE CASCADE,
    kind       text NOT NULL,
    value      bytea NOT NULL,
    key_id     text,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, kind),
    CONSTRAINT credentials_kind CHECK (kind IN ('argon2id', 'bcrypt', 'crypt', 'nt', 'sealed')),
    CONSTRAINT credentials_key CHECK (CASE kind
        WHEN 'sealed' THEN key_id IS NOT NULL
        WHEN 'nt' THEN key_id IS NOT NULL OR octet_length(value) = 16
        ELSE key_id IS NULL END),
    CONSTRAINT credentials_form CHECK (CASE kind
        WHEN 'argon2id' THEN substring(value FOR 10) = '$argon2id$'::bytea
        WHEN 'bcrypt' THEN substring(value FOR 2) = '$2'::bytea AND octet_length(value) = 60
        ELSE octet_length(value) > 0 END)
);
CREATE INDEX credentials_key_id ON credentials (key_id) WHERE key_id IS NOT NULL;
COMMENT ON TABLE credentials IS 'What passwords are checked against. Written by set_password() and by the nodes; nobody needs to read it.';
COMMENT ON COLUMN credentials.account IS 'Whose it is.';
COMMENT ON COLUMN credentials.kind IS 'argon2id, bcrypt, crypt: one-way, for pap. nt: the NT hash, for pap and mschapv2. sealed: the clear password sealed with a key outside the database, for every method.';
COMMENT ON COLUMN credentials.value IS 'argon2id, bcrypt, crypt: the usual text, such as $2b$10$... nt without key_id: the 16 octets. With key_id: nonce and AES-256-GCM text.';
COMMENT ON COLUMN credentials.key_id IS 'The key that sealed the value; null: not sealed. An nt without it is sealed by a node.';
COMMENT ON COLUMN credentials.changed_at IS 'When the value was last changed.';

-- The domain always follows from the name.
CREATE FUNCTION derive_account_domain() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
DECLARE
    typed text := domain_of(NEW.name);
BEGIN
    NEW.domain := NULL;
    IF typed IS NULL THEN
        RETURN NEW;
    END IF;
    SELECT name INTO NEW.domain FROM domains WHERE name = typed;
    IF NEW.domain IS NULL THEN
        SELECT domain INTO NEW.domain FROM domain_aliases WHERE alias = typed;
    END IF;
    IF NEW.domain IS NULL THEN
        RAISE EXCEPTION 'account %: there is no domain %', quote_literal(NEW.name), quote_literal(typed)
            USING ERRCODE = 'foreign_key_violation', TABLE = 'accounts', CONSTRAINT = 'accounts_domain_fkey',
                  HINT = format('Make it first: INSERT INTO domains(name) VALUES (%L)', typed);
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION derive_account_domain() IS 'Trigger: fills accounts.domain from the name, aliases resolved.';

CREATE TRIGGER a_domain BEFORE INSERT OR UPDATE OF name ON accounts FOR EACH ROW EXECUTE FUNCTION derive_account_domain();
-- Depth 0: not when a renamed domain is carried along by the foreign key.
CREATE TRIGGER b_domain BEFORE UPDATE OF domain ON accounts FOR EACH ROW WHEN (pg_trigger_depth() = 0)
    EXECUTE FUNCTION derive_account_domain();
CREATE TRIGGER z_touch BEFORE UPDATE ON accounts FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch();
CREATE TRIGGER z_touch BEFORE UPDATE ON profiles FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch();
CREATE TRIGGER z_touch BEFORE UPDATE ON credentials FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch();

CREATE FUNCTION keep_old_domain_name() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM accounts WHERE domain IN (OLD.name, NEW.name) AND domain_of(name) = OLD.name) THEN
        INSERT INTO domain_aliases (alias, domain) VALUES (OLD.name, NEW.name);
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION keep_old_domain_name() IS 'Trigger: a renamed domain keeps its old name as an alias while accounts are called by it.';
CREATE TRIGGER y_keep_name AFTER UPDATE OF name ON domains FOR EACH ROW WHEN (OLD.name <> NEW.name)
    EXECUTE FUNCTION keep_old_domain_name();

CREATE FUNCTION refuse_alias_in_use() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
DECLARE
    name text;
BEGIN
    SELECT a.name INTO name FROM accounts a WHERE a.domain = OLD.domain AND domain_of(a.name) = OLD.alias LIMIT 1;
    IF name IS NOT NULL THEN
        RAISE EXCEPTION 'alias % is in use by account %', quote_literal(OLD.alias), quote_literal(name)
            USING ERRCODE = 'foreign_key_violation', TABLE = 'domain_aliases', CONSTRAINT = 'domain_aliases_in_use',
                  HINT = 'Rename or delete the accounts first.';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION refuse_alias_in_use() IS 'Trigger: an alias stays while accounts are called by it.';
CREATE TRIGGER y_in_use AFTER DELETE OR UPDATE OF alias ON domain_aliases FOR EACH ROW EXECUTE FUNCTION refuse_alias_in_use();

-- bcrypt is what the database can make by itself. CHAP and MS-CHAPv2 need a form that only a node can seal.
CREATE FUNCTION set_password(account text, clear text) RETURNS text
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
DECLARE
    allowed text[];
BEGIN
    IF clear IS NULL OR clear = '' THEN
        RAISE EXCEPTION 'the password is empty' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT d.methods INTO allowed FROM accounts a LEFT JOIN domains d ON d.name = a.domain
        WHERE a.name = set_password.account FOR UPDATE OF a;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no account %', quote_literal(account) USING ERRCODE = 'no_data_found';
    END IF;
    DELETE FROM credentials c WHERE c.account = set_password.account;
    IF allowed = '{pap}' AND octet_length(clear) <= 72 THEN
        UPDATE accounts a SET password = NULL WHERE a.name = set_password.account AND a.password IS NOT NULL;
        INSERT INTO credentials (account, kind, value)
            VALUES (set_password.account, 'bcrypt', convert_to(crypt(clear, gen_salt('bf', 10)), 'UTF8'));
        RETURN 'stored as bcrypt: the domain allows pap only';
    END IF;
    UPDATE accounts a SET password = clear WHERE a.name = set_password.account;
    RETURN 'stands in accounts.password and works at once; a node seals it within a second';
END $$;
COMMENT ON FUNCTION set_password(text, text) IS
'Sets the password of an account and deletes every older form. Where the domain allows pap only it is stored as bcrypt; else it stands in accounts.password until a node seals it. The answer says which.';

-- +goose StatementEnd
