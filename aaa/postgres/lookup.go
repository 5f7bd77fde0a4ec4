package postgres

import (
	"bytes"
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"lnsgate/aaa"
)

// lookupSQL answers with one row always: an unknown name has no id, but the methods of the domain are known all the same.
// Every table is entered by its primary key.
const lookupSQL = `
SELECT a.id, a.name, a.password, coalesce(a.disabled, false), a.valid_from, a.valid_until, now(),
	coalesce(a.max_sessions, p.max_sessions), coalesce(a.pools, p.pools), coalesce(a.dns, p.dns), coalesce(a.nbns, p.nbns),
	extract(epoch FROM coalesce(a.session_timeout, p.session_timeout))::float8,
	extract(epoch FROM coalesce(a.idle_timeout, p.idle_timeout))::float8,
	coalesce(a.mtu, p.mtu), coalesce(a.rate_up, p.rate_up), coalesce(a.rate_down, p.rate_down),
	coalesce(a.filter, p.filter, ''),
	(SELECT s.address FROM static_addresses s WHERE s.account = a.name AND family(s.address) = 4),
	c.kinds, c.contents, c.keys, d.methods
FROM (SELECT $1::text AS typed, $2::text AS domain) asked
LEFT JOIN accounts a ON a.name = asked.typed
LEFT JOIN profiles p ON p.name = a.profile
LEFT JOIN domains d ON d.name = asked.domain
LEFT JOIN LATERAL (
	SELECT array_agg(k.kind) AS kinds, array_agg(k.value) AS contents, array_agg(coalesce(k.key_id, '')) AS keys
	FROM credentials k WHERE k.account = a.name
) c ON true`

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
	g.Pools, g.Reply = slices.Clone(g.Pools), reply
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

// lookup asks the database for the account of a name.
func (b *Backend) lookup(ctx context.Context, q *aaa.Query) (*account, error) {
	typed := q.Identity.Raw
	if !storable(typed) {
		typed = "" // no account has it; the question is asked all the same, as for any other name
	}
	var found account
	asked, at := b.remembered.now(typed), time.Now()
	err := b.db.ask(ctx, "look up an account", func(ctx context.Context) (err error) {
		found, err = b.read(ctx, typed, q.Domain)
		return err
	})
	if err == nil {
		b.remembered.put(asked, typed, q.Domain, &found, at)
	}
	return &found, err
}

// storable reports whether the database can hold a text at all.
func storable(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

func (b *Backend) read(ctx context.Context, typed, domain string) (account, error) {
	var (
		a                    account
		id                   *int64
		name, password       *string
		from, until          *time.Time
		sessions, mtu        *int32
		dns, nbns            []netip.Addr
		session, idle        *float64
		up, down             *int64
		address              *netip.Addr
		kinds, keys, methods []string
		contents             [][]byte
	)
	err := b.db.pool.QueryRow(ctx, lookupSQL, typed, domain).Scan(&id, &name, &password, &a.disabled, &from, &until, &a.now,
		&sessions, &a.grant.Pools, &dns, &nbns, &session, &idle, &mtu, &up, &down, &a.grant.Filter, &address, &kinds, &contents, &keys, &methods)
	if err != nil {
		return account{}, err
	}
	a.id, a.name, a.password = value(id), value(name), value(password)
	a.from, a.until, a.methods = value(from), value(until), methods
	for i := range kinds {
		a.forms = append(a.forms, form{kinds[i], contents[i], keys[i]})
	}
	a.grant.Account, a.grant.Address, a.grant.DNS, a.grant.NBNS = a.name, value(address), pair(dns), pair(nbns)
	a.grant.SessionTimeout, a.grant.IdleTimeout = timeout(session), timeout(idle)
	a.grant.MaxSessions, a.grant.MTU = limit(sessions), int(value(mtu))
	a.grant.RateUp, a.grant.RateDown = uint64(value(up)), uint64(value(down))
	return a, nil
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
