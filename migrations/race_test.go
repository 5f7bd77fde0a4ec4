package migrations_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"lnsgate/test/pgtest"
)

// What one administrator adds and another takes away at the same moment leaves no orphan, whoever is first.
func TestRacesLeaveNoOrphan(t *testing.T) {
	for name, c := range map[string]struct{ add, remove, constraint string }{
		"alias":   {"INSERT INTO accounts(name) VALUES ('bob@verkauf')", "DELETE FROM domain_aliases WHERE alias = 'verkauf'", "domain_aliases_in_use"},
		"domain":  {"INSERT INTO accounts(name) VALUES ('bob@empty')", "DELETE FROM domains WHERE name = 'empty'", "accounts_domain_fkey"},
		"pool":    {"INSERT INTO accounts(name, pools) VALUES ('bob', '{spare}')", "DELETE FROM pools WHERE name = 'spare'", "pools_in_use"},
		"profile": {"INSERT INTO accounts(name, profile) VALUES ('bob', 'gold')", "DELETE FROM profiles WHERE name = 'gold'", "accounts_profile_fkey"},
		"range":   {"INSERT INTO pool_ranges(pool, range) VALUES ('spare', '10.77.0.0/24')", "INSERT INTO pool_ranges(pool, range) VALUES ('sales', '10.77.0.5')", "pool_ranges_overlap"},
		"address": {"INSERT INTO static_addresses(account, address) VALUES ('alice@sales.example', '10.9.9.9')", "INSERT INTO static_addresses(account, address) VALUES ('carol', '10.9.9.9')", "static_addresses_pkey"},
		"name":    {"INSERT INTO domains(name) VALUES ('new')", "INSERT INTO domain_aliases(alias, domain) VALUES ('new', 'empty')", "domain_names_unique"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := pgtest.DSN(t)
			db := connect(t, dsn)
			db.do(sales + `INSERT INTO domain_aliases(alias, domain) VALUES ('verkauf', 'sales.example'); INSERT INTO domains(name) VALUES ('empty');
				INSERT INTO pools(name) VALUES ('spare'); INSERT INTO profiles(name) VALUES ('gold'); INSERT INTO accounts(name) VALUES ('carol')`)
			ctx := context.Background()
			tx, err := db.Begin(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(ctx, c.add); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() {
				_, err := db.Exec(ctx, c.remove)
				done <- err
			}()
			if early := waits(t, db, done); early != nil {
				t.Errorf("it did not wait: %v", *early)
			}
			if err := tx.Commit(ctx); err != nil {
				t.Fatal(err)
			}
			var refused *pgconn.PgError
			if err := <-done; !errors.As(err, &refused) || refused.ConstraintName != c.constraint {
				t.Errorf("got %v, want %s", err, c.constraint)
			}
		})
	}
}

// waits returns nil once somebody waits for a lock, or what came without waiting.
func waits(t *testing.T, db database, done chan error) *error {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			done <- err
			return &err
		case <-tick.C:
		}
		var waiting bool
		if err := db.QueryRow(context.Background(), "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database())").Scan(&waiting); err != nil {
			t.Fatal(err)
		}
		if waiting {
			return nil
		}
	}
}
