package postgres

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/aaa"
	"lnsgate/test/pgtest"
)

// radiusSchema are the tables of FreeRADIUS 3.2, as far as they are read.
const radiusSchema = `
CREATE TABLE radcheck (id serial PRIMARY KEY, UserName text NOT NULL DEFAULT '', Attribute text NOT NULL DEFAULT '', op varchar(2) NOT NULL DEFAULT '==', Value text NOT NULL DEFAULT '');
CREATE TABLE radreply (LIKE radcheck INCLUDING ALL);
CREATE TABLE radgroupcheck (id serial PRIMARY KEY, GroupName text NOT NULL DEFAULT '', Attribute text NOT NULL DEFAULT '', op varchar(2) NOT NULL DEFAULT '==', Value text NOT NULL DEFAULT '');
CREATE TABLE radgroupreply (LIKE radgroupcheck INCLUDING ALL);
CREATE TABLE radusergroup (id serial PRIMARY KEY, UserName text NOT NULL DEFAULT '', GroupName text NOT NULL DEFAULT '', priority integer NOT NULL DEFAULT 0);
CREATE TABLE radippool (id bigserial PRIMARY KEY, pool_name varchar(64) NOT NULL, FramedIPAddress inet NOT NULL, NASIPAddress varchar(16) NOT NULL DEFAULT '', pool_key varchar(64) NOT NULL DEFAULT 0,
	CalledStationId text NOT NULL DEFAULT '', CallingStationId text NOT NULL DEFAULT '', expiry_time timestamp(0) without time zone NOT NULL DEFAULT NOW(), username text DEFAULT '');
`

const radiusUsers = `
INSERT INTO radcheck (username, attribute, op, value) VALUES
	('anna@sales.example', 'Cleartext-Password', ':=', 'geheim'), ('anna@sales.example', 'Simultaneous-Use', ':=', '2'), ('anna@sales.example', 'Expiration', ':=', 'Jan 01 2030 00:00:00'),
	('bert@sales.example', 'NT-Password', ':=', '0x8846F7EAEE8FB117AD06BDD830B7586C'), ('bert@sales.example', 'Calling-Station-Id', '==', '555'),
	('carl', 'Crypt-Password', ':=', '$2b$04$T7rxmWBB5pKbSKrn2ItTVOwmJ3wHBGl5LrFC1vM9QCb29Zi2kMRPK'), ('carl', 'Auth-Type', ':=', 'Reject'),
	('dora', 'SSHA2-512-Password', ':=', 'geheim-hash'), ('emil', 'Crypt-Password', ':=', '$1$abc$geheim-hash'), ('lea', 'Crypt-Password', ':=', '$6$saltsalt$sfZR6YSW/Dp0uCiyF9fDipa6ORr5LVLOwXNgtzRlXXhkC7xA3w4zy97VIC3vL14AUXGJp3yBjZVztkdiBzJnX1'), ('max', 'Password-With-Header', ':=', '{crypt}$6$saltsalt$sfZR6YSW/Dp0uCiyF9fDipa6ORr5LVLOwXNgtzRlXXhkC7xA3w4zy97VIC3vL14AUXGJp3yBjZVztkdiBzJnX1'),
	('fritz', 'Password-With-Header', ':=', '{clear}geheim'), ('gerd', 'Password-With-Header', ':=', '{ssha}geheim-hash'),
	('h h', 'Cleartext-Password', ':=', 'geheim'), ('ida', 'Auth-Type', ':=', 'Accept'), ('jan', 'Cleartext-Password', '+=', 'geheim'), ('kurt', 'User-Password', '==', 'geheim');
INSERT INTO radreply (username, attribute, op, value) VALUES
	('anna@sales.example', 'Framed-IP-Address', ':=', '10.20.0.7'), ('anna@sales.example', 'MS-Secondary-DNS-Server', '=', '10.0.0.54'), ('anna@sales.example', 'MS-Primary-DNS-Server', '=', '10.0.0.53'),
	('anna@sales.example', 'Session-Timeout', ':=', '3600'), ('anna@sales.example', 'Framed-Route', '=', '192.168.50.0/24 0.0.0.0 1'), ('anna@sales.example', 'Framed-Route', '+=', '10.8.0.0/16'), ('anna@sales.example', 'Framed-Route', '+=', '0.0.0.0/0 10.20.0.7 1'), ('anna@sales.example', 'Framed-Protocol', '=', 'PPP'), ('anna@sales.example', 'Mikrotik-Rate-Limit', '=', '2M/10M 4M/20M'),
	('bert@sales.example', 'Framed-IP-Address', '=', '255.255.255.254'), ('bert@sales.example', 'Framed-Pool', '=', 'main_pool'), ('carl', 'Framed-Pool', '=', 'none'),
	('fritz', 'Framed-IP-Address', ':=', '10.20.0.7'), ('kurt', 'Framed-IP-Address', ':=', '255.255.255.255'), ('kurt', 'Framed-MTU', ':=', 'big'), ('only-reply', 'Class', '=', 'x');
INSERT INTO radusergroup (username, groupname, priority) VALUES ('anna@sales.example', 'gold', 1), ('anna@sales.example', 'silver', 2), ('nobody', 'gold', 1), ('carl', 'bad name', 1);
INSERT INTO radgroupreply (groupname, attribute, op, value) VALUES ('gold', 'Framed-Pool', ':=', 'main_pool'), ('gold', 'Idle-Timeout', ':=', '600'), ('gold', 'WISPr-Bandwidth-Max-Down', ':=', '5000000'), ('gold', 'Filter-Id', '=', 'f');
INSERT INTO radgroupcheck (groupname, attribute, op, value) VALUES ('gold', 'Cleartext-Password', ':=', 'geheim'), ('gold', 'Simultaneous-Use', ':=', '1');
INSERT INTO radippool (pool_name, framedipaddress, expiry_time, pool_key) SELECT 'main_pool', '10.20.0.0'::inet + n, 'epoch', '0' FROM generate_series(1, 20) n WHERE n <> 10;
INSERT INTO radippool (pool_name, framedipaddress, expiry_time, pool_key) VALUES ('main_pool', '10.30.0.1', now() + interval '1 hour', 'k'), ('other', '10.20.0.5', 'epoch', '0');
`

