package lns_test

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns"
	"lnsgate/lns/lac"
	"lnsgate/pool"
)

// tardyPools take their time, whatever the asker says.
type tardyPools struct {
	pool.Allocator
	mu                sync.Mutex
	allocate, release time.Duration // the next ones
	said              []string
}

func (p *tardyPools) delay(allocate, release time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.allocate, p.release = allocate, release
}

func (p *tardyPools) pause(of *time.Duration, what string) {
	p.mu.Lock()
	d := *of
	*of = 0
	p.mu.Unlock()
	<-time.After(d)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = append(p.said, what)
}

func (p *tardyPools) Allocate(_ context.Context, r pool.Request) (pool.Lease, error) {
	l, err := p.Allocator.Allocate(context.Background(), r)
	p.pause(&p.allocate, "given")
	return l, err
}

func (p *tardyPools) Release(ctx context.Context, l pool.Lease) error {
	p.pause(&p.release, "taken back")
	return p.Allocator.Release(ctx, l)
}

// onTardyPools runs a test with one session whose peer begins again when it is told to.
func onTardyPools(t *testing.T, test func(r *rig, slow *tardyPools, again func())) {
	slow := &tardyPools{}
	runWith(t, fast, func(_ *lns.Config, d *lns.Deps) {
		slow.Allocator = d.Pools
		d.Pools = slow
	}, func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123", func(c *lac.ClientConfig) { c.Login.EchoInterval = 0 })
		r.wantUp(c, time.Second)
		spec := r.path.Specs()[0]
		test(r, slow, func() {
			// An LCP Configure-Request starts everything anew (RFC 1661 section 3.4).
			r.server.Receiver().Datagram(spec.Path, dataMessage(spec, []byte{0xff, 3, 0xc0, 0x21, 1, 99, 0, 10, 5, 6, 1, 2, 3, 4}))
		})
		infos := r.server.Sessions()
		leases, err := r.pools.Leases(context.Background())
		if err != nil || len(infos) != 1 || infos[0].Phase != "open" || len(leases) != 1 || leases[0].Address != infos[0].Address {
			t.Errorf("%v: sessions %+v, leases %v", err, infos, leases)
		}
		c.cancel()
		r.wantEnd(c, 10*time.Second)
	})
}

// What a session gives back is back before it asks: the pools would give it the same again, and take it away then.
func TestALeaseIsBackBeforeTheNextIsAsked(t *testing.T) {
	onTardyPools(t, func(r *rig, slow *tardyPools, again func()) {
		r.gateway.set(renamed{newGateway(t, account("l2tpuser", "Admin@123"))}) // whose lease this is not
		slow.delay(0, 5*time.Second)
		again()
		r.sleep(30 * time.Second)
		if want := []string{"given", "taken back", "given"}; !slices.Equal(slow.said, want) {
			t.Errorf("the pools were asked %v", slow.said)
		}
	})
}

// The answer to a question from before a renegotiation may come when the next has been answered with the same address.
func TestALateLeaseIsNotTakenFromUnderTheSession(t *testing.T) {
	onTardyPools(t, func(r *rig, slow *tardyPools, again func()) {
		for _, name := range []string{"once", "twice"} {
			gateway := newGateway(t, account("l2tpuser", "Admin@123"))
			r.gateway.set(named{gateway, name})
			slow.delay(20*time.Second, 0)
			again()
			r.sleep(8 * time.Second) // the first question is being answered
			r.gateway.set(named{gateway, name})
			again()
			r.sleep(time.Minute)
		}
	})
}

// named knows every account by one name, and with an address of its own.
type named struct {
	aaa.Authenticator
	name string
}

func (g named) Authenticate(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	d, err := g.Authenticator.Authenticate(ctx, r)
	d.Account, d.Address = g.name, netip.MustParseAddr("10.10.1.77")
	return d, err
}
