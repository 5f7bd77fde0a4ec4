package lns

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"lnsgate/pool"
)

// idleFresh is how long it counts who is idle the longest: a full pool refuses many, and each look is one at all sessions.
const idleFresh = 10 * time.Second

// idlest knows who of each pool has been silent the longest. The zero value has not looked yet. It is safe for concurrent use.
type idlest struct {
	looking sync.Mutex // held by the one who looks
	at      time.Time
	ofPool  map[string]pool.Idle
}

// blame adds to the answer of a full pool who of this node holds an address there and does not use it.
func (s *Server) blame(ctx context.Context, err error) error {
	var full *pool.ExhaustedError
	if !errors.As(err, &full) {
		return err
	}
	told := *full // the allocator may have handed it to others too
	for _, u := range full.Pools {
		if idle := s.idlest.of(u.Pool, func() map[string]pool.Idle { return s.lookForIdle(ctx) }); idle.For > told.Idle.For {
			told.Idle = idle
		}
	}
	return &told
}

// of waits for nobody: while another one looks, nothing is known.
func (i *idlest) of(name string, look func() map[string]pool.Idle) pool.Idle {
	if !i.looking.TryLock() {
		return pool.Idle{}
	}
	defer i.looking.Unlock()
	if now := time.Now(); i.at.IsZero() || now.Sub(i.at) >= idleFresh {
		i.ofPool, i.at = look(), now
	}
	return i.ofPool[name]
}

// lookForIdle looks at all sessions.
func (s *Server) lookForIdle(ctx context.Context) map[string]pool.Idle {
	var mu sync.Mutex // guards ofPool
	ofPool := make(map[string]pool.Idle)
	s.glimpseAll(ctx, func(t *tunnel, now time.Time) {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range t.calls {
			lease := c.core.Lease()
			if !lease.Address.IsValid() || c.openSince.IsZero() {
				continue
			}
			last := c.openSince
			for _, at := range [...]time.Time{c.activity().LastRx, c.activity().LastTx} {
				if at.After(last) {
					last = at
				}
			}
			if idle := now.Sub(last); idle > ofPool[lease.Pool].For {
				ofPool[lease.Pool] = pool.Idle{Holder: fmt.Sprintf("%s (session %s)", c.core.Name(), c.name()), For: idle}
			}
		}
	})
	return ofPool
}
