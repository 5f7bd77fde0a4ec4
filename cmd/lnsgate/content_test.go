package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"lnsgate/aaa"
	"lnsgate/pool"
	"lnsgate/pool/memory"
	sqlpools "lnsgate/pool/postgres"
)

func newMemory(t *testing.T, name, ranges string) *memory.Allocator {
	t.Helper()
	run, err := pool.ParseRange(ranges)
	if err != nil {
		t.Fatal(err)
	}
	m, err := memory.New(memory.Config{Pools: []pool.Pool{{Name: name, Ranges: []pool.Range{run}}}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Pools of the file and of the database are used in the order in which the domain names them.
func TestBothPoolsOverflowInOrder(t *testing.T) {
	c := parse(t, departments)
	b := newBothPools(newMemory(t, "pool1", "10.10.1.1"), newMemory(t, "shared", "10.30.0.1-10.30.0.2"), c)
	ctx := context.Background()
	var got []string
	for i := range 3 {
		l, err := b.Allocate(ctx, pool.Request{Pools: []string{"shared", "pool1"}, Holder: string(rune('a' + i))})
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, l.Address.String())
	}
	if s := strings.Join(got, " "); s != "10.30.0.1 10.30.0.2 10.10.1.1" {
		t.Errorf("addresses %s", s)
	}
	_, err := b.Allocate(ctx, pool.Request{Pools: []string{"shared", "pool1"}, Holder: "z"})
	var full *pool.ExhaustedError
	if !errors.As(err, &full) || len(full.Pools) != 2 {
		t.Errorf("exhausted: %v", err)
	}
	leases, err := b.Leases(ctx)
	if err != nil || len(leases) != 3 {
		t.Fatalf("leases %v, %v", leases, err)
	}
	for _, l := range leases {
		if err := b.Release(ctx, l); err != nil {
			t.Error(err)
		}
	}
	if leases, _ := b.Leases(ctx); len(leases) != 0 {
		t.Errorf("left: %v", leases)
	}
	if usage, err := b.Usage(ctx); err != nil || len(usage) != 2 {
		t.Errorf("usage %v, %v", usage, err)
	}
	if _, err := b.Allocate(ctx, pool.Request{Holder: "y"}); !errors.Is(err, pool.ErrNoPool) {
		t.Errorf("without a pool: %v", err)
	}
}

// awayPools is the database's side while the database is away.
type awayPools struct{ pool.Keeper }

func (awayPools) Allocate(context.Context, pool.Request) (pool.Lease, error) {
	return pool.Lease{}, fmt.Errorf("in words: %w", &sqlpools.UnavailableError{Err: errors.New("connection refused")})
}

func TestPoolsOfTheFileServeWhileTheDatabaseIsAway(t *testing.T) {
	b := newBothPools(newMemory(t, "pool1", "10.10.1.1"), awayPools{}, parse(t, departments))
	names := []string{"shared", "pool1"}
	l, err := b.Allocate(context.Background(), pool.Request{Pools: names, Holder: "a"})
	if err != nil || l.Address.String() != "10.10.1.1" {
		t.Fatal(l, err)
	}
	var away *sqlpools.UnavailableError
	if _, err = b.Allocate(context.Background(), pool.Request{Pools: names, Holder: "b"}); !errors.As(err, &away) {
		t.Errorf("with the file's pool full: %v", err)
	}
	if err := b.Release(context.Background(), l); err != nil { // asks nobody who is away
		t.Error(err)
	}
	if _, err = b.Allocate(context.Background(), pool.Request{Pools: names, Holder: "b"}); err != nil {
		t.Errorf("after it was given back: %v", err)
	}
}

// An account's own address that the file knows comes from the file's side, any other from the database's.
func TestBothPoolsKnowWhoseStaticAddressItIs(t *testing.T) {
	c := parse(t, departments) // bob has 10.10.1.7
	file, shared := newMemory(t, "pool1", "10.10.1.1-10.10.1.9"), newMemory(t, "shared", "10.30.0.1-10.30.0.9")
	b := newBothPools(file, shared, c)
	ctx := context.Background()
	for address, side := range map[string]*memory.Allocator{"10.10.1.7": file, "10.30.0.5": shared} {
		if _, err := b.Allocate(ctx, pool.Request{Address: netip.MustParseAddr(address), Account: "bob", Holder: address}); err != nil {
			t.Fatal(err)
		}
		if leases, _ := side.Leases(ctx); len(leases) != 1 || leases[0].Address.String() != address {
			t.Errorf("%s: leases %v", address, leases)
		}
	}
	inRange := netip.MustParseAddr("10.10.1.11") // as a RADIUS server may give it
	if _, err := b.Allocate(ctx, pool.Request{Address: inRange, Account: "eve", Holder: "eve"}); err != nil {
		t.Fatal(err)
	}
	if leases, _ := file.Leases(ctx); len(leases) != 2 {
		t.Errorf("an address out of a range of the file: leases %v", leases)
	}
}

func TestAWrongDomainOfTheDatabaseLocksOutNobodyElse(t *testing.T) {
	var log strings.Builder
	base := aaa.Config{DefaultDomain: "tech.example", Backends: []aaa.Backend{absentBackend("postgres")}}
	s := content{domains: []aaa.Domain{
		{Name: "bad.example", Chain: []string{"nowhere"}},
		{Name: "tech.example", Chain: []string{"postgres"}},
	}}
	c := s.addDomains(base, slog.New(slog.NewTextHandler(io.Writer(&log), nil)))
	if _, err := aaa.NewGateway(c); err != nil {
		t.Fatal(err)
	}
	if len(c.Domains) != 1 || c.Domains[0].Name != "tech.example" || c.DefaultDomain != "tech.example" {
		t.Errorf("domains %+v, default %q", c.Domains, c.DefaultDomain)
	}
	if !strings.Contains(log.String(), "bad.example") {
		t.Errorf("the log says %q", log.String())
	}
}

func TestTheFilesDomainCounts(t *testing.T) {
	base := aaa.Config{Domains: []aaa.Domain{{Name: "sales.example", Chain: []string{"postgres"}, MTU: 1400}}, Backends: []aaa.Backend{absentBackend("postgres")}}
	s := content{domains: []aaa.Domain{{Name: "Sales.Example", Chain: []string{"postgres"}, MTU: 1300}}}
	c := s.addDomains(base, slog.New(slog.DiscardHandler))
	if len(c.Domains) != 1 || c.Domains[0].MTU != 1400 {
		t.Errorf("domains %+v", c.Domains)
	}
}

func TestPoolsOfTheDatabaseAreRouted(t *testing.T) {
	c := parse(t, departments)
	s := content{
		domains: []aaa.Domain{{Name: "tech.example", Pools: []string{"tech"}, VirtualTemplate: "vt2"}},
		pools:   []pool.Pool{{Name: "tech", Ranges: []pool.Range{{First: netip.MustParseAddr("10.30.0.0"), Last: netip.MustParseAddr("10.30.0.255")}}}},
	}
	byTemplate, err := routes(s.merge(c))
	if err != nil {
		t.Fatal(err)
	}
	if !covered(byTemplate["vt2"], netip.MustParseAddr("10.30.0.77")) {
		t.Errorf("routes %v", byTemplate)
	}
	if len(c.Domains) != 2 || len(c.Pools) != 2 {
		t.Error("the file's own configuration was changed")
	}
}

func TestOverlapsOfFileAndDatabaseAreNamed(t *testing.T) {
	c := parse(t, departments)
	at := func(first, last string) content {
		return content{pools: []pool.Pool{{Name: "tech", Ranges: []pool.Range{{First: netip.MustParseAddr(first), Last: netip.MustParseAddr(last)}}}}}
	}
	if both := at("10.10.1.200", "10.10.2.9").overlaps(c); len(both) != 1 || !strings.Contains(both[0], "tech of the database") || !strings.Contains(both[0], "pool1 of the file") {
		t.Errorf("overlaps %v", both)
	}
	if both := at("10.30.0.0", "10.30.0.9").overlaps(c); len(both) != 0 {
		t.Errorf("overlaps %v", both)
	}
}

// The engine knows whose the addresses of all pools are, those of the database too.
func TestTheEngineKnowsThePools(t *testing.T) {
	run, err := pool.ParseRange("10.30.0.0-10.30.0.255")
	if err != nil {
		t.Fatal(err)
	}
	n := &node{
		log:    slog.New(slog.DiscardHandler),
		shared: content{pools: []pool.Pool{{Name: "shared", Ranges: []pool.Range{run}}}},
	}
	have := make(map[string]string)
	for _, r := range n.engineConfig(parse(t, departments)).Reserved {
		have[r.Network.String()] = r.Pool
	}
	if have["10.30.0.0/24"] != "shared" {
		t.Errorf("reserved %v", have)
	}
	for _, name := range []string{"pool1", "shared"} {
		if !slices.Contains(slices.Collect(maps.Values(have)), name) {
			t.Errorf("%s is missing in %v", name, have)
		}
	}
}
