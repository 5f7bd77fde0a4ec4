package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/aaa"
	"lnsgate/test/pgtest"
)

// openAdmin makes a database with the department sales, as an administrator would.
func openAdmin(t *testing.T) (*Admin, *pgxpool.Pool) {
	t.Helper()
	dsn := pgtest.DSN(t)
	a := adminAt(t, dsn)
	ctx := context.Background()
	for _, err := range []error{
		a.AddPool(ctx, "sales", PoolChange{Ranges: []string{"10.20.0.0/24"}}),
		a.AddDomain(ctx, "Sales.example", DomainChange{Pools: &[]string{"sales"}, Aliases: &[]string{"S"}}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return a, openPool(t, dsn, false)
}

func adminAt(t *testing.T, dsn string) *Admin {
	t.Helper()
	a, err := OpenAdmin(context.Background(), connectConfig(t, dsn))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return a
}

// words puts blanks between values, whatever they are.
func words(values ...any) string { return strings.TrimSpace(fmt.Sprintln(values...)) }

func addAccount(t *testing.T, a *Admin, name, password string, s AdminSettings) {
	t.Helper()
	p := aaa.NewSecret(password)
	if _, err := a.AddAccount(context.Background(), name, AccountChange{Settings: s, Password: &p}); err != nil {
		t.Fatal(err)
	}
}

func TestAdminAccountFromAddToDelete(t *testing.T) {
	a, pool := openAdmin(t)
	ctx := context.Background()
	password, address := aaa.NewSecret("geheim"), "10.20.0.7"
	note, err := a.AddAccount(ctx, "Alice@sales.example", AccountChange{Password: &password, Address: &address, Settings: AdminSettings{
		"dns": []string{"10.0.0.53", "10.0.0.54"}, "session_timeout": "8h", "rate_up": 1000000, "valid_until": "2030-01-01 00:00Z",
		"description": "sales\tdesk", "max_sessions": 2}})
	if err != nil || !strings.Contains(note, "seals it") {
		t.Fatalf("%q, %v", note, err)
	}
	got, err := a.Account(ctx, "Alice@sales.example")
	if err != nil {
		t.Fatal(err)
	}
	if text := words(*got.Domain, got.Status, got.Password, got.Addresses, got.Pools, got.DNS, *got.SessionTimeout, *got.RateUp, *got.MaxSessions,
		got.ValidUntil.UTC().Year(), *got.Description); text != "sales.example active [clear] [10.20.0.7] [sales] [10.0.0.53 10.0.0.54] 28800 1000000 2 2030 sales\tdesk" {
		t.Errorf("got %s", text)
	}
	other, none := "2001:db8::7", ""
	for _, c := range []struct {
		change AccountChange
		want   string
	}{
		{AccountChange{}, "active [10.20.0.7] [10.0.0.53 10.0.0.54]"},
		{AccountChange{Settings: AdminSettings{"disabled": true, "dns": nil}}, "disabled [10.20.0.7] []"},
		{AccountChange{Settings: AdminSettings{"disabled": nil}, Address: &other}, "active [2001:db8::7] []"},
		{AccountChange{Address: &other}, "active [2001:db8::7] []"},
		{AccountChange{Address: &none}, "active [] []"},
		{AccountChange{Settings: AdminSettings{"name": "bob@S"}, Address: &address}, "active [10.20.0.7] []"},
	} {
		name := "Alice@sales.example"
		if _, err := a.SetAccount(ctx, name, c.change); err != nil {
			t.Fatal(err)
		}
		if _, renamed := c.change.Settings["name"]; renamed {
			name = "bob@S"
		}
		got, err := a.Account(ctx, name)
		if text := words(got.Status, got.Addresses, got.DNS); err != nil || text != c.want {
			t.Errorf("%+v: %s, %v, want %s", c.change, text, err, c.want)
		}
	}
	if n := one[int](t, pool, "SELECT count(*) FROM audit WHERE application = 'lnsgate' AND table_name = 'static_addresses' AND action = 'INSERT'"); n != 3 {
		t.Errorf("%d addresses were written, want 3: what is there is left alone", n)
	}
	if err := a.DeleteAccount(ctx, "bob@S"); err != nil {
		t.Error(err)
	}
	if n := one[int](t, pool, "SELECT count(*) FROM accounts"); n != 0 {
		t.Errorf("%d accounts", n)
	}
}

func TestAdminListsAccounts(t *testing.T) {
	a, pool := openAdmin(t)
	ctx := context.Background()
	run(t, pool, `INSERT INTO profiles(name) VALUES ('gold')`)
	for _, name := range []string{"anna@sales.example", "Anna", "bert@s"} {
		addAccount(t, a, name, "x", AdminSettings{"profile": map[bool]any{true: "gold"}[name == "bert@s"]})
	}
	run(t, pool, `INSERT INTO static_addresses(account, address) VALUES ('Anna', '10.20.0.9'); UPDATE accounts SET disabled = true WHERE name = 'Anna'`)
	for _, c := range []struct {
		filter AccountFilter
		want   string
	}{
		{AccountFilter{}, "Anna anna@sales.example bert@s"},
		{AccountFilter{Match: "NNA"}, "Anna anna@sales.example"},
		{AccountFilter{Name: "anna"}, ""},
		{AccountFilter{Domain: "SALES.example"}, "anna@sales.example bert@s"},
		{AccountFilter{Domain: "S"}, "anna@sales.example bert@s"},
		{AccountFilter{Status: "disabled"}, "Anna"},
		{AccountFilter{Address: "10.20.0.9"}, "Anna"},
		{AccountFilter{Profile: "gold"}, "bert@s"},
		{AccountFilter{Limit: 1}, "Anna"},
		{AccountFilter{Limit: 1, After: "Anna"}, "anna@sales.example"},
	} {
		list, err := a.Accounts(ctx, c.filter)
		var names []string
		for _, one := range list {
			names = append(names, one.Name)
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); err != nil || got != c.want {
			t.Errorf("%+v: %s, %v, want %s", c.filter, got, err, c.want)
		}
	}
}

func TestAdminDomains(t *testing.T) {
	a, pool := openAdmin(t)
	ctx := context.Background()
	if err := a.AddPool(ctx, "more", PoolChange{Settings: AdminSettings{"quarantine": "5m", "sticky": false}, Ranges: []string{"10.30.0.1"}}); err != nil {
		t.Fatal(err)
	}
	set := func(c DomainChange) {
		t.Helper()
		if err := a.SetDomain(ctx, "SALES.example", c); err != nil {
			t.Fatal(err)
		}
	}
	set(DomainChange{Settings: AdminSettings{"methods": []string{"pap", "chap"}, "max_sessions": "10", "session_policy": "replace", "accounting_interim": "5m"},
		Pools: &[]string{"more", "sales"}, Aliases: &[]string{"T", "t", "S"}})
	addAccount(t, a, "x@T", "p", nil)
	list, err := a.Domains(ctx, "Sales.Example")
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	d := list[0]
	if got := words(d.Name, d.Aliases, d.Authentication, d.Methods, d.Pools, *d.MaxSessions, d.SessionPolicy, *d.AccountingInterim, d.Accounts, d.Sessions, d.Blocked); got != "sales.example [s t] [postgres] [pap chap] [more sales] 10 replace 300 1 0 false" {
		t.Errorf("got %s", got)
	}
	run(t, pool, "TRUNCATE audit")
	set(DomainChange{Pools: &[]string{"more", "sales"}, Aliases: &[]string{"t", "s"}})
	if n := one[int](t, pool, "SELECT count(*) FROM audit"); n != 0 {
		t.Errorf("the same again made %d changes", n)
	}
	set(DomainChange{Settings: AdminSettings{"methods": nil, "name": "Verkauf.example"}, Pools: &[]string{}})
	if list, err = a.Domains(ctx, ""); err != nil || len(list) != 1 || list[0].Name != "verkauf.example" || len(list[0].Pools)+len(list[0].Methods) > 0 {
		t.Errorf("got %+v, %v", list, err)
	}
	run(t, pool, "DELETE FROM accounts")
	if err := a.DeleteDomain(ctx, "VERKAUF.example"); err != nil {
		t.Error(err)
	}
}

func TestAdminPools(t *testing.T) {
	a, pool := openAdmin(t)
	ctx := context.Background()
	for _, err := range []error{
		a.SetPool(ctx, "sales", PoolChange{Settings: AdminSettings{"description": "d"}, Ranges: []string{"10.21.0.0/24", "10.22.0.1-10.22.0.9"}, Exclude: []string{"10.20.0.0/28"}}),
		a.SetPool(ctx, "sales", PoolChange{DropRanges: []string{"10.21.0.0/24"}, Ranges: []string{"10.21.0.0/25"}, Exclude: []string{"10.21.0.1"}, DropExclude: []string{"10.20.0.0/28"}}),
		a.DrainPool(ctx, "sales", "10.20.0.0/24", true),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	list, err := a.Pools(ctx, "sales")
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	p := list[0]
	if got := words(p.Ranges, p.Draining, p.Exclude, p.Domains, p.Quarantine, p.Sticky, p.Drained, p.Family, p.RoutingContext, *p.Description); got !=
		"[10.21.0.0/25 10.22.0.1-10.22.0.9] [10.20.0.0/24] [10.21.0.1] [sales.example] 60 true false 4 default d" {
		t.Errorf("got %s", got)
	}
	run(t, pool, `INSERT INTO leases(address, pool, holder, node, epoch) VALUES ('10.20.0.9', 'sales', 's', 'n', 1), ('10.21.0.9', 'sales', 's', 'n', 1)`)
	usage, err := a.PoolUsage(ctx, "sales")
	if err != nil || len(usage) != 1 || usage[0].Size != 125+9 || usage[0].Leased != 1 || usage[0].Leaving != 1 || usage[0].Free != 133 || *usage[0].UsedPercent < 0.7 {
		t.Errorf("got %+v, %v", usage, err)
	}
	if err := a.DrainPool(ctx, "sales", "", true); err != nil {
		t.Fatal(err)
	}
	if usage, err = a.PoolUsage(ctx, ""); err != nil || !usage[0].Draining || usage[0].Free != 0 {
		t.Errorf("got %+v, %v", usage, err)
	}
	if err := errors.Join(a.DrainPool(ctx, "sales", "", false), a.DrainPool(ctx, "sales", "10.20.0.0/24", false), a.SetDomain(ctx, "sales.example", DomainChange{Pools: &[]string{}}),
		a.SetPool(ctx, "sales", PoolChange{Settings: AdminSettings{"name": "x"}}), a.DeletePool(ctx, "x")); err != nil {
		t.Error(err)
	}
}

func TestAdminWhoHad(t *testing.T) {
	a, pool := openAdmin(t)
	run(t, pool, `INSERT INTO accounting(session, started_at, stopped_at, node, name, account, address, peer) VALUES
		('s1', '2026-11-17 20:00+00', '2026-11-17 21:00+00', 'n', 'anna@s', 'anna@s', '10.1.2.3', '192.0.2.9'), ('s2', '2026-11-17 22:00+00', NULL, 'n', 'b', 'b', '10.1.2.3', NULL)`)
	for at, want := range map[string]string{"2026-11-17T20:43:00Z": "anna@s s1 192.0.2.9", "2026-11-17T21:30:00Z": "", "2026-11-18T00:00:00Z": "b s2 <nil>"} {
		moment, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		list, err := a.WhoHad(context.Background(), netip.MustParseAddr("10.1.2.3"), moment)
		got := ""
		for _, h := range list {
			got += fmt.Sprintln(h.Account, h.Session, h.Peer)
		}
		if strings.TrimSpace(got) != want || err != nil {
			t.Errorf("%s: %s, %v, want %s", at, got, err, want)
		}
	}
}

// Every mistake is told by row and rule, and what to do.
func TestAdminMistakesInWords(t *testing.T) {
	a, _ := openAdmin(t)
	ctx := context.Background()
	addAccount(t, a, "anna@sales.example", "x", AdminSettings{"pools": []string{"sales"}})
	taken := "10.20.0.5"
	if _, err := a.SetAccount(ctx, "anna@sales.example", AccountChange{Address: &taken}); err != nil {
		t.Fatal(err)
	}
	add := func(name string, c AccountChange) func() error {
		return func() error { _, err := a.AddAccount(ctx, name, c); return err }
	}
	set := func(s AdminSettings) func() error {
		return func() error {
			_, err := a.SetAccount(ctx, "anna@sales.example", AccountChange{Settings: s})
			return err
		}
	}
	empty, network := aaa.NewSecret(""), "10.20.0.0/25"
	for want, do := range map[string]func() error{
		`add the account "anna@sales.example": there is an account of this name already`:              add("anna@sales.example", AccountChange{}),
		`account 'x@nowhere': there is no domain 'nowhere'` + "\n  make it first: lnsgate domain add": add("x@nowhere", AccountChange{}),
		`nobody could log in by this name`:       add("a b", AccountChange{}),
		`the password is empty`:                  add("new", AccountChange{Password: &empty}),
		`another account has this fixed address`: add("new", AccountChange{Address: &taken}),
		`a fixed address is one address`:         add("new", AccountChange{Address: &network}),
		`there is no such profile`:               set(AdminSettings{"profile": "gold"}),
		`accounts 'anna@sales.example': there is no pool 'p'` + "\n  see: lnsgate pool list": set(AdminSettings{"pools": []string{"p"}}),
		`invalid input syntax for type inet: "x"`:                                            set(AdminSettings{"dns": []string{"x"}}),
		`dns and nbns are at most two`:                                                       set(AdminSettings{"dns": []string{"1.1.1.1", "2.2.2.2", "3.3.3.3"}}),
		`an mtu is 68 to 65535`:                                                              set(AdminSettings{"mtu": 1}),
		`valid_from must be before`:                                                          set(AdminSettings{"valid_from": "2027-01-01", "valid_until": "2026-01-01"}),
		`accounts has no setting "id"`:                                                       set(AdminSettings{"id": 7}),
		`change the account "ANNA@x": there is no account of this name` + "\n  there is anna@sales.example": func() error { _, err := a.SetAccount(ctx, "ANNA@x", AccountChange{}); return err },
		`account "Anna": there is no account of this name` + "\n  there is anna":                            func() error { _, err := a.Account(ctx, "Anna"); return err },
		`delete the account "nobody": there is no account of this name`:                                     func() error { return a.DeleteAccount(ctx, "nobody") },
		`add the domain "sales.example": there is a domain of this name already`:                            func() error { return a.AddDomain(ctx, "sales.example", DomainChange{}) },
		`'s' is already a domain or an alias`:                                                               func() error { return a.AddDomain(ctx, "S", DomainChange{}) },
		`a domain is what is typed behind the @`:                                                            func() error { return a.AddDomain(ctx, "a@b", DomainChange{}) },
		`there is no such pool` + "\n  make it first: lnsgate pool add":                                     func() error { return a.AddDomain(ctx, "new", DomainChange{Pools: &[]string{"p"}}) },
		`the methods are pap, chap`: func() error {
			return a.SetDomain(ctx, "sales.example", DomainChange{Settings: AdminSettings{"methods": []string{"foo"}}})
		},
		`change the domain "x": there is no domain of this name`:                                                         func() error { return a.SetDomain(ctx, "x", DomainChange{}) },
		`delete the domain "sales.example": the domain still has accounts`:                                               func() error { return a.DeleteDomain(ctx, "sales.example") },
		`there is no domain of this name`:                                                                                func() error { return a.DeleteDomain(ctx, "x") },
		`add the pool "p2": 10.20.0.5-10.20.0.9 overlaps 10.20.0.1-10.20.0.254, which is 10.20.0.0/24 of the pool sales`: func() error { return a.AddPool(ctx, "p2", PoolChange{Ranges: []string{"10.20.0.5-10.20.0.9"}}) },
		`10.9.0.0-10.9.0.3 overlaps 10.9.0.1-10.9.0.1, both of them new`: func() error {
			return a.AddPool(ctx, "p2", PoolChange{Ranges: []string{"10.9.0.1", "10.9.0.0-10.9.0.3"}})
		},
		`the range is of the other family than the pool`:  func() error { return a.AddPool(ctx, "p2", PoolChange{Ranges: []string{"2001:db8::/64"}}) },
		`range '10.9.0.9-10.9.0.1' ends before it begins`: func() error { return a.AddPool(ctx, "p2", PoolChange{Ranges: []string{"10.9.0.9-10.9.0.1"}}) },
		`the pool has no range written 10.20.0.0-10.20.0.255`: func() error {
			return a.SetPool(ctx, "sales", PoolChange{DropRanges: []string{"10.20.0.0-10.20.0.255"}})
		},
		`the pool has no range written 1.2.3.4`: func() error { return a.DrainPool(ctx, "sales", "1.2.3.4", true) },
		`delete the pool "sales": pool 'sales' is in use by account 'anna@sales.example'`: func() error {
			return errors.Join(a.SetDomain(ctx, "sales.example", DomainChange{Pools: &[]string{}}), a.DeletePool(ctx, "sales"), a.SetDomain(ctx, "sales.example", DomainChange{Pools: &[]string{"sales"}}))
		},
		`there is no pool of this name`:                      func() error { return a.DeletePool(ctx, "x") },
		`change the pool "x": there is no pool of this name`: func() error { return a.SetPool(ctx, "x", PoolChange{}) },
	} {
		err := do()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err := a.DeletePool(ctx, "sales"); err == nil || !strings.Contains(err.Error(), "a domain still takes addresses from the pool") {
		// The foreign key of domain_pools and the lists of accounts both hold it back; either is said.
		if err == nil || !strings.Contains(err.Error(), "in use by account") {
			t.Errorf("got %v", err)
		}
	}
}

func TestAdminCannotConnect(t *testing.T) {
	dsn := pgtest.DSN(t)
	for _, c := range []struct{ address, want string }{
		{pgtest.As(t, dsn, "nobody_such"), `role "nobody_such" does not exist`},
		{"host=127.0.0.1 port=1 user=u password=geheim dbname=d sslmode=disable", "127.0.0.1:1/d: connect: connection refused\n  is PostgreSQL running there"},
	} {
		cfg, err := ParseAddress(aaa.NewSecret(c.address))
		if err != nil {
			t.Fatal(err)
		}
		_, err = OpenAdmin(context.Background(), cfg)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	for _, address := range []string{"postgres://u:gehe im@h:x:y/d", "port=geheim", "postgres://u:geheim@[h/d", "%zz://geheim"} {
		if _, err := ParseAddress(aaa.NewSecret(address)); err == nil || strings.Contains(err.Error(), "gehe") {
			t.Errorf("%s: %v", address, err)
		}
	}
	a := adminAt(t, pgtest.Empty(t))
	if _, err := a.Domains(context.Background(), ""); err == nil || !strings.Contains(err.Error(), "lnsgate db migrate") {
		t.Errorf("without a schema: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := a.DeletePool(ctx, "x"); err == nil || !strings.Contains(err.Error(), "interrupted; nothing was changed") {
		t.Errorf("interrupted: %v", err)
	}
}

func TestAdminSealsAndRotates(t *testing.T) {
	a, pool := openAdmin(t)
	ctx := context.Background()
	addAccount(t, a, "anna", "geheim", nil)
	if left, err := a.Seal(ctx, nil); err != nil || left != 1 {
		t.Errorf("without a key: %d left, %v", left, err)
	}
	if left, err := a.Seal(ctx, testKeys(t, "k1")); err != nil || left != 0 {
		t.Errorf("%d left, %v", left, err)
	}
	for _, want := range []string{"[{sealed k1 1}]", "[{sealed k2 1}]"} {
		forms, err := a.StoredForms(ctx)
		if got := words(forms); err != nil || got != want {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
		if r, err := a.RotateKey(ctx, testKeys(t, "k2", "k1")); err != nil || r.Failed != 0 || r.Key != "k2" {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if _, err := login(New(pool, Config{Keys: NewKeyring(testKeys(t, "k2"))}), aaa.CHAP, "anna", "geheim"); err != nil {
		t.Error(err)
	}
}

func TestAdminErrorsKeepTheirCause(t *testing.T) {
	a, _ := openAdmin(t)
	if err := a.DeletePool(context.Background(), "x"); !errors.Is(err, pgx.ErrNoRows) {
		t.Errorf("got %v", err)
	}
}

func TestAdminNodes(t *testing.T) {
	a, pool := openAdmin(t)
	run(t, pool, `INSERT INTO nodes(name, epoch) VALUES ('west', 3); INSERT INTO sessions(id, node, epoch, name, account) VALUES ('s', 'west', 3, 'a', 'a'), ('t', 'west', 2, 'a', 'a')`)
	list, err := a.Nodes(context.Background())
	if err != nil || len(list) != 1 || list[0].Name != "west" || list[0].Epoch != 3 || list[0].Sessions != 1 || list[0].HeartbeatAt.IsZero() {
		t.Errorf("got %+v, %v", list, err)
	}
}

// Every rule of the tables that administrators write has words.
func TestAdminKnowsEveryRule(t *testing.T) {
	_, pool := openAdmin(t)
	rows, err := pool.Query(context.Background(), `
		SELECT conname FROM pg_constraint WHERE contype IN ('c', 'f', 'p', 'u', 'x') AND conrelid = ANY ($1::text[]::regclass[])
		UNION SELECT indexrelid::regclass::text FROM pg_index WHERE indisunique AND indrelid = ANY ($1::text[]::regclass[]) ORDER BY 1`,
		[]string{"accounts", "domains", "domain_aliases", "domain_pools", "pools", "pool_ranges", "profiles", "static_addresses", "nas"})
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(names) < 40 {
		t.Fatal(names, err)
	}
	// The database numbers accounts and ordinals by itself, and a pool is found by its name before these two.
	byItself := []string{"accounts_id_key", "nas_id_key", "domain_pools_domain_ordinal_key", "pools_name_routing_context_family_key"}
	for _, name := range names {
		if _, known := ruleOf(name); !known && !slices.Contains(byItself, name) {
			t.Errorf("%s has no words", name)
		}
	}
}
