package migrations_test

import (
	"context"
	"os"
	"strings"
	"testing"
)

// A migration that needs a lock on a large table gives up when a long report has it, instead of having every login wait behind
// it, and goes on the next time.
func TestMigrationsDoNotWaitForLocksForEver(t *testing.T) {
	dsn, db := empty(t)
	db.do("CREATE FUNCTION drop_logins(interval) RETURNS integer LANGUAGE sql RETURN 1") // in the way of 00030
	if _, err := migrate(dsn); err == nil || !strings.Contains(err.Error(), "00030") {
		t.Fatal(err)
	}
	db.do("DROP FUNCTION drop_logins(interval)")
	ctx := context.Background()
	report, err := db.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer report.Rollback(ctx)
	if _, err := report.Exec(ctx, "SELECT count(*) FROM logins"); err != nil {
		t.Fatal(err)
	}
	if _, err := migrate(dsn); err == nil || !strings.Contains(err.Error(), "00030") || !strings.Contains(err.Error(), "run it again") {
		t.Errorf("while somebody reads: %v", err)
	}
	db.do("INSERT INTO logins(attempt, verdict, name, node) VALUES ('a', 'granted', 'a', 'n')")
	if err := report.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := migrate(dsn); err != nil {
		t.Error(err)
	}
	db.is("t", "SELECT bool_and(indisvalid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relname ~ '^(logins_(failed|cause|account)|accounting_(ipv6|delegated)_prefix)$'")
}

// Indexes of the large tables are made beside everything else, so that no lock is held meanwhile.
func TestIndexesOfLargeTablesAreMadeByThemselves(t *testing.T) {
	for _, name := range files(t) {
		if name < "00030" {
			continue // before them there was no table to speak of
		}
		octets, err := os.ReadFile("sql/" + name)
		if err != nil {
			t.Fatal(err)
		}
		text := string(octets)
		makes := strings.Contains(text, "ON logins (") || strings.Contains(text, "ON accounting (") || strings.Contains(text, "ON public.")
		if makes != strings.Contains(text, "NO TRANSACTION") {
			t.Errorf("%s makes indexes beside other things", name)
		}
		if strings.Contains(text, "ALTER TABLE") && !strings.Contains(text, "SET LOCAL lock_timeout") {
			t.Errorf("%s waits for locks for ever", name)
		}
	}
}

// Who changes the text of a function wants it changed.
func TestPatchesOfFunctionsFailLoudly(t *testing.T) {
	for _, name := range files(t) {
		octets, err := os.ReadFile("sql/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(octets), "EXECUTE replace(") && !strings.Contains(string(octets), "is not the one that this migration knows") {
			t.Errorf("%s does not look whether there is something to replace", name)
		}
	}
	octets, err := os.ReadFile("sql/00032_records_in_place.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(octets), "DO $$")
	body, _, found := strings.Cut(rest, "END $$;")
	if !found {
		t.Fatal("no DO")
	}
	db := open(t)
	if _, err := db.Exec(context.Background(), "DO $$"+body+"END $$"); err == nil || !strings.Contains(err.Error(), "make_partition(text, text, date) is not the one") {
		t.Errorf("a second time: %v", err)
	}
}
