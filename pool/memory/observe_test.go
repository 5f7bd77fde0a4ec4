package memory

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"lnsgate/pool"
)

func observed(t *testing.T) (*Allocator, *time.Time) {
	t.Helper()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r, err := pool.ParseRange("10.0.0.1-10.0.0.6")
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(Config{
		Pools: []pool.Pool{{Name: "p", Ranges: []pool.Range{r}, Quarantine: time.Minute, Sticky: true,
			Exclude: []pool.Range{{First: netip.MustParseAddr("10.0.0.3"), Last: netip.MustParseAddr("10.0.0.3")}}}},
		Statics: []pool.Static{{Account: "boss", Address: netip.MustParseAddr("10.0.0.6")}},
		Now:     func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return a, &now
}

func lend(t *testing.T, a *Allocator, account, holder string) pool.Lease {
	t.Helper()
	l, err := a.Allocate(context.Background(), pool.Request{Pools: []string{"p"}, Account: account, Holder: holder})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAddressesTellEachState(t *testing.T) {
	a, now := observed(t)
	lend(t, a, "anna", "s1")
	bert := lend(t, a, "bert", "s2")
	began := *now
	*now = now.Add(time.Second)
	if err := a.Release(context.Background(), bert); err != nil {
		t.Fatal(err)
	}
	got, err := a.Addresses(context.Background(), "p", netip.Addr{}, 100)
	want := []pool.Occupancy{
		{Address: netip.MustParseAddr("10.0.0.1"), State: pool.Leased, Account: "anna", Holder: "s1", Since: began},
		{Address: netip.MustParseAddr("10.0.0.2"), State: pool.Quarantined, Account: "bert", Holder: "s2", Since: *now, Until: now.Add(time.Minute)},
		{Address: netip.MustParseAddr("10.0.0.4")},
		{Address: netip.MustParseAddr("10.0.0.5")},
		{Address: netip.MustParseAddr("10.0.0.6"), State: pool.Kept, Static: true, Account: "boss"},
	}
	if err != nil || len(got) != len(want) {
		t.Fatalf("%v, %v", got, err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %+v, want %+v", got[i], want[i])
		}
	}
	*now = now.Add(time.Minute)
	if got, err := a.Addresses(context.Background(), "p", netip.MustParseAddr("10.0.0.1"), 2); err != nil || len(got) != 2 ||
		got[0].State != pool.Free || got[0].Account != "bert" || got[1].Address != netip.MustParseAddr("10.0.0.4") {
		t.Errorf("the second page: %+v, %v", got, err)
	}
	var unknown *pool.UnknownPoolError
	if _, err := a.Addresses(context.Background(), "q", netip.Addr{}, 1); !errors.As(err, &unknown) {
		t.Errorf("got %v", err)
	}
	if spans, err := a.Spans("p"); err != nil || len(spans) != 2 {
		t.Errorf("%v, %v", spans, err)
	}
}

// A forecast is what Allocate does next, and leaves no trace.
func TestForecastIsWhatAllocateDoes(t *testing.T) {
	a, now := observed(t)
	anna := lend(t, a, "anna", "s1")
	if err := a.Release(context.Background(), anna); err != nil {
		t.Fatal(err)
	}
	*now = now.Add(time.Second)
	for i, r := range []pool.Request{
		{Pools: []string{"p"}, Account: "anna"},
		{Pools: []string{"p"}, Account: "carl"},
		{Pools: []string{"q"}},
		{},
		{Address: netip.MustParseAddr("10.0.0.6"), Account: "boss"},
		{Address: netip.MustParseAddr("10.0.0.6"), Account: "anna"},
		{Address: netip.MustParseAddr("10.0.0.6"), Account: "boss"}, // held by then
	} {
		r.Holder = "new"
		before, _ := a.Usage(context.Background())
		guess, wrong := a.Forecast(context.Background(), r)
		if after, _ := a.Usage(context.Background()); after[0] != before[0] {
			t.Errorf("%+v: the forecast changed the pool from %+v to %+v", r, before[0], after[0])
		}
		r.Holder = strconv.Itoa(i)
		lease, err := a.Allocate(context.Background(), r)
		switch {
		case (err == nil) != (wrong == nil) || err != nil && err.Error() != wrong.Error():
			t.Errorf("%+v: forecast %v, and then %v", r, wrong, err)
		case guess.Address.IsValid() && guess.Address != lease.Address, guess.Pool != lease.Pool, guess.Why != lease.Why:
			t.Errorf("%+v: forecast %+v, and then %+v", r, guess, lease)
		}
	}
}

func TestForecastOfAFullPool(t *testing.T) {
	a, _ := observed(t)
	for _, holder := range []string{"1", "2", "3", "4"} {
		lend(t, a, "", holder)
	}
	var full *pool.ExhaustedError
	if _, err := a.Forecast(context.Background(), pool.Request{Pools: []string{"p"}, Holder: "x"}); !errors.As(err, &full) || full.Pools[0].Leased != 4 {
		t.Errorf("got %v", err)
	}
}