func readRadius(t *testing.T, statements ...string) (*FreeRADIUS, *pgxpool.Pool) {
	t.Helper()
	dsn := pgtest.Empty(t)
	pool := openPool(t, dsn, false)
	for _, s := range statements {
		run(t, pool, s)
	}
	found, err := ReadFreeRADIUS(context.Background(), connectConfig(t, dsn))
	if err != nil {
		t.Fatal(err)
	}
	return found, pool
}

func TestFreeRADIUSIsCarriedOver(t *testing.T) {
	found, source := readRadius(t, radiusSchema, radiusUsers)
	dsn := pgtest.DSN(t)
	a, pool := adminAt(t, dsn), openPool(t, dsn, false)
	ctx := context.Background()
	dry, err := a.ImportFreeRADIUS(ctx, found, Keep, true)
	if err != nil || one[int](t, pool, "SELECT count(*) FROM accounts") != 0 {
		t.Fatal(err)
	}
	report, err := a.ImportFreeRADIUS(ctx, found, Keep, false)
	if err != nil || fmt.Sprint(dry) != fmt.Sprint(report) {
		t.Fatalf("%v\ndry %+v\nwet %+v", err, dry, report)
	}
	if got := words(report.Accounts.Added, report.Accounts.Kept, report.Domains, report.Pools, report.Profiles); got != "13 0 [sales.example] [main_pool] [gold silver]" {
		t.Errorf("got %s", got)
	}
	anna, err := a.Account(ctx, "anna@sales.example")
	if err != nil {
		t.Fatal(err)
	}
	if got := words(anna.Status, anna.Password, *anna.Profile, anna.Addresses, anna.Pools, anna.DNS, *anna.SessionTimeout, *anna.IdleTimeout, *anna.RateUp, *anna.RateDown,
		*anna.MaxSessions, anna.ValidUntil.Year(), anna.Routes); got != "active [clear] gold [10.20.0.7] [main_pool] [10.0.0.53 10.0.0.54] 3600 600 2000000 10000000 2 2030 [192.168.50.0/24 10.8.0.0/16]" {
		t.Errorf("anna: %s", got)
	}
	if pools, err := a.Pools(ctx, ""); err != nil || fmt.Sprint(pools[0].Ranges) != "[10.20.0.1-10.20.0.9 10.20.0.11-10.20.0.20 10.30.0.1]" {
		t.Errorf("%+v, %v", pools, err)
	}
	b := New(pool, Config{})
	for name, want := range map[string]aaa.Cause{"anna@sales.example": aaa.CauseNone, "kurt": aaa.CauseNone, "lea": aaa.CauseNone, "max": aaa.CauseNone, "carl": aaa.AccountDisabled, "dora": aaa.NoCredentialForMethod} {
		if _, err := login(b, aaa.PAP, name, "geheim"); causeOf(err) != want {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	if _, err := login(b, aaa.MSCHAPv2, "bert@sales.example", "password"); err != nil {
		t.Error(err)
	}
	leftIs(t, report.Left)

	// Again, it changes nothing, whatever has become of the accounts here.
	mustSeal(t, pool, testKeys(t, "k1"))
	run(t, pool, "DELETE FROM accounts WHERE name = 'ida'; UPDATE accounts SET mtu = 1400; TRUNCATE audit")
	again, err := a.ImportFreeRADIUS(ctx, found, Keep, false)
	if err != nil || again.Accounts.Added != 1 || again.Accounts.Kept != 12 || len(again.Pools)+len(again.Domains)+len(again.Profiles) != 0 {
		t.Errorf("%+v, %v", again, err)
	}
	if n := one[int](t, pool, "SELECT count(*) FROM audit WHERE NOT (table_name = 'accounts' AND key = 'ida')"); n != 0 {
		t.Errorf("%d changes", n)
	}
	// Unless it is said that the old system counts.
	run(t, source, "UPDATE radcheck SET value = 'neu' WHERE value = 'geheim' AND username = 'anna@sales.example'; UPDATE radreply SET value = '10.30.0.1' WHERE username = 'anna@sales.example' AND attribute = 'Framed-IP-Address'")
	found, err = ReadFreeRADIUS(ctx, source.Config().ConnConfig)
	if err != nil {
		t.Fatal(err)
	}
	if again, err = a.ImportFreeRADIUS(ctx, found, Replace, false); err != nil || again.Accounts.Changed != 13 {
		t.Errorf("%+v, %v", again, err)
	}
	if grant, err := login(b, aaa.PAP, "anna@sales.example", "neu"); err != nil || grant.Address.String() != "10.30.0.1" {
		t.Errorf("%+v, %v", grant, err)
	}
}

// leftIs checks that everything without a place here is told with its row, and no secret with it.
func leftIs(t *testing.T, left []ImportNote) {
	t.Helper()
	var lines []string
	for _, n := range left {
		lines = append(lines, n.Where+": "+n.Text)
	}
	all := strings.Join(lines, "\n")
	for _, want := range []string{
		"radippool: sessions of FreeRADIUS hold addresses now: 1",
		"radippool pool other: a pool has some of these addresses already",
		"(bert@sales.example): Calling-Station-Id: the attribute has no place here",
		"(anna@sales.example): Mikrotik-Rate-Limit: of \"2M/10M 4M/20M\" only the rates are kept",
		"(anna@sales.example): Framed-Route: \"0.0.0.0/0 10.20.0.7 1\" leads to no IPv4 network such as 192.168.50.0/24",
		"(carl): Framed-Pool: there is no pool \"none\"",
		"(dora): SSHA2-512-Password: this form of a password cannot be checked here",
		"(emil): Crypt-Password: the stored hash cannot be used: md5-crypt with a salt or sum of no use; set the password anew with lnsgate user set",
		"(gerd): Password-With-Header: this form",
		"user dora: there is no password that could be carried over",
		"user h h: nobody could log in by this name",
		"(ida): Auth-Type: there is no login without a password here",
		"(jan): Cleartext-Password: the operator += has no place here",
		"(kurt): Framed-IP-Address: subscribers do not choose their address here",
		"(kurt): Framed-MTU: \"big\" is no number",
		"user fritz: the address 10.20.0.7 is fixed for anna@sales.example",
		"(only-reply): Class: the attribute has no place here",
		"radusergroup anna@sales.example: an account has one profile: the group silver is left, gold counts",
		"radusergroup nobody: there is no such user",
		"group bad name: a profile has a name without blanks",
		"(gold): Cleartext-Password: a password for a whole group",
		"(gold): Filter-Id: the attribute has no place here",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("not told: %s", want)
		}
	}
	if strings.Contains(all, "geheim") {
		t.Errorf("a password is told:\n%s", all)
	}
	if t.Failed() {
		t.Log(all)
	}
}

func TestFreeRADIUSWithoutSomeTables(t *testing.T) {
	found, _ := readRadius(t, radiusSchema, "DROP TABLE radippool, radgroupcheck, radgroupreply, radusergroup; INSERT INTO radcheck (username, attribute, op, value) VALUES ('a', 'Cleartext-Password', ':=', 'x')")
	a := adminAt(t, pgtest.DSN(t))
	if report, err := a.ImportFreeRADIUS(context.Background(), found, Keep, false); err != nil || report.Accounts.Added != 1 || len(report.Left) != 0 {
		t.Errorf("%+v, %v", report, err)
	}
	_, err := ReadFreeRADIUS(context.Background(), connectConfig(t, pgtest.Empty(t)))
	if err == nil || !strings.Contains(err.Error(), "there is no table radcheck, so this is no database of FreeRADIUS") {
		t.Errorf("got %v", err)
	}
}

// Our own views in the shape of FreeRADIUS can be read by the same door.
func TestFreeRADIUSViewsAreReadable(t *testing.T) {
	a, pool := openAdmin(t)
	addAccount(t, a, "anna@sales.example", "x", AdminSettings{"mtu": 1400})
	cfg := connectConfig(t, pool.Config().ConnString())
	cfg.RuntimeParams["search_path"] = "freeradius"
	found, err := ReadFreeRADIUS(context.Background(), cfg)
	if err != nil || len(found.users) != 1 || found.users[0].attribute != "Framed-MTU" {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestRunsOfAddresses(t *testing.T) {
	var list []netip.Addr
	for _, text := range []string{"10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.4", "255.255.255.255", "2001:db8::1", "2001:db8::2"} {
		list = append(list, netip.MustParseAddr(text))
	}
	if got := runs(list); !slices.Equal(got, []string{"10.0.0.1-10.0.0.2", "10.0.0.4", "255.255.255.255", "2001:db8::1-2001:db8::2"}) {
		t.Errorf("got %v", got)
	}
	if got := runs(nil); got != nil {
		t.Errorf("got %v", got)
	}
}

func TestImportTakesManyRows(t *testing.T) {
	a, pool := openAdmin(t)
	rows := make([]ImportRow, 2500)
	for i := range rows {
		rows[i] = ImportRow{Where: fmt.Sprint("line ", i+2), Settings: AdminSettings{"name": fmt.Sprintf("u%d@sales.example", i), "password": "x"}}
	}
	rows[1777].Settings["mtu"] = "1"
	report, err := a.ImportAccounts(context.Background(), rows, Refuse, false)
	if err != nil || len(report.Faults) != 1 || report.Faults[0].Where != "line 1779" || one[int](t, pool, "SELECT count(*) FROM accounts") != 0 {
		t.Errorf("%+v, %v", report.Faults, err)
	}
	delete(rows[1777].Settings, "mtu")
	if report, err = a.ImportAccounts(context.Background(), rows, Refuse, false); err != nil || report.Added != 2500 {
		t.Errorf("%+v, %v", report, err)
	}
}
