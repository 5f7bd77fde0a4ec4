package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// The pool lies inside the headquarters' own segment: hosts there look for the client by ARP and find it, without a route.
func TestPeersInsideTheSegmentAreAnsweredFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.in(w.hq, "ip", "route", "del", "10.10.0.0/16") // no route of any kind leads to a client
	s := w.serve(strings.Replace(usual, "10.10.1.10-10.10.1.250", "10.20.0.200-10.20.0.220", 1))
	before := w.proxies()
	c, up := w.online("l2tpuser", "Admin@123")
	w.ping(w.hq, up.Address.String())
	w.ping(w.client, hqAddress)
	if got := w.proxies(); len(before) != 0 || len(got) != 1 || got[0] != up.Address.String()+" hq" {
		t.Errorf("proxy ARP entries %v before, %v while %s is in", before, got, up.Address)
	}
	w.in(w.hq, "ip", "neigh", "flush", "all")
	c.hangUp()
	s.empty()
	if got := w.proxies(); len(got) != 0 {
		t.Errorf("proxy ARP entries %v are left after the logout", got)
	}
	w.noPing(w.hq, up.Address.String())
	s.stop()
}

// proxies are the addresses that the LNS answers ARP for, each with the interface.
func (w *world) proxies() []string {
	w.t.Helper()
	var entries []struct{ Dst, Dev string }
	must(w.t, json.Unmarshal([]byte(w.in(w.lns, "ip", "-j", "neigh", "show", "proxy")), &entries))
	var list []string
	for _, e := range entries {
		list = append(list, e.Dst+" "+e.Dev)
	}
	return list
}
