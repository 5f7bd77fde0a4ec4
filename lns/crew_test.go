package lns

import (
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestCrewRunsEverythingWithinItsLimit(t *testing.T) {
	for _, limit := range []int{0, 1, 3} {
		synctest.Test(t, func(t *testing.T) {
			c := crew{limit: limit}
			var count, now, most atomic.Int32
			gate := make(chan struct{})
			for range 10 * mostIdle {
				c.run(func() {
					most.Store(max(most.Load(), now.Add(1)))
					<-gate
					now.Add(-1)
					count.Add(1)
				})
			}
			synctest.Wait()
			want := limit
			if limit == 0 {
				want = 10 * mostIdle
			}
			if int(now.Load()) != want {
				t.Errorf("limit %d: %d functions run at once instead of %d", limit, now.Load(), want)
			}
			close(gate)
			synctest.Wait()
			if count.Load() != 10*mostIdle || int(most.Load()) > want {
				t.Errorf("limit %d: %d functions have run, %d at once", limit, count.Load(), most.Load())
			}
			if len(c.idle) != min(want, mostIdle) || c.working != 0 || c.queue.len()+c.urgent.len() != 0 {
				t.Errorf("limit %d: %d goroutines stay, %d are said to work, %d functions wait", limit, len(c.idle), c.working, c.queue.len())
			}
			c.close()
			c.run(func() { count.Store(0) })
			synctest.Wait()
			if count.Load() != 0 || len(c.idle) != 0 {
				t.Errorf("after the end: %d functions, %d goroutines stay", count.Load(), len(c.idle))
			}
		})
	}
}

func TestCrewGivesWorkToWhoIsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c crew
		defer c.close()
		for range 100 {
			c.run(func() {})
			synctest.Wait()
		}
		if len(c.idle) != 1 {
			t.Errorf("%d goroutines stay after functions that ran one by one", len(c.idle))
		}
	})
}

// What ten thousand sessions owe at once takes few goroutines, and all of it is done.
func TestWhatIsOwedTakesFewGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w work
		w.limit(1, 1)
		defer w.dues.close()
		gate := make(chan struct{})
		var done atomic.Int32
		before := runtime.NumGoroutine()
		for range 10_000 {
			w.must(func() {
				<-gate
				done.Add(1)
			})
		}
		synctest.Wait()
		if n := runtime.NumGoroutine() - before; n != mostDues {
			t.Errorf("%d goroutines instead of %d", n, mostDues)
		}
		close(gate)
		if !w.wait(time.Minute) || done.Load() != 10_000 {
			t.Errorf("%d are done", done.Load())
		}
	})
}

// Those who are urgent go before all who wait, and each of the others has its turn all the same.
func TestCrewHasTheUrgentGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := crew{limit: 1}
		defer c.close()
		gate := make(chan struct{})
		c.run(func() { <-gate })
		var order []byte
		for range 40 {
			c.run(func() { order = append(order, 'n') })
		}
		for range 40 {
			c.runAs(func() { order = append(order, 'U') }, true)
		}
		synctest.Wait()
		close(gate)
		synctest.Wait()
		want := strings.Repeat(strings.Repeat("U", patienceOfTheRest)+"n", 5) + strings.Repeat("n", 35)
		if string(order) != want {
			t.Errorf("%s\nwant %s", order, want)
		}
	})
}
