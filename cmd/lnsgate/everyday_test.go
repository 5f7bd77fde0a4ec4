package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"lnsgate/test/pgtest"
)

var commandBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// splitWords reads a line as a shell does that knows of double quotes and nothing else.
func splitWords(line string) (words []string) {
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

// Every command of EVERYDAY.md is run, in its order, by one who has the role that the page tells to give.
func TestEverydayTasksByCommand(t *testing.T) {
	page, err := os.ReadFile("../../migrations/EVERYDAY.md")
	if err != nil {
		t.Fatal(err)
	}
	dsn := pgtest.DSN(t)
	admin := adminPool(t, dsn)
	execute(t, admin, "CREATE ROLE everyday_of_a_test LOGIN")
	t.Cleanup(func() { execute(t, admin, "DROP OWNED BY everyday_of_a_test; DROP ROLE everyday_of_a_test") })
	execute(t, admin, "GRANT lnsgate_admin TO everyday_of_a_test")
	execute(t, admin, `INSERT INTO accounting(session, started_at, node, name, account, address) VALUES ('s', '2026-11-17 12:00+00', 'n', 'bob', 'bob', '10.1.2.3');
		INSERT INTO logins(attempt, verdict, name, node, method) VALUES ('t', 'the login was rejected: wrong password', 'alice@sales.example', 'n', 'chap')`)
	c := cli{t, pgtest.As(t, dsn, "everyday_of_a_test")}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("people.csv", []byte("name,password\nanna@sales.example,x\nalice@sales.example,new\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	blocks := commandBlock.FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 13 {
		t.Errorf("%d blocks of commands, want 13", len(blocks))
	}
	printed := make(map[string]string)
	for _, block := range blocks {
		for _, line := range strings.Split(strings.TrimSpace(block[1]), "\n") {
			words := splitWords(strings.TrimSuffix(strings.TrimSuffix(line, " < password"), " < secret"))
			if words[0] != "lnsgate" {
				t.Fatalf("%s: what is it?", line)
			}
			if words[1] == "check" { // it has a test of its own
				continue
			}
			out, err := c.run("battery staple\n", words[1:]...)
			if err != nil {
				t.Errorf("%s: %v", line, err)
			}
			printed[strings.Join(words[1:3], " ")] += out
		}
	}
	for command, want := range map[string]string{
		"pool add": "homes: added; 65536 of 65536 prefixes of /56 are free", "user block": "blocked", "who-had 10.1.2.3": "bob", "pool drain": "draining",
		"user import": "1 account added, 1 changed\n", "user list": "alice@sales.example  active", "user logins": "the login was rejected: wrong password",
		"user show": "rate_down        50000000", "domain set": "sales.example: changed", "pool usage": "Leaving",
		"nas add": "its secret, which is not shown again: ", "nas list": "router1  192.0.2.7  mikrotik", "nas set": "enter the new secret on the NAS now",
	} {
		if !strings.Contains(printed[command], want) {
			t.Errorf("%s printed\n%s\nwant %s", command, printed[command], want)
		}
	}
	if got := ask[string](t, admin, "SELECT string_agg(pool || ' ' || range, ', ' ORDER BY range) FROM pool_ranges WHERE family = 4"); got != "sales 10.21.0.0/24, sales 10.22.0.0/24, spare 10.99.0.10-10.99.0.99" {
		t.Errorf("the ranges are %s", got)
	}
	if got := ask[string](t, admin, "SELECT concat_ws(' ', ipv6_pools, delegated_pools, ipv6_dns, ipv6_prefix, delegated_prefix) FROM account_overview WHERE name = 'alice@sales.example'"); got !=
		"{sales6} {homes} {2001:db8:f000::53} 2001:db8:0:7::/64 2001:db8:1000:700::/56" {
		t.Errorf("alice has %s", got)
	}
	if got := ask[string](t, admin, "SELECT DISTINCT actor || ' ' || application FROM audit WHERE table_name = 'accounts'"); got != "everyday_of_a_test lnsgate" {
		t.Errorf("audit names %s", got)
	}
}
