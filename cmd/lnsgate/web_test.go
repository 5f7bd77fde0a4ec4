package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"lnsgate/aaa"
	"lnsgate/aaa/postgres"
	"lnsgate/lns/admin"
	"lnsgate/test/pgtest"
)

func TestImportOnThePageIsAllOrNothing(t *testing.T) {
	db := pgtest.New(t)
	if _, err := db.Exec(t.Context(), "INSERT INTO domains (name) VALUES ('sales.example')"); err != nil {
		t.Fatal(err)
	}
	address, err := postgres.ParseAddress(aaa.NewSecret(db.Config().ConnString()))
	if err != nil {
		t.Fatal(err)
	}
	d := &directory{func(ctx context.Context) (*postgres.Admin, error) { return postgres.OpenAdmin(ctx, address) }, make(chan struct{}, 1)}
	ctx := admin.WithActor(t.Context(), admin.Actor{Name: "anna", Role: admin.Administer, From: "192.0.2.9"})
	var steps []string
	put := func(text string, update bool) (string, error) {
		steps = nil
		r, err := d.importUsers(ctx, strings.NewReader(text), update, func(done, all int) { steps = append(steps, fmt.Sprintf("%d/%d", done, all)) })
		return fmt.Sprintf("%d added, %d changed, faults %q", r.Added, r.Changed, r.Faults), err
	}
	stored := func() (n int) {
		if err := db.QueryRow(t.Context(), "SELECT count(*) FROM accounts").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	rows := "name,password\n"
	for i := range 2*importBlock + 7 {
		rows += fmt.Sprintf("u%d@sales.example,Kw9-tulip\n", i)
	}
	if got, err := put(rows+"u0@nowhere.example,x\n", false); err != nil || stored() != 0 || !strings.Contains(got, `faults ["line 509: `) {
		t.Errorf("a fault in the last line: %s, %v, %d stored", got, err, stored())
	}
	if got, err := put(rows, false); err != nil || got != "507 added, 0 changed, faults []" || stored() != 507 || strings.Join(steps, " ") != "0/507 250/507 500/507 507/507" {
		t.Errorf("without: %s, %v, %d stored, steps %v", got, err, stored(), steps)
	}
	if got, err := put(rows, true); err != nil || got != "0 added, 507 changed, faults []" {
		t.Errorf("once more: %s, %v", got, err)
	}
	if _, err := db.Exec(t.Context(), "DELETE FROM accounts"); err != nil {
		t.Fatal(err)
	}
	broken, breakOff := context.WithCancel(ctx)
	r, err := d.importUsers(broken, strings.NewReader(rows), false, func(done, _ int) {
		if done > 0 {
			breakOff()
		}
	})
	if err == nil || r.Added != importBlock || stored() != importBlock {
		t.Errorf("broken off: %+v, %v, %d stored", r, err, stored())
	}
	if _, err := put("nonsense\nx\n", false); err == nil {
		t.Error("a file without names is taken")
	}
}
