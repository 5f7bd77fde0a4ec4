package postgres

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"lnsgate/aaa"
)

// lookupSQL looks for one account, lookupManySQL for many. Both answer with one row for each name always: an unknown name has
// no id, but the methods of the domain are known all the same. n tells which name it was, from 1 on.
const (
	lookupSQL     = lookupColumns + `FROM (SELECT $1::text AS typed, $2::text AS domain, 1::bigint AS n) asked` + lookupTables
	lookupManySQL = lookupColumns + `FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked(typed, domain, n)` + lookupTables
)

const lookupColumns = `
SELECT asked.n, a.id, a.name, a.password, coalesce(a.disabled, false), a.valid_from, a.valid_until, now(),
	coalesce(a.max_sessions, p.max_sessions), coalesce(a.pools, p.pools), coalesce(a.dns, p.dns), coalesce(a.nbns, p.nbns),
	extract(epoch FROM coalesce(a.session_timeout, p.session_timeout))::float8,
	extract(epoch FROM coalesce(a.idle_timeout, p.idle_timeout))::float8,
	coalesce(a.mtu, p.mtu), coalesce(a.rate_up, p.rate_up), coalesce(a.rate_down, p.rate_down),
	coalesce(a.filter, p.filter, ''), coalesce(a.routes, p.routes),
	s.address, s.prefix, s.delegated, coalesce(a.ipv6_pool, p.ipv6_pool, ''), coalesce(a.delegated_pool, p.delegated_pool, ''),
	coalesce(a.ipv6_dns, p.ipv6_dns),
	c.kinds, c.contents, c.keys, d.methods
`

// lookupTables enters every table by its primary key, for each name: OFFSET 0 keeps the planner from joining a whole table.
const lookupTables = `
LEFT JOIN LATERAL (SELECT * FROM accounts x WHERE x.name = asked.typed OFFSET 0) a ON true
LEFT JOIN LATERAL (SELECT * FROM profiles x WHERE x.name = a.profile OFFSET 0) p ON true
LEFT JOIN LATERAL (SELECT x.methods FROM domains x WHERE x.name = asked.domain OFFSET 0) d ON true
LEFT JOIN LATERAL (
	SELECT max(x.address) FILTER (WHERE family(x.address) = 4) AS address,
		max(set_masklen(x.address, x.prefix_length)) FILTER (WHERE NOT x.delegated) AS prefix,
		max(set_masklen(x.address, x.prefix_length)) FILTER (WHERE x.delegated) AS delegated
	FROM static_addresses x WHERE x.account = a.name
) s ON true
LEFT JOIN LATERAL (
	SELECT array_agg(k.kind) AS kinds, array_agg(k.value) AS contents, array_agg(coalesce(k.key_id, '')) AS keys
	FROM credentials k WHERE k.account = a.name
) c ON true`

// Bounds of look-ups.
const (
	maxLookups    = 64 // in one statement
	lookupsAtOnce = 2  // statements
)

// form is one stored form of a password.
type form struct {
	kind  string // credentials.kind
	value []byte
	key   string // credentials.key_id, "" if it is not sealed
}

// account is one row of accounts with all that belongs to it. The zero value is an account that does not exist.
type account struct {
	id       int64 // 0: no such account
	name     string
	password string // in clear, as long as no node has sealed it; then forms do not count
	forms    []form
	methods  []string // that the domain accepts; empty: all, or the domain is not in the database

	disabled    bool
	from, until time.Time // zero: no bound
	now         time.Time // by the clock of the database

	grant aaa.Grant
}

func (a *account) known() bool { return a.id != 0 }

// valid reports whether the account may be used at this time, and else says why not.
func (a *account) valid() (bool, string) {
	switch {
	case !a.from.IsZero() && a.now.Before(a.from):
		return false, "valid only from " + a.from.Format(time.RFC3339) + " on"
	case !a.until.IsZero() && !a.now.Before(a.until):
		return false, "no longer valid since " + a.until.Format(time.RFC3339)
	}
	return true, ""
}

// same reports whether a proof has the same result against both.
func (a *account) same(b *account) bool {
	return a.id == b.id && a.password == b.password && slices.Equal(a.methods, b.methods) &&
		slices.EqualFunc(a.forms, b.forms, func(x, y form) bool {
			return x.kind == y.kind && x.key == y.key && bytes.Equal(x.value, y.value)
		})
}

// yes is what the account grants. Nobody else has a part of it.
func (a *account) yes(reply string) aaa.Grant {
	g := a.grant
	g.Pools, g.Routes, g.Reply = slices.Clone(g.Pools), slices.Clone(g.Routes), reply
	g.IPv6.Prefixes, g.IPv6.Delegated, g.IPv6.DNS = slices.Clone(g.IPv6.Prefixes), slices.Clone(g.IPv6.Delegated), slices.Clone(g.IPv6.DNS)
	g.IPv6.Routes, g.IPv6.Advertised = slices.Clone(g.IPv6.Routes), slices.Clone(g.IPv6.Advertised)
	return g
}

// usual reports whether the account may log in, as far as it is up to the account.
func (a *account) usual() bool {
	ok, _ := a.valid()
	return ok && a.known() && !a.disabled
}

// recall looks for the account of a name among those that logged in lately. Nil: the database has to be asked.
func (b *Backend) recall(q *aaa.Query) *account {
	return b.remembered.get(q.Identity.Raw, q.Domain, time.Now())
}

