package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"lnsgate/aaa"
)

// maxNearTold bounds the near misses that are told.
const maxNearTold = 3

// nearSQL finds accounts that the user may have meant: with and without the domain, then those whose name differs in the
// domain or in upper and lower case. Both parts go by an index, and the second one looks at 64 rows at most, however
// many domains have an "admin".
const nearSQL = `
SELECT name FROM (
	SELECT 1 AS rank, a.name FROM accounts a WHERE a.name = ANY ($1)
	UNION ALL
	(SELECT 2, a.name FROM accounts a WHERE lower(user_of(a.name)) = lower($2) LIMIT 64)
) found
GROUP BY name ORDER BY min(rank), name`

// explain tells the administrator which accounts the user may have meant, the likeliest first, or nothing; the reason is that
// of the likeliest. It is a help and no more: where the database does not answer, there is none.
func (b *Backend) explain(ctx context.Context, q *aaa.Query) (near string, reason aaa.Reason) {
	user := q.Identity.User
	if !storable(user) {
		user = ""
	}
	var names []string
	err := b.db.ask(ctx, "look for similar accounts", func(ctx context.Context) error {
		rows, err := b.db.pool.Query(ctx, nearSQL, []string{user + "@" + q.Domain, user}, user)
		if err != nil {
			return err
		}
		names, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return "", aaa.ReasonNone
	}
	var told []string
	for _, name := range names {
		why, kind := nearMiss(q, name)
		if why != "" && !slices.Contains(told, why) && len(told) < maxNearTold {
			told, reason = append(told, why), cmp.Or(reason, kind)
		}
	}
	return strings.Join(told, "; "), reason
}

// nearMiss says how the stored name differs from the one typed, or nothing if it is the same or belongs to another
// domain altogether.
func nearMiss(q *aaa.Query, stored string) (string, aaa.Reason) {
	account, err := aaa.ParseIdentity(stored)
	switch {
	case err != nil || stored == q.Identity.Raw:
		return "", aaa.ReasonNone
	case strings.EqualFold(stored, q.Identity.Raw):
		return fmt.Sprintf("stored as %q: only upper and lower case differ, the name must be typed exactly", stored), aaa.NearMissName
	case q.Identity.Domain == "" && account.Domain == q.Domain:
		return fmt.Sprintf("stored as %q: the user must type the domain too", stored), aaa.NearMissDomain
	case q.Identity.Domain == "":
		return fmt.Sprintf("there is %q, in domain %q", stored, account.Domain), aaa.NearMissDomain
	case account.Domain == "":
		return fmt.Sprintf("stored as %q: the user must type it without the domain", stored), aaa.NearMissDomain
	case account.Domain == q.Identity.Domain:
		return fmt.Sprintf("stored as %q: the domain must be written the same way", stored), aaa.NearMissDomain
	case account.Domain == q.Domain:
		return fmt.Sprintf("stored as %q: %q is the same domain, but the name must be typed exactly", stored, q.Identity.Domain), aaa.NearMissDomain
	}
	return "", aaa.ReasonNone
}

// unknown is the rejection of a name that no account has.
func unknown(q *aaa.Query, near string, reason aaa.Reason) *aaa.Rejection {
	return reject(aaa.UnknownUser, fmt.Sprintf("no account is stored as %q", q.Identity.Raw), near).For(reason)
}
