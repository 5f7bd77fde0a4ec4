package postgres

import (
	"context"
	"fmt"
)

const sqlOrigins = `
SELECT k.key, CASE WHEN nullif(v.account -> k.key, 'null') IS NULL THEN 'profile ' || p.name ELSE 'account' END
FROM accounts a LEFT JOIN profiles p ON p.name = a.profile
CROSS JOIN LATERAL (SELECT to_jsonb(a) - 'password' AS account, to_jsonb(p) AS profile) v
CROSS JOIN unnest('{pools,dns,nbns,session_timeout,idle_timeout,mtu,rate_up,rate_down,max_sessions,filter,routes}'::text[]) k(key)
WHERE a.name = $1 AND coalesce(nullif(v.account -> k.key, 'null'), nullif(v.profile -> k.key, 'null')) IS NOT NULL`

// Origins tells which settings an account has from itself ("account") or from its profile ("profile NAME"), by column. What is
// missing its domain says, or nobody.
func (a *Admin) Origins(ctx context.Context, account string) (map[string]string, error) {
	type origin struct {
		Key  string `db:"key"`
		From string `db:"case"`
	}
	list, err := adminRows[origin](ctx, a, fmt.Sprintf("ask where settings of %q are from", account), sqlOrigins, account)
	if err != nil {
		return nil, err
	}
	from := make(map[string]string, len(list))
	for _, o := range list {
		from[o.Key] = o.From
	}
	return from, nil
}
