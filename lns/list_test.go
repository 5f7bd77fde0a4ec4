package lns_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"lnsgate/lns"
)

// heads lists what EachSession shows, in the order of names.
func heads(s *lns.Server) []lns.SessionHead {
	var all []lns.SessionHead
	s.EachSession(context.Background(), func(h *lns.SessionHead) { all = append(all, *h) })
	slices.SortFunc(all, func(a, b lns.SessionHead) int { return strings.Compare(a.User, b.User) })
	return all
}

func TestEachSessionIsShownOnce(t *testing.T) {
	runWith(t, fast, nil, func(r *rig) {
		r.wantUp(r.dial(1, "l2tpuser", "Admin@123"), time.Second)
		r.wantUp(r.dial(2, "bob", "secret"), time.Second)
		for _, spec := range r.path.Specs() {
			n := r.path.Session(spec.Key).Counters()
			n.RxOctets, n.TxOctets = 7, 11
			r.path.Session(spec.Key).SetCounters(n)
		}
		all, infos := heads(r.server), r.server.Sessions()
		if len(all) != 2 || len(infos) != 2 {
			t.Fatalf("%d heads, %d sessions", len(all), len(infos))
		}
		for _, i := range infos {
			at := slices.IndexFunc(all, func(h lns.SessionHead) bool { return h.User == i.User })
			h := all[at]
			if h.SessionRef != (lns.SessionRef{Tunnel: i.LocalTunnel, Session: i.LocalID}) || h.Remote != i.Remote || h.HostName != i.HostName ||
				h.Account != i.Account || h.Domain != i.Domain || h.VirtualTemplate != i.VirtualTemplate || h.Address != i.Address ||
				h.Pool != i.Pool || h.Phase != i.Phase || !h.Since.Equal(i.Since) || !h.OpenSince.Equal(i.OpenSince) {
				t.Errorf("head %+v of %+v", h, i)
			}
		}
		r.server.EachSession(context.Background(), func(h *lns.SessionHead) {
			if in, out := h.Counted.Octets(); in != 7 || out != 11 {
				t.Errorf("%d and %d octets", in, out)
			}
		})
	})
}

func TestSessionInfosOfSome(t *testing.T) {
	runWith(t, fast, nil, func(r *rig) {
		bob := r.dial(2, "bob", "secret")
		r.wantUp(r.dial(1, "l2tpuser", "Admin@123"), time.Second)
		r.wantUp(bob, time.Second)
		all := heads(r.server)
		refs := []lns.SessionRef{all[1].SessionRef, {Tunnel: all[1].Tunnel, Session: 999}, all[0].SessionRef, {}}
		if infos := r.server.SessionInfos(context.Background(), refs); len(infos) != 2 || infos[0].User != "l2tpuser" || infos[1].User != "bob" {
			t.Errorf("%+v", infos)
		}
		bob.cancel()
		r.wantEnd(bob, 5*time.Second)
		r.sleep(time.Minute)
		if infos := r.server.SessionInfos(context.Background(), refs); len(infos) != 1 || infos[0].User != "l2tpuser" {
			t.Errorf("%+v", infos)
		}
	})
}
