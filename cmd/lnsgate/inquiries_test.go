package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lnsgate/aaa/foreign"
)

// inquirer writes down what it is asked. What is about a domain takes an hour.
type inquirer struct {
	mu    sync.Mutex
	asked []foreign.Query
	fault error
}

func (i *inquirer) ask(ctx context.Context, q foreign.Query) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked = append(i.asked, q)
	if q.Domain != "" {
		i.mu.Unlock()
		select {
		case <-time.After(time.Hour): // virtual
		case <-ctx.Done():
		}
		i.mu.Lock()
	}
	return i.fault
}

func (i *inquirer) take(fault error) []foreign.Query {
	i.mu.Lock()
	defer i.mu.Unlock()
	asked := i.asked
	i.asked, i.fault = nil, fault
	return asked
}

func TestInquiries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := &inquirer{}
		i := newInquiries(asked.ask, slog.New(slog.DiscardHandler))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- i.run(ctx) }()
		ann, bob, sales := foreign.Query{Account: "ann"}, foreign.Query{Account: "bob"}, foreign.Query{Domain: "sales"}

		i.put(sales)
		synctest.Wait()
		i.put(ann, ann)
		synctest.Wait()
		if got := asked.take(errors.New("the database is away")); !slices.Equal(got, []foreign.Query{sales, ann}) {
			t.Errorf("asked are %+v", got)
		}
		i.put(bob)
		synctest.Wait()
		asked.take(nil)
		time.Sleep(retryChanges)
		synctest.Wait()
		if got := asked.take(nil); !slices.Equal(got, []foreign.Query{bob}) {
			t.Errorf("asked again are %+v", got)
		}
		i.put(sales, foreign.Query{}, foreign.Query{Domain: "other"})
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if got := asked.take(nil); !slices.Equal(got, []foreign.Query{{}}) {
			t.Errorf("who asks about all asks about each: %+v", got)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
