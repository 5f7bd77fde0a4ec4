package postgres

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"lnsgate/pool"
	"lnsgate/test/pgtest"
)

// TestStatementsReadOnlyTheirRows lets the table of leases change behind the planner's back: it has statistics, and kept
// plans, from a time when all was otherwise. Every statement must still read the rows it is about and no others.
func TestStatementsReadOnlyTheirRows(t *testing.T) {
	const leases, lines = 4000, 20
	contexts, addresses, accounts := make([]string, lines), make([]netip.Addr, lines), make([]string, lines)
	yes, lasting := make([]bool, lines), make([]*int64, lines)
	for i := range lines {
		n := 1 + i*leases/lines
		contexts[i], addresses[i], accounts[i], yes[i] = "default", pool.After(address("10.0.0.0"), uint64(n), 0), fmt.Sprint("u", n), true
	}
	now := time.Now()
	statements := []struct {
		name, planning, text string
		args                 []any
	}{
		{"remembered", keptPlan, selectRemembered, []any{accounts, accounts, yes, now}},
		{"claim", keptPlan, claimLeases, []any{"a", 1, now, 1, contexts, addresses, contexts, accounts, accounts, yes, yes, yes, yes}},
		{"lend", keptPlan, lendLeases, []any{now, contexts, addresses, contexts, accounts, accounts, lasting, yes, yes, yes, yes, yes, lasting}},
		{"lend fresh", keptPlan, lendFresh, []any{now, contexts, addresses, contexts, accounts, accounts, lasting, yes, "a", 1, make([]int16, lines)}},
		{"return", keptPlan, returnLeases, []any{now, contexts, addresses, accounts, make([]int64, lines)}},
		{"drop returned", freshPlan, dropReturned, []any{now, contexts, addresses, accounts}},
		{"holders", keptPlan, selectHolders, []any{contexts, addresses, now, 1}},
		{"write", keptPlan, writeLeases, []any{"a", 1, now, contexts, addresses, contexts, accounts, accounts, yes, make([]int64, lines), lasting, make([]int16, lines)}},
		{"delete", keptPlan, deleteLeases, []any{"a", 1, contexts, addresses}},
		{"foreign", keptPlan, selectForeign, []any{"b", 1, contexts, addresses}},
		{"away", keptPlan, selectAway, []any{contexts, addresses, make([]int16, lines)}},
		{"forget", keptPlan, forgetLeases, []any{contexts, addresses, now, 1}},
		{"free", freshPlan, freeLeases, []any{"a", 1, now, contexts, addresses}},
		{"lock", freshPlan, lockLeases, []any{contexts, addresses, "a", 1, now, 1}},
	}
	const (
		bind = "UPDATE leases SET state = 'bound', expires_at = NULL"
		rest = "UPDATE leases SET state = 'quarantine', expires_at = now()"
		fill = `INSERT INTO leases (address, pool, account, holder, node, epoch, state, expires_at)
			SELECT inet '10.0.0.0' + i, 'p', 'u' || i, 'h' || i, 'a', 1, 'quarantine', now() FROM generate_series(1, 4000) i`
		one = "INSERT INTO leases (address, pool, account, holder, node, epoch) VALUES ('10.9.9.9', 'p', 'u', 'h', 'a', 1)"
	)
	for _, age := range []struct{ name, before, after string }{
		{"all were bound", fill + ";" + bind, rest},
		{"all were free", fill, bind},
		{"there was one", one, fill},
		{"there was one, others were bound", one, fill + ";" + bind},
	} {
		t.Run(age.name, func(t *testing.T) {
			t.Parallel()
			conn, err := pgx.Connect(t.Context(), pgtest.DSN(t))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(t.Context())
			simply := func(text string) {
				if _, err := conn.PgConn().Exec(t.Context(), text).ReadAll(); err != nil {
					t.Fatal(err)
				}
			}
			simply(age.before)
			simply("VACUUM ANALYZE leases")
			for _, s := range statements {
				rowsRead(t, conn, s.planning, s.text, s.args)
			}
			simply(age.after)
			for _, s := range statements {
				if n := rowsRead(t, conn, s.planning, s.text, s.args); n > 2*lines {
					t.Errorf("%s: %d rows of leases were read for %d lines", s.name, n, lines)
				}
			}
		})
	}
}

// rowsRead carries a statement out, takes it back, and tells how many rows of the leases the server read for it.
func rowsRead(t *testing.T, conn *pgx.Conn, planning, text string, args []any) int {
	t.Helper()
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context()) //nolint:errcheck // that is all that is left to do
	if _, err := tx.Exec(t.Context(), planning); err != nil {
		t.Fatal(err)
	}
	counted := func() (n int) {
		err := tx.QueryRow(t.Context(),
			"SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables WHERE relname = 'leases'").Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := counted()
	if _, err := tx.Exec(t.Context(), text, args...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return counted() - before
}
