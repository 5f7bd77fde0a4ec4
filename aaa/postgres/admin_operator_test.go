package postgres

import (
	"context"
	"testing"

	"lnsgate/aaa"
	"lnsgate/test/pgtest"
)

// Who used the program stands beside the database user, and only for what that operator changed.
func TestAuditNamesTheOperator(t *testing.T) {
	a, db := openAdmin(t)
	ctx := context.Background()
	if _, err := a.As("anna from 192.0.2.7").AddAccount(ctx, "alice", AccountChange{}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.As("").SetAccount(ctx, "alice", AccountChange{Settings: AdminSettings{"description": "x"}}); err != nil {
		t.Fatal(err)
	}
	for action, want := range map[string]string{"INSERT": "anna from 192.0.2.7", "UPDATE": "nobody"} {
		var got string
		err := db.QueryRow(ctx, "SELECT coalesce(operator, 'nobody') FROM audit WHERE table_name = 'accounts' AND key = 'alice' AND action = $1", action).Scan(&got)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v", action, got, err)
		}
	}
}

func TestOrigins(t *testing.T) {
	a, db := openAdmin(t)
	ctx := context.Background()
	if _, err := db.Exec(ctx, "INSERT INTO profiles(name, mtu, idle_timeout) VALUES ('gold', 1400, '5 min')"); err != nil {
		t.Fatal(err)
	}
	addAccount(t, a, "alice", "pw", AdminSettings{"profile": "gold", "mtu": 1300, "pools": []string{"sales"}})
	got, err := a.Origins(ctx, "alice")
	if err != nil || len(got) != 3 || got["mtu"] != "account" || got["idle_timeout"] != "profile gold" || got["pools"] != "account" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := a.Origins(ctx, "nobody"); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

// What is counted is what the next Enter would go by.
func TestCounted(t *testing.T) {
	db := pgtest.New(t)
	ctx := context.Background()
	node := NewNode(db, NodeConfig{Name: "n1"})
	if err := node.Join(ctx); err != nil {
		t.Fatal(err)
	}
	r := NewRegistry(node)
	for _, one := range []string{"s1", "s2"} {
		if err := r.Enter(ctx, aaa.Entry{Session: one, Name: "alice", Account: "alice", Domain: "sales", AccountLimit: 9, DomainLimit: 9}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Leave(ctx, "s1"); err != nil {
		t.Fatal(err)
	}
	if a, d, err := r.Counted(ctx, "alice", "sales"); a != 1 || d != 1 || err != nil {
		t.Errorf("%d, %d, %v", a, d, err)
	}
	if a, d, err := r.Counted(ctx, "bob", "lab"); a != 0 || d != 0 || err != nil {
		t.Errorf("%d, %d, %v", a, d, err)
	}
}
