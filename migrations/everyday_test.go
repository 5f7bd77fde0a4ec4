package migrations_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

var sqlBlock = regexp.MustCompile("(?s)```sql\n(.*?)```")

// Every statement of EVERYDAY.md is run, in its order, by one who has the role that the page tells to give.
func TestEverydayTasksWork(t *testing.T) {
	page, err := os.ReadFile("EVERYDAY.md")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(file, []byte("name,password\nanna@sales.example,x\nalice@sales.example,new\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	db := open(t)
	db.do("INSERT INTO accounting(session, started_at, node, name, account, address) VALUES ('s', '2026-11-17 12:00+00', 'n', 'bob', 'bob', '10.1.2.3')")
	db.do(`INSERT INTO sessions(id, node, name, account, nas, nas_client) VALUES ('f1', 'n', 'a', 'a', 'router1', 'router1');
		INSERT INTO nas_orders(session, key, kind, nas, name, account, details, answered_at, ok) VALUES
			('f1', 'k1', 'disconnect', 'router1', 'a', 'a', '{}', now(), false), ('f2', 'k2', 'disconnect', 'router1/east', 'b', 'b', '{}', now(), true)`)
	ctx := context.Background()
	conn, err := pgx.ConnectConfig(ctx, db.Config().ConnConfig)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	blocks := sqlBlock.FindAllStringSubmatch(string(page), -1)
	if tasks := strings.Count(string(page), "\n## "); tasks != 14 || len(blocks) < tasks {
		t.Errorf("%d tasks, %d blocks", tasks, len(blocks))
	}
	for _, block := range blocks {
		for _, statement := range strings.Split(strings.TrimSpace(block[1]), ";\n") {
			role := "lnsgate_admin"
			if strings.HasPrefix(statement, "COPY people FROM") { // from a file of the server: for this, a superuser
				role, statement = "postgres", strings.Replace(statement, "/tmp/people.csv", file, 1)
				if err := readable(file); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := conn.Exec(ctx, "SET ROLE "+role); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol); err != nil {
				t.Errorf("%s\n%v", statement, err)
			}
		}
	}
	db.is("alice@sales.example|field|50000000|1 day|1 anna@sales.example|field|10000000|1 day|1",
		"SELECT name, profile, rate_down, session_timeout, max_sessions FROM account_overview ORDER BY name")
	db.is("10.21.0.0/24 10.22.0.0/24", "SELECT range FROM pool_ranges WHERE pool = 'sales' ORDER BY 1")
	db.is("new", "SELECT password FROM accounts WHERE name = 'alice@sales.example'")
	db.is("router1|192.0.2.7/32|mikrotik|w3j8rfy6t9bq2hxmez4k|t", "SELECT name, source, type, secret, disabled FROM nas")
	db.is("bob", "SELECT account FROM who_had('10.1.2.3', '2026-11-17 20:43+08')")
}

func TestEveryTableIsOnThePage(t *testing.T) {
	page, err := os.ReadFile("EVERYDAY.md")
	if err != nil {
		t.Fatal(err)
	}
	db := open(t)
	rows, err := db.Query(context.Background(), `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname IN ('public', 'freeradius') AND c.relkind IN ('r', 'p', 'v') AND c.relname !~ '_[0-9]{4}_[0-9]{2}$'`)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(names) < 25 {
		t.Fatal(names, err)
	}
	_, tables, found := strings.Cut(string(page), "\n# The tables\n")
	for _, name := range names {
		if !found || !strings.Contains(tables, "`"+name+"`") {
			t.Errorf("%s is not explained", name)
		}
	}
}

// readable lets the server, which is another user, read a file of this test.
func readable(file string) error {
	for folder := filepath.Dir(file); strings.HasPrefix(folder, os.TempDir()+string(filepath.Separator)); folder = filepath.Dir(folder) {
		if err := os.Chmod(folder, 0o755); err != nil {
			return err
		}
	}
	return nil
}