// question is a name that is looked for, and what is found.
type question struct {
	typed, domain string
	found         account
}

// lookup asks the database for the account of a name, together with those who ask at the same time.
func (b *Backend) lookup(ctx context.Context, q *aaa.Query) (*account, error) {
	asked := &question{typed: q.Identity.Raw, domain: q.Domain}
	if !storable(asked.typed) {
		asked.typed = "" // no account has it; the question is asked all the same, as for any other name
	}
	ctx, cancel := context.WithTimeout(ctx, b.db.timeout)
	defer cancel()
	ticket, at := b.remembered.now(asked.typed), time.Now()
	if err := b.lookups.do(ctx, asked); err != nil {
		return nil, b.db.failure(ctx, "look up an account", err)
	}
	b.remembered.put(ticket, asked.typed, asked.domain, &asked.found, at)
	return &asked.found, nil
}

// storable reports whether the database can hold a text at all.
func storable(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

// answer looks for all names of a round.
func (b *Backend) answer(ctx context.Context, asked []*question) error {
	ctx, cancel := context.WithTimeout(ctx, b.db.timeout)
	defer cancel()
	return b.db.persist(ctx, func(ctx context.Context) error {
		if len(asked) == 1 {
			rows, err := b.db.pool.Query(ctx, lookupSQL, asked[0].typed, asked[0].domain)
			if err != nil {
				return err
			}
			return read(rows, asked)
		}
		var names, domains []string
		for _, q := range asked {
			names, domains = append(names, q.typed), append(domains, q.domain)
		}
		return byIndex(ctx, b.db.pool, func(rows pgx.Rows) error { return read(rows, asked) }, lookupManySQL, names, domains)
	})
}

// read takes the rows of a round, one for each name.
func read(rows pgx.Rows, asked []*question) error {
	var (
		n                    int64
		a                    account
		id                   *int64
		name, password       *string
		from, until          *time.Time
		sessions, mtu        *int32
		dns, nbns            []netip.Addr
		routes               []netip.Prefix
		session, idle        *float64
		up, down             *int64
		address              *netip.Addr
		prefix, delegated    *netip.Prefix
		six                  aaa.IPv6
		kinds, keys, methods []string
		contents             [][]byte
	)
	columns := []any{&n, &id, &name, &password, &a.disabled, &from, &until, &a.now, &sessions, &a.grant.Pools, &dns, &nbns,
		&session, &idle, &mtu, &up, &down, &a.grant.Filter, &routes, &address,
		&prefix, &delegated, &six.Pool, &six.DelegatedPool, &six.DNS, &kinds, &contents, &keys, &methods}
	done, err := pgx.ForEachRow(rows, columns, func() error {
		a.id, a.name, a.password = value(id), value(name), value(password)
		a.from, a.until, a.methods, a.forms = value(from), value(until), methods, nil
		for i := range kinds {
			a.forms = append(a.forms, form{kinds[i], contents[i], keys[i]})
		}
		a.grant.Account, a.grant.Address, a.grant.DNS, a.grant.NBNS = a.name, value(address), pair(dns), pair(nbns)
		a.grant.SessionTimeout, a.grant.IdleTimeout = timeout(session), timeout(idle)
		a.grant.MaxSessions, a.grant.MTU = limit(sessions), int(value(mtu))
		a.grant.RateUp, a.grant.RateDown = uint64(value(up)), uint64(value(down))
		a.grant.Routes = networks(routes)
		six.Prefixes, six.Delegated = oneOf(prefix), oneOf(delegated)
		a.grant.IPv6 = six
		asked[n-1].found = a
		return nil
	})
	if err == nil && done.RowsAffected() != int64(len(asked)) {
		err = fmt.Errorf("%d answers to %d names", done.RowsAffected(), len(asked))
	}
	return err
}

// none is what a grant says where the account has no limit and its domain may have one: aaa takes zero for "as the domain
// says", and everybody takes what is negative for "no limit".
const none = -1

// value is what a nullable column holds, or the zero value.
func value[T any](column *T) T {
	var zero T
	if column == nil {
		return zero
	}
	return *column
}

func pair(list []netip.Addr) (p [2]netip.Addr) {
	copy(p[:], list)
	return p
}

// oneOf is a list of what may be there.
func oneOf(p *netip.Prefix) []netip.Prefix {
	if p == nil {
		return nil
	}
	return []netip.Prefix{*p}
}

// networks are those behind the user.
func networks(list []netip.Prefix) (routes []aaa.Route) {
	for _, n := range list {
		routes = append(routes, aaa.Route{Prefix: n})
	}
	return routes
}

// limit is a number of sessions of an account: null leaves it to the domain, 0 is no limit.
func limit(column *int32) int {
	if column != nil && *column == 0 {
		return none
	}
	return int(value(column))
}

// timeout is a time of an account: null leaves it to the domain, 0 is no limit.
func timeout(column *float64) time.Duration {
	if column != nil && *column == 0 {
		return none
	}
	return seconds(value(column))
}

// seconds turns what extract(epoch ...) answers into a duration.
func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// allowsOnlyPAP reports whether a domain accepts PAP and nothing else.
func allowsOnlyPAP(methods []string) bool { return slices.Equal(methods, []string{"pap"}) }
