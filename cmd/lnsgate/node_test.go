package main

import (
	"strings"
	"testing"

	"lnsgate/test/pgtest"
)

func TestNodesAreListedAndForgotten(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	admin := adminPool(t, dsn)
	execute(t, admin, `INSERT INTO nodes(name, epoch, heartbeat_at, address, version, lease_life) VALUES
			('lns3', 7, now() - interval '1 hour', '192.0.2.3', 'v9', '4 h'), ('lns4', 2, now(), NULL, NULL, NULL);
		INSERT INTO leases(address, holder, node, epoch) VALUES ('10.1.0.1', 's', 'lns3', 7);
		INSERT INTO sessions(id, node, epoch, name, account) VALUES ('s', 'lns3', 7, 'a', 'a'), ('t', 'lns3', 7, 'a', 'a');
		INSERT INTO accounting(session, started_at, node, epoch, name, account) SELECT id, now(), node, epoch, name, account FROM sessions`)
	c := cli{t, dsn}
	out, err := c.run("", "node", "list")
	lines := strings.Split(out, "\n")
	if err != nil || len(lines) < 3 {
		t.Fatal(out, err)
	}
	got := strings.Fields(lines[1])
	// The moments have two words each.
	if want := []string{"lns3", "192.0.2.3", "v9", "7"}; strings.Join(got[:4], " ") != strings.Join(want, " ") || !strings.HasPrefix(got[6], "1h0m") ||
		strings.Join(got[10:], " ") != "2 1 0 4h0m0s" {
		t.Errorf("%q", got)
	}
	if got = strings.Fields(lines[2]); got[0] != "lns4" || strings.Join(got[len(got)-5:], " ") != "- 0 0 0 -" {
		t.Errorf("%q", got)
	}
	if out, err = c.run("", "node", "list", "lns3", "-o", "json"); err != nil || !strings.Contains(out, `"leases": 1`) || strings.Contains(out, "lns4") {
		t.Errorf("%s %v", out, err)
	}
	if _, err = c.run("", "node", "list", "lns9"); err == nil || !strings.Contains(err.Error(), "lnsgate node list") {
		t.Errorf("%v", err)
	}
	if _, err = c.run("", "node", "forget", "lns4"); err == nil || !strings.Contains(err.Error(), "node lns4 was heard") || !strings.Contains(err.Error(), "--force") {
		t.Errorf("%v", err)
	}
	if out, err = c.run("", "node", "forget", "lns3"); err != nil || out != "lns3: forgotten; 2 sessions closed, 1 address and 0 blocks freed\n" {
		t.Errorf("%s %v", out, err)
	}
	if out, err = c.run("", "node", "forget", "lns4", "--force"); err != nil || !strings.Contains(out, "lns4: forgotten; 0 sessions closed, 0 addresses") {
		t.Errorf("%s %v", out, err)
	}
	if n := ask[int64](t, admin, "SELECT count(*) FROM nodes"); n != 0 {
		t.Errorf("%d nodes are left", n)
	}
}
