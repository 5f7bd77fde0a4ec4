package lns_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"lnsgate/lns"
	"lnsgate/lns/recorder"
	"lnsgate/lns/trace"
)

// bannedHost bans one address until a time.
type bannedHost struct {
	address netip.Addr
	until   time.Time
}

func (b *bannedHost) Banned(a netip.Addr, now time.Time) bool {
	return a == b.address && now.Before(b.until)
}

// A banned source costs a counter: no tunnel, no answer, no record. Its open sessions go on, and others are not concerned.
func TestABannedSourceCostsACounter(t *testing.T) {
	var rec *recorder.Recorder
	banned := &bannedHost{address: netip.MustParseAddr("198.51.100.9")}
	runWith(t, fast, recording(&rec, func(_ *lns.Config, d *lns.Deps) { d.Bans = banned }), func(r *rig) {
		old := r.dial(9, "bob", "secret")
		r.wantUp(old, 3*time.Second)
		banned.until = time.Now().Add(time.Hour)

		l := r.listenAt("198.51.100.9:40000")
		rx := r.server.Receiver()
		for range 10 {
			rx.Datagram(l.from, sccrq(1))
		}
		r.sleep(time.Second)
		r.wantCounters(map[string]uint64{"drop_banned_source": 10})
		if len(l.got) != 0 || len(r.server.Tunnels()) != 1 {
			t.Errorf("%d answers, %d tunnels", len(l.got), len(r.server.Tunnels()))
		}
		found, err := rec.Find(context.Background(), trace.Filter{Failed: true})
		if err != nil || len(found) != 0 {
			t.Errorf("%v %v", found, err)
		}
		other := r.dial(2, "l2tpuser", "Admin@123")
		r.wantUp(other, 3*time.Second)
		if s := r.server.Sessions(); len(s) != 2 {
			t.Errorf("%d sessions", len(s))
		}
		r.sleep(time.Hour)
		rx.Datagram(l.from, sccrq(1))
		r.sleep(time.Second)
		if len(l.got) != 1 {
			t.Errorf("%d answers after the ban", len(l.got))
		}
		old.cancel()
		other.cancel()
		r.sleep(5 * time.Second)
	})
}
