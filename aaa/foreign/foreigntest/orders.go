package foreigntest

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
)

// order makes an order about a session.
func order(s aaa.Record, kind foreign.OrderKind, key string) foreign.Order {
	o := foreign.Order{Key: key, Kind: kind, Session: s, Reason: "because of " + key, At: time.Now().Add(-time.Second)}
	if kind == foreign.Change {
		rate := uint64(1_000_000)
		o.Terms, o.Changed = aaa.Terms{Interim: time.Minute, RateUp: rate, Filter: key}, aaa.Change{RateUp: &rate, Filter: &key}
	}
	return o
}

func (r *rig) order(want bool, o foreign.Order) {
	r.Helper()
	written, err := r.Store.Order(r.Context(), o)
	if err != nil || written != want {
		r.Fatalf("order %s %q of %s: written %v, %v; want %v", o.Kind, o.Key, o.Session.Session, written, err, want)
	}
}

// claim holds the keys of what is handed out against those that are wanted. The claims last as long as is said.
func (r *rig) claim(lasting time.Duration, want ...string) []foreign.Order {
	r.Helper()
	return r.claimSome(lasting, 100, want...)
}

func (r *rig) claimSome(lasting time.Duration, limit int, want ...string) []foreign.Order {
	r.Helper()
	orders, err := r.Store.Claim(r.Context(), time.Now().Add(lasting), limit, nil)
	if err != nil {
		r.Fatal(err)
	}
	var keys []string
	for _, o := range orders {
		keys = append(keys, o.Key)
	}
	if !reflect.DeepEqual(keys, want) {
		r.Fatalf("claimed %v, want %v", keys, want)
	}
	return orders
}

func (r *rig) answer(o foreign.Order, a foreign.Answer) {
	r.Helper()
	if err := r.Store.Answer(r.Context(), o, a); err != nil {
		r.Fatal(err)
	}
}

func onceEach(r *rig) {
	s, other := r.session("a", 1), r.session("a", 2)
	r.put(s, other)
	r.order(true, order(s, foreign.Change, "fast"))
	r.order(false, order(s, foreign.Change, "fast"))
	r.order(true, order(other, foreign.Change, "fast"))
	for _, o := range r.claim(time.Minute, "fast", "fast") {
		r.answer(o, foreign.Answer{Done: true, OK: true, Text: "acknowledged"})
	}
	r.order(false, order(s, foreign.Change, "fast"))
	r.order(true, order(s, foreign.Change, "slow"))
	r.answer(r.claim(time.Minute, "slow")[0], foreign.Answer{Done: true, OK: true, Text: "acknowledged"})
	r.order(true, order(s, foreign.Change, "fast")) // as before, but it was different meanwhile
	r.claim(time.Minute, "fast")
}

func superseding(r *rig) {
	s, other := r.session("a", 1), r.session("a", 2)
	r.put(s, other)
	r.order(true, order(s, foreign.Change, "one"))
	r.order(true, order(other, foreign.Change, "other"))
	r.order(true, order(s, foreign.Change, "two"))
	r.order(true, order(s, foreign.Disconnect, "end"))
	r.order(false, order(s, foreign.Change, "three"))
	claimed := r.claim(time.Minute, "other", "end")
	r.order(false, order(s, foreign.Change, "three"))
	r.answer(claimed[1], foreign.Answer{Done: true, Text: "refused"})
	r.order(true, order(s, foreign.Change, "three"))
	r.claim(time.Minute, "three")
}

func claimedOnce(r *rig) {
	for n := range 5 {
		s := r.session("a", n)
		r.put(s)
		r.order(true, order(s, foreign.Disconnect, fmt.Sprint(n)))
	}
	first := r.claimSome(time.Minute, 2, "0", "1")[0]
	if first.Kind != foreign.Disconnect || first.Reason != "because of 0" || first.Tries != 0 || first.Session.Session != "a/login0" ||
		first.Session.NAS == nil || !reflect.DeepEqual(*first.Session.NAS, *r.session("a", 0).NAS) {
		r.Errorf("claimed %+v", first)
	}
	r.claimSome(-time.Second, 2, "2", "3")
	r.claim(time.Minute, "2", "3", "4") // the claims of two and three have ended
	r.claim(time.Minute)
}

