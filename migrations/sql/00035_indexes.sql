-- +goose NO TRANSACTION
-- +goose Up

-- Indexes of the large tables, each in a transaction of its own and without any other lock: who reads goes on, and what nodes
-- write waits for one index at a time.

-- Logins that succeed, of which there are many, cost nothing for these.
CREATE INDEX IF NOT EXISTS logins_failed ON public.logins (at) WHERE verdict <> 'granted';
CREATE INDEX IF NOT EXISTS logins_cause ON public.logins (cause, at) WHERE verdict <> 'granted';
CREATE INDEX IF NOT EXISTS logins_account ON public.logins (account, at) WHERE account <> name;

-- Sessions without IPv6 are in none of these.
CREATE INDEX IF NOT EXISTS accounting_ipv6_prefix ON public.accounting (ipv6_prefix, started_at) WHERE ipv6_prefix IS NOT NULL;
CREATE INDEX IF NOT EXISTS accounting_delegated_prefix ON public.accounting (delegated_prefix, started_at) WHERE delegated_prefix IS NOT NULL;
