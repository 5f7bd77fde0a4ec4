package admin

import (
	"context"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Strangers may ask as often as they like: the checks are made once, and one at a time.
func TestStrangersShareOneCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var made, abreast, most atomic.Int32
		s := New(Config{Engine: twoTunnels(), Health: func(context.Context) []Check {
			made.Add(1)
			most.Store(max(most.Load(), abreast.Add(1)))
			defer abreast.Add(-1)
			time.Sleep(healthFresh / 2)
			return []Check{{Name: "sockets", Needed: true}}
		}})
		var strangers sync.WaitGroup
		askAll := func() {
			for range 50 {
				strangers.Go(func() {
					w := httptest.NewRecorder()
					s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), get, "/readyz", nil))
					if w.Code != 503 {
						t.Errorf("got %d", w.Code)
					}
				})
			}
			strangers.Wait()
		}
		askAll()
		if made.Load() != 1 {
			t.Errorf("50 strangers at once: the checks were made %d times", made.Load())
		}
		time.Sleep(healthFresh)
		askAll()
		if made.Load() != 2 || most.Load() != 1 {
			t.Errorf("a second later: %d times, %d at once", made.Load(), most.Load())
		}
	})
}

// Who goes away does not spoil the answer of the others.
func TestACheckOutlivesWhoAskedForIt(t *testing.T) {
	s := New(Config{Engine: twoTunnels(), Health: func(ctx context.Context) []Check {
		return []Check{{Name: "database", Needed: true, Well: ctx.Err() == nil}}
	}})
	gone, leave := context.WithCancel(t.Context())
	leave()
	s.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(gone, get, "/readyz", nil))
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), get, "/readyz", nil))
	if w.Code != 200 {
		t.Errorf("got %d", w.Code)
	}
}
