package postgres

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"lnsgate/pool"
	"lnsgate/test/pgtest"
)

// What is told of each address is what all nodes have written, and a forecast is what Allocate does next.
func TestObserve(t *testing.T) {
	db := pgtest.New(t)
	define(t, db, makePool(t, "p", time.Hour, "10.0.0.1-10.0.0.4"))
	do(t, db, "INSERT INTO accounts(name) VALUES ('boss')")
	reserve(t, db, pool.Static{Account: "boss", Address: address("10.0.0.4")})
	n := open(t, Config{Pool: db})
	ctx := context.Background()
	anna, bert := n.get(from("p", "anna")), n.get(from("p", "bert"))
	n.drop(bert)
	got, err := n.Addresses(ctx, "p", netip.Addr{}, 10)
	if err != nil || len(got) != 4 {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, o := range got {
		want := pool.Free
		switch o.Address {
		case anna.Address:
			want = pool.Leased
			if o.Account != "anna" || o.Holder != anna.Holder || o.Node != "n1" || o.Since.IsZero() {
				t.Errorf("leased: %+v", o)
			}
		case bert.Address:
			want = pool.Quarantined
			if o.Account != "bert" || time.Until(o.Until) < 50*time.Minute || time.Since(o.Since) > 5*time.Minute {
				t.Errorf("quarantined: %+v", o)
			}
		case address("10.0.0.4"):
			want = pool.Kept
			if o.Account != "boss" || !o.Static {
				t.Errorf("reserved: %+v", o)
			}
		}
		if o.State != want {
			t.Errorf("%v is %v, want %v", o.Address, o.State, want)
		}
	}
	if page, err := n.Addresses(ctx, "p", address("10.0.0.2"), 1); err != nil || len(page) != 1 || page[0].Address != address("10.0.0.3") {
		t.Errorf("the second page: %+v, %v", page, err)
	}
	for _, r := range []pool.Request{
		from("p", "bert"), from("p", "carl"), from("q", "carl"), {Holder: "x"},
		{Address: address("10.0.0.4"), Account: "boss", Holder: "b1"}, {Address: address("10.0.0.4"), Account: "carl", Holder: "c"},
		{Address: address("10.0.0.4"), Account: "boss", Holder: "b2"}, from("p", "dora"),
	} {
		guess, wrong := n.Forecast(ctx, r)
		lease, err := n.Allocate(ctx, r)
		var full, guessed *pool.ExhaustedError
		switch {
		case errors.As(err, &full):
			if !errors.As(wrong, &guessed) {
				t.Errorf("%+v: forecast %v, and then %v", r, wrong, err)
			}
		case (err == nil) != (wrong == nil) || err != nil && err.Error() != wrong.Error():
			t.Errorf("%+v: forecast %v, and then %v", r, wrong, err)
		case guess.Address.IsValid() && guess.Address != lease.Address, guess.Pool != lease.Pool, guess.Why != lease.Why:
			t.Errorf("%+v: forecast %+v, and then %+v", r, guess, lease)
		}
	}
	var unknown *pool.UnknownPoolError
	if _, err := n.Spans("q"); !errors.As(err, &unknown) {
		t.Errorf("got %v", err)
	}
}
