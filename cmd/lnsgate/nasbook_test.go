package main

import (
	"log/slog"
	"net/netip"
	"testing"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
	sqlaccounts "lnsgate/aaa/postgres"
	"lnsgate/aaa/radius/dialect"
	"lnsgate/aaa/radiusserver"
	"lnsgate/configs"
)

// The words of the database, those of the file and those of the rooms are the same, and mean the same.
func TestNASesOfTheDatabaseAndOfTheFileAreAlike(t *testing.T) {
	row := sqlaccounts.NAS{Name: "a", Source: netip.MustParsePrefix("192.0.2.1/32"), Secret: aaa.NewSecret("s"), Type: "standard", MessageAuthenticator: "auto", Addresses: "given"}
	for e := dialect.Standard; e <= dialect.Accel; e++ {
		row.Type = e.String()
		if got := nasOfDatabase(&row, false).answered.Equipment; got != e {
			t.Errorf("%s is read as %s", row.Type, got)
		}
	}
	for p := radiusserver.Auto; p <= radiusserver.Off; p++ {
		row.MessageAuthenticator = p.String()
		if got := nasOfDatabase(&row, false).answered.MessageAuthenticator; got != p {
			t.Errorf("%s is read as %s", row.MessageAuthenticator, got)
		}
	}
	for word, want := range map[string]foreign.Addresses{"given": foreign.Given, "named": foreign.Named, "none": foreign.None} {
		row.Addresses = word
		if got := nasOfDatabase(&row, false).addresses; got != want {
			t.Errorf("%s is read as %d", word, got)
		}
	}
	row.Domain, row.DefaultDomain, row.UnsignedProxies, row.DynamicAuthorizationPort = "sales", "tech", true, 1700
	n := nasOfDatabase(&row, true)
	if c := n.answered; c.ForcedDomain != "sales" || c.DefaultDomain != "tech" || !c.UnsignedProxies || !c.TLS || !c.Secret.Equal(row.Secret) || n.port != 1700 {
		t.Errorf("%+v", n)
	}
}

func TestTheFileCountsWhereBothDefineANAS(t *testing.T) {
	n := &node{log: slog.New(slog.DiscardHandler)}
	source := netip.MustParsePrefix
	n.shared.nases = []sqlaccounts.NAS{
		{Name: "a", Source: source("192.0.2.3/32")}, {Name: "b", Source: source("192.0.2.1/32")}, {Name: "c", Source: source("192.0.2.0/24")},
	}
	list := n.nasClients(&configs.Config{RADIUSService: configs.RADIUSService{MaxClientSessions: 7,
		Clients: []configs.RADIUSClient{{Name: "a", Source: source("192.0.2.1/32")}}}})
	if len(list) != 2 || list[0].answered.Name != "a" || list[0].answered.Source != source("192.0.2.1/32") || list[1].answered.Name != "c" {
		t.Errorf("%+v", list)
	}
	var book nasBook
	book.fill(list)
	for _, name := range []string{"a", "c"} {
		if c, there := book.foreign(name); !there || c.MostSessions != 7 {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

func TestChangesReachTheSessionsOfOtherNASes(t *testing.T) {
	change := func(table sqlaccounts.Table, key string) sqlaccounts.Change {
		return sqlaccounts.Change{Table: table, Op: sqlaccounts.Updated, Key: key}
	}
	for name, tc := range map[string]struct {
		changes []sqlaccounts.Change
		want    []foreign.Query
	}{
		"an account, twice":    {[]sqlaccounts.Change{change(sqlaccounts.Accounts, "a"), change(sqlaccounts.StaticAddresses, "a")}, []foreign.Query{{Account: "a"}}},
		"a domain":             {[]sqlaccounts.Change{change(sqlaccounts.DomainPools, "d")}, []foreign.Query{{Domain: "d"}}},
		"a profile":            {[]sqlaccounts.Change{change(sqlaccounts.Accounts, "a"), change(sqlaccounts.Profiles, "p")}, []foreign.Query{{}}},
		"nobody knows what":    {anyChange, []foreign.Query{{}}},
		"NASes, and passwords": {[]sqlaccounts.Change{change(sqlaccounts.NASes, "n"), change(sqlaccounts.Credentials, "a")}, nil},
	} {
		got := concernedElsewhere(tc.changes)
		if len(got) != len(tc.want) {
			t.Errorf("%s: %+v", name, got)
			continue
		}
		for i := range got {
			if got[i] != tc.want[i] {
				t.Errorf("%s: %+v", name, got)
			}
		}
	}
}

// What a NAS says of where it is must not have us send requests anywhere else.
func TestNASesAreToldWhereTheyAreOnly(t *testing.T) {
	var book nasBook
	one, many := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("198.51.100.0/24")
	book.fill(nases{{answered: radiusserver.Client{Name: "one", Source: one}}, {answered: radiusserver.Client{Name: "many", Source: many}}})
	if told, found := book.told("one"); !found || told.Address != one.Addr() || told.Within != one {
		t.Errorf("%+v", told)
	}
	if told, found := book.told("many"); !found || told.Address.IsValid() || told.Within != many {
		t.Errorf("%+v", told)
	}
}
