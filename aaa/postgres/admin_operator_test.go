package postgres

import (
	"context"
	"testing"
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
