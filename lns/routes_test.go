package lns

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"lnsgate/aaa"
)

func networksOf(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func TestClaimsDoNotOverlap(t *testing.T) {
	var c claims
	claim := func(want bool, uid string, networks ...string) {
		t.Helper()
		if other, ok := c.claim(uid, networksOf(networks...)); ok != want {
			t.Errorf("%s claims %v: %v, %+v", uid, networks, ok, other)
		}
	}
	claim(true, "a", "10.1.0.0/16", "192.168.1.0/24")
	claim(false, "b", "10.1.2.0/24")
	claim(false, "b", "10.0.0.0/8")
	claim(false, "b", "172.16.0.0/16", "192.168.1.0/24")
	claim(true, "b", "172.16.0.0/16") // what was refused was refused whole
	claim(true, "a", "10.1.2.0/24")   // a second login takes the place of the first
	claim(true, "c", "10.1.3.0/24", "192.168.1.0/24")
	c.release("a")
	c.release("nobody")
	claim(true, "d", "10.1.2.0/24")
	claim(true, "e")
	for _, uid := range []string{"b", "c", "d", "e"} {
		c.release(uid)
	}
	if len(c.held) != 0 || len(c.few) != 0 {
		t.Errorf("left: %+v %v", c.held, c.few)
	}
}

// The claims against a list that is looked through from end to end.
func TestClaimsAgreeWithAListOfThem(t *testing.T) {
	chance := rand.New(rand.NewPCG(3, 4))
	var c claims
	naive := map[string][]netip.Prefix{}
	for step := range 20000 {
		uid := fmt.Sprint(chance.IntN(40))
		if chance.IntN(3) == 0 {
			c.release(uid)
			delete(naive, uid)
			continue
		}
		var routes []aaa.Route
		for range chance.IntN(3) {
			a := netip.AddrFrom4([4]byte{10, byte(chance.IntN(4)), byte(chance.IntN(256)), byte(chance.IntN(256))})
			routes = append(routes, aaa.Route{Prefix: netip.PrefixFrom(a, 12+chance.IntN(21))})
		}
		kept, err := widest(routes)
		if err != nil {
			t.Fatal(err)
		}
		networks := prefixes(kept)
		free := true
		for holder, held := range naive {
			for _, n := range networks {
				free = free && (holder == uid || !slices.ContainsFunc(held, n.Overlaps))
			}
		}
		if _, taken := c.taken(uid, networks); taken == free {
			t.Fatalf("step %d: %v taken %v", step, networks, taken)
		}
		if _, ok := c.claim(uid, networks); ok != free {
			t.Fatalf("step %d: %v claimed %v", step, networks, ok)
		}
		if free {
			naive[uid] = networks
		}
	}
}

func TestRoutesThatCannotBe(t *testing.T) {
	config := &Config{
		Templates: []Template{{Name: "vt1", Address: netip.MustParseAddr("10.10.0.1"), Address6: netip.MustParseAddr("2001:db8::1")}},
		Reserved:  []Reserved{{Network: netip.MustParsePrefix("10.10.1.0/24"), What: `pool "pool1"`}, {Network: netip.MustParsePrefix("172.16.0.0/12"), What: "headquarters"}},
	}
	for text, want := range map[string]bool{
		"192.168.1.0/24": true, "10.10.2.0/24": true, "10.10.1.128/25": false, "10.0.0.0/8": false, "10.10.0.1/32": false,
		"172.16.1.1/32": false, "0.0.0.0/0": false, "2001:db8:7::/48": true, "2001:db8::/48": false,
	} {
		err := config.reserved([]aaa.Route{{Prefix: netip.MustParsePrefix(text)}})
		if (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, bad := range []netip.Prefix{{}, netip.MustParsePrefix("::ffff:10.0.0.0/104"), netip.MustParsePrefix("::/0")} {
		if _, err := widest([]aaa.Route{{Prefix: bad}}); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
	kept, err := widest([]aaa.Route{{Prefix: netip.MustParsePrefix("10.1.1.7/24")}, {Prefix: netip.MustParsePrefix("10.1.0.0/16")}, {Prefix: netip.MustParsePrefix("10.1.9.0/24")}})
	if err != nil || len(kept) != 1 || kept[0].Prefix.String() != "10.1.0.0/16" {
		t.Errorf("%v %v", kept, err)
	}
}
