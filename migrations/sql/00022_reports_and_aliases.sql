-- +goose Up
-- +goose StatementBegin
SET LOCAL search_path = public;

-- The last two tables of FreeRADIUS that reports read: what is checked of groups, and every login with its outcome.
CREATE VIEW freeradius.radgroupcheck AS
SELECT row_number() OVER (ORDER BY g.name, g.kind, v.n) AS id, g.name AS groupname, v.attribute, ':=' AS op, v.value
FROM (
    SELECT name, 1 AS kind, max_sessions, false AS blocked FROM profiles
    UNION ALL
    SELECT name, 2, max_account_sessions, blocked FROM domains
) g CROSS JOIN LATERAL (VALUES
    (1, 'Auth-Type', CASE WHEN g.blocked THEN 'Reject' END),
    (2, 'Simultaneous-Use', nullif(g.max_sessions, 0)::text)
) AS v (n, attribute, value) WHERE v.value IS NOT NULL;
COMMENT ON VIEW freeradius.radgroupcheck IS 'What is checked of profiles and domains: the most sessions of an account, and Auth-Type Reject for a blocked domain.';

CREATE VIEW freeradius.radpostauth AS
SELECT ('x' || substr(md5(l.attempt), 1, 15))::bit(60)::bigint AS id, l.name AS username, ''::text AS pass,
    CASE l.verdict WHEN 'granted' THEN 'Access-Accept' ELSE 'Access-Reject' END AS reply,
    l.called_number AS calledstationid, coalesce(l.calling_number, host(l.peer)) AS callingstationid, l.at AS authdate,
    NULL::text AS class
FROM logins l LEFT JOIN nodes n ON n.name = l.node; -- the join costs nothing, and nobody can write through it
COMMENT ON VIEW freeradius.radpostauth IS 'Every login with its outcome. No password is in it; why a login was refused is in logins.verdict.';

-- An alias that an account is just being called by must not be deleted before both see each other: the account holds its
-- row until it is committed. That takes a right on domain_aliases which whoever adds accounts need not have.
CREATE OR REPLACE FUNCTION derive_account_domain() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
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
        SELECT domain INTO NEW.domain FROM domain_aliases WHERE alias = typed FOR KEY SHARE;
    END IF;
    IF NEW.domain IS NULL THEN
        RAISE EXCEPTION 'account %: there is no domain %', quote_literal(NEW.name), quote_literal(typed)
            USING ERRCODE = 'foreign_key_violation', TABLE = 'accounts', CONSTRAINT = 'accounts_domain_fkey',
                  HINT = format('Make it first: INSERT INTO domains(name) VALUES (%L)', typed);
    END IF;
    RETURN NEW;
END $$;

SELECT grant_roles();

-- +goose StatementEnd
