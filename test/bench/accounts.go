package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"

	"github.com/jackc/pgx/v5"
)

// domain is where the accounts of the database are. FreeRADIUS as shipped wants the dot.
const domain = "sales.example"

// population is how many accounts and addresses a database holds. The accounts are user1-1@sales.example up to
// userG-N@sales.example, so that a load with %d in its name finds one group. They lie in no order, neither in the table
// nor in its index.
type population struct {
	groups, each int
	pool         string // range of addresses
	remembered   bool   // every account has had an address before, so the table of leases is as long as that of accounts
}

func (p population) accounts() int { return p.groups * p.each }

// user is the name of an account.
func user(group, n int) string { return fmt.Sprintf("user%d-%d@%s", group, n, domain) }

// users is the name for a load: all accounts of a group.
func users(group int) string { return fmt.Sprintf("user%d-%%d@%s", group, domain) }

// fill makes the schema, the domain, its pool and its people, with sealed passwords as a node leaves them. Triggers
// are off, as in a restore: a million announcements would reach nobody.
func (p population) fill(ctx context.Context, s *sqlServer, d *sqlDatabase) error {
	if err := d.migrate(ctx); err != nil {
		return err
	}
	err := d.exec(ctx,
		"INSERT INTO domains (name) VALUES ('"+domain+"')",
		"INSERT INTO pools (name) VALUES ('sales')",
		"INSERT INTO pool_ranges (pool, range) VALUES ('sales', '"+p.pool+"')",
		"INSERT INTO domain_pools (domain, pool) VALUES ('"+domain+"', 'sales')",
		"SET session_replication_role = replica",
		// A multiplication by a prime shuffles: without it neighbours in the table would be neighbours in a load.
		fmt.Sprintf(`INSERT INTO accounts (name, domain)
			SELECT 'user' || 1 + n / %d || '-' || 1 + n %% %d || '@%s', '%s'
			FROM (SELECT (i * 7368787::bigint) %% %d AS n FROM generate_series(0, %d - 1) AS i) AS shuffled`,
			p.each, p.each, domain, domain, p.accounts(), p.accounts()),
	)
	if err != nil {
		return err
	}
	return errors.Join(p.seal(ctx, s.keys, d), p.remember(ctx, d), d.exec(ctx, "RESET session_replication_role"))
}

// seal gives every account the same password, sealed for it alone.
func (p population) seal(ctx context.Context, keys *secret.Keys, d *sqlDatabase) error {
	rows, err := d.conn.Query(ctx, "SELECT name, id FROM accounts ORDER BY id")
	if err != nil {
		return err
	}
	type account struct {
		Name string
		ID   int64
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[account])
	if err != nil {
		return err
	}
	if len(all) != p.accounts() {
		return fmt.Errorf("%d accounts instead of %d", len(all), p.accounts())
	}
	next := pgx.CopyFromSlice(len(all), func(i int) ([]any, error) {
		var nonce [secret.NonceOctets]byte
		rand.Read(nonce[:]) // never fails
		value, key := keys.Seal([]byte(password), secret.Binding{Account: all[i].ID, Kind: "sealed"}, nonce)
		return []any{all[i].Name, "sealed", value, key}, nil
	})
	_, err = d.conn.CopyFrom(ctx, pgx.Identifier{"credentials"}, []string{"account", "kind", "value", "key_id"}, next)
	return err
}

// remember writes that every account had an address yesterday.
func (p population) remember(ctx context.Context, d *sqlDatabase) error {
	if !p.remembered {
		return nil
	}
	return d.exec(ctx, `INSERT INTO leases (address, pool, account, holder, node, epoch, state, since, expires_at)
		SELECT (SELECT first_address FROM pool_ranges) + id, 'sales', name, 'yesterday', 'gone', 1, 'quarantine',
			now() - interval '1 day', now() - interval '1 day' FROM accounts`)
}

// paps is a request of that account with the right password.
func paps(group, n int) *aaa.Request {
	return &aaa.Request{
		Name:  user(group, n),
		Proof: aaa.Proof{Method: aaa.PAP, Password: aaa.NewSecret(password)},
		Group: "default", VirtualTemplate: "vt1",
	}
}
