package postgres

import "context"

const sqlCounted = `SELECT (SELECT count(*) FROM counted_sessions WHERE account = $1)::int,
	coalesce((SELECT counted FROM domain_sessions WHERE domain = $2), 0)::int`

// Counted tells how many sessions of an account and of a domain count towards their limits, on all nodes.
func (r *Registry) Counted(ctx context.Context, account, domain string) (ofAccount, ofDomain int, err error) {
	err = r.db.pool.QueryRow(ctx, sqlCounted, account, domain).Scan(&ofAccount, &ofDomain)
	return ofAccount, ofDomain, err
}
