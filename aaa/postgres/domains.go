package postgres

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/jackc/pgx/v5"

	"lnsgate/aaa"
)

const domainsSQL = `
SELECT d.name, d.authentication, d.on_backend_error = 'continue', d.methods, coalesce(d.virtual_template, ''), d.blocked,
	ARRAY(SELECT l.alias FROM domain_aliases l WHERE l.domain = d.name ORDER BY l.alias),
	ARRAY(SELECT p.pool FROM domain_pools p WHERE p.domain = d.name ORDER BY p.ordinal),
	d.dns, d.nbns,
	coalesce(extract(epoch FROM d.session_timeout), 0)::float8, coalesce(extract(epoch FROM d.idle_timeout), 0)::float8,
	coalesce(d.mtu, 0), coalesce(d.rate_up, 0), coalesce(d.rate_down, 0),
	coalesce(d.max_sessions, 0), coalesce(d.max_account_sessions, 0), d.session_policy = 'replace',
	coalesce(extract(epoch FROM d.accounting_interim), 0)::float8, d.accounting, coalesce(d.filter, ''),
	d.client_routes, coalesce(d.dns_suffix, ''), d.ipv6_pools, d.delegated_pools, d.ipv6_dns
FROM domains d ORDER BY d.name`

// Domains reads all domains, with their aliases and with their pools in order, for making a Gateway. The error is a
// *aaa.Rejection.
func (b *Backend) Domains(ctx context.Context) ([]aaa.Domain, error) {
	var domains []aaa.Domain
	err := b.db.ask(ctx, "read the domains", func(ctx context.Context) error {
		rows, err := b.db.pool.Query(ctx, domainsSQL)
		if err != nil {
			return err
		}
		domains, err = pgx.CollectRows(rows, scanDomain)
		return err
	})
	return domains, err
}

func scanDomain(row pgx.CollectableRow) (aaa.Domain, error) {
	var (
		d                      aaa.Domain
		methods                []string
		dns, nbns              []netip.Addr
		session, idle, interim float64
		up, down               int64
		replace                bool
	)
	err := row.Scan(&d.Name, &d.Chain, &d.ContinueOnError, &methods, &d.VirtualTemplate, &d.Blocked, &d.Aliases, &d.Pools,
		&dns, &nbns, &session, &idle, &d.MTU, &up, &down, &d.MaxSessions, &d.AccountSessions, &replace, &interim,
		&d.Accounting, &d.Filter, &d.ClientRoutes, &d.DNSSuffix, &d.IPv6Pools, &d.DelegatedPools, &d.IPv6DNS)
	if err != nil {
		return aaa.Domain{}, err
	}
	for _, name := range methods {
		m, err := aaa.ParseMethod(name)
		if err != nil {
			return aaa.Domain{}, fmt.Errorf("domain %q: %w", d.Name, err)
		}
		d.Methods = append(d.Methods, m)
	}
	d.DNS, d.NBNS, d.RateUp, d.RateDown = pair(dns), pair(nbns), uint64(up), uint64(down)
	d.SessionTimeout, d.IdleTimeout, d.Interim = seconds(session), seconds(idle), seconds(interim)
	if replace {
		d.SessionPolicy = aaa.ReplaceOld
	}
	return d, nil
}

// Gap says that a domain accepts a method which the stored forms of some of its accounts cannot check.
type Gap struct {
	Domain   string // "" for accounts without one
	Method   aaa.Method
	Accounts int
	Example  string // the first of them
}

// String tells what to do.
func (g Gap) String() string {
	who, remedy := fmt.Sprintf("domain %q accepts %s", g.Domain, g.Method), fmt.Sprintf("take %s from the domain's methods", g.Method)
	if g.Domain == "" {
		who, remedy = fmt.Sprintf("names without a domain may come by %s", g.Method), "do not offer it"
	}
	passwords := fmt.Sprintf("passwords of %d accounts, such as %q,", g.Accounts, g.Example)
	if g.Accounts == 1 {
		passwords = fmt.Sprintf("password of %q", g.Example)
	}
	return fmt.Sprintf("%s, but the stored %s cannot check it: %s, or set the password again", who, passwords, remedy)
}

// gapsSQL looks at every account. It is for a check, not for a login.
const gapsSQL = `
SELECT domain, method, count(*), min(name) FROM (
	SELECT coalesce(a.domain, '') AS domain, m.method, a.name
	FROM accounts a
	LEFT JOIN domains d ON d.name = a.domain
	CROSS JOIN LATERAL unnest(CASE WHEN cardinality(d.methods) > 0 THEN d.methods ELSE '{pap,chap,mschapv2}' END) m(method)
	WHERE a.password IS NULL AND NOT EXISTS (SELECT FROM credentials c WHERE c.account = a.name AND CASE m.method
		WHEN 'pap' THEN c.kind IN ('sealed', 'nt', 'argon2id', 'bcrypt', 'crypt')
		WHEN 'mschapv2' THEN c.kind IN ('sealed', 'nt')
		ELSE c.kind = 'sealed' END)
) lacking
GROUP BY domain, method ORDER BY domain, method`

// Gaps lists which domains accept a method that the stored forms of some accounts cannot check. The error is a
// *aaa.Rejection.
func (b *Backend) Gaps(ctx context.Context) ([]Gap, error) {
	var gaps []Gap
	err := b.db.ask(ctx, "compare stored passwords with methods", func(ctx context.Context) error {
		rows, err := b.db.pool.Query(ctx, gapsSQL)
		if err != nil {
			return err
		}
		gaps, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (g Gap, err error) {
			var method string
			if err = row.Scan(&g.Domain, &method, &g.Accounts, &g.Example); err == nil {
				g.Method, err = aaa.ParseMethod(method)
			}
			return g, err
		})
		return err
	})
	return gaps, err
}