func claimedForOthers(r *rig) {
	for i, nas := range []string{"a", "b", "c", "a", "b"} {
		s := r.session(nas, i)
		r.put(s)
		r.order(true, order(s, foreign.Disconnect, fmt.Sprint(nas, i)))
	}
	orders, err := r.Store.Claim(r.Context(), time.Now().Add(time.Minute), 2, []string{"a", "c", "nobody"})
	if err != nil || len(orders) != 2 || orders[0].Key != "b1" || orders[1].Key != "b4" {
		r.Errorf("claimed %+v, %v", orders, err)
	}
	r.claim(time.Minute, "a0", "c2", "a3")
}

func oneAtATime(r *rig) {
	s := r.session("a", 1)
	r.put(s)
	r.order(true, order(s, foreign.Change, "one"))
	one := r.claim(time.Minute, "one")[0]
	r.order(true, order(s, foreign.Change, "two"))
	r.claim(time.Minute)
	r.answer(one, foreign.Answer{Text: "no answer", Again: time.Now().Add(-time.Second)})
	r.claim(time.Minute, "two") // and not one: two took its place
	r.claim(time.Minute)
}

func again(r *rig) {
	s := r.session("a", 1)
	r.put(s)
	r.order(true, order(s, foreign.Disconnect, "end"))
	for tries := range 3 {
		o := r.claim(time.Minute, "end")[0]
		if o.Tries != tries {
			r.Errorf("%d tries, want %d", o.Tries, tries)
		}
		r.answer(o, foreign.Answer{Text: "no answer", Again: time.Now().Add(-time.Millisecond)})
	}
	o := r.claim(time.Minute, "end")[0]
	r.answer(o, foreign.Answer{Text: "no answer", Again: time.Now().Add(time.Hour)})
	r.claim(time.Minute)
	r.answer(o, foreign.Answer{Done: true, Text: "given up"})
	r.claim(time.Minute)
}

func changeDone(r *rig) {
	s, other := r.session("a", 1), r.session("a", 2)
	r.put(s, other)
	r.order(true, order(s, foreign.Change, "fast"))
	r.order(true, order(other, foreign.Change, "fast"))
	orders := r.claim(time.Minute, "fast", "fast")
	want := order(s, foreign.Change, "fast")
	if o := orders[0]; !reflect.DeepEqual(o.Terms, want.Terms) || !reflect.DeepEqual(o.Changed, want.Changed) {
		r.Errorf("claimed %+v, want %+v", o, want)
	}
	r.answer(orders[0], foreign.Answer{Done: true, OK: true, Text: "acknowledged"})
	r.answer(orders[1], foreign.Answer{Done: true, Text: "refused"})
	if have := r.find(foreign.Query{Session: s.Session}); len(have) != 1 || !reflect.DeepEqual(*have[0].Terms, want.Terms) {
		r.Errorf("%+v, want the terms %+v", have, want.Terms)
	}
	if have := r.find(foreign.Query{Session: other.Session}); len(have) != 1 || !reflect.DeepEqual(have[0].Terms, other.Terms) {
		r.Errorf("%+v, want the terms %+v", have, other.Terms)
	}
	r.put(Stop(s, time.Hour))
	r.answer(orders[0], foreign.Answer{Done: true, OK: true, Text: "acknowledged"}) // too late, and no harm
	r.finds(foreign.Query{Session: s.Session})
}

func crowd(r *rig) {
	const sessions, callers = 20, 4
	for n := range sessions {
		r.put(r.session("a", n))
	}
	var mu sync.Mutex
	written, claimed := map[string]int{}, map[string]int{}
	var wait sync.WaitGroup
	for range callers {
		wait.Go(func() {
			for n := range sessions {
				s := r.session("a", n)
				ok, err := r.Store.Order(context.WithoutCancel(r.Context()), order(s, foreign.Disconnect, "end"))
				if err != nil {
					r.Error(err)
				}
				if ok {
					mu.Lock()
					written[s.Session]++
					mu.Unlock()
				}
			}
			for {
				orders, err := r.Store.Claim(r.Context(), time.Now().Add(time.Minute), 3, nil)
				if err != nil {
					r.Error(err)
				}
				if len(orders) == 0 {
					return
				}
				mu.Lock()
				for _, o := range orders {
					claimed[o.Session.Session]++
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	for n := range sessions {
		if name := r.session("a", n).Session; written[name] != 1 || claimed[name] != 1 {
			r.Errorf("%s: written %d times, claimed %d times", name, written[name], claimed[name])
		}
	}
}
