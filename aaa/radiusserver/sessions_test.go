package radiusserver

import (
	"net/netip"
	"slices"
	"testing"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/aaa/radius/wire"
)

// Two NASes behind one address count their sessions likewise. Who logged in where is told by the Class of each.
func TestTwoNASesBehindOneAddress(t *testing.T) {
	r := newRig(t, nil)
	r.backend.Set("bob", aaatest.Answer{Password: aaa.NewSecret(password), Grant: aaa.Grant{Account: "bob"}})
	about := map[string][]row{}
	var sessions []string
	for _, name := range []string{"alice", "bob"} {
		class := r.ask(login(t, name, password)).Get(wire.TypeClass)
		m, _ := decodeMark(class)
		sessions = append(sessions, m.session)
		about[name] = []row{str(44, "80000001"), str(1, name), {0, 25, class}}
	}
	for _, status := range []uint32{statusStart, statusInterim, statusInterim, statusStop} {
		for i, name := range []string{"alice", "bob"} {
			got := r.took(accounting(t, status, slices.Concat(about[name], []row{num(46, status)})...))
			if got.Session != sessions[i] || got.Account != name {
				t.Errorf("a %s of %s is one of %s, %q", got.Kind, name, got.Account, got.Session)
			}
		}
	}
}

// RFC 2865 section 5.8: what is no address is none, also in records.
func TestAnAddressThatIsNone(t *testing.T) {
	for told, want := range map[string]netip.Addr{
		"0.0.0.0": {}, "255.255.255.254": {}, "255.255.255.255": {}, "10.0.0.1": netip.MustParseAddr("10.0.0.1"),
	} {
		r := newRig(t, nil)
		if got := r.took(accounting(t, statusStart, str(44, "0001"), str(1, "alice"), addr(8, told))); got.Address != want {
			t.Errorf("%s is taken for %v", told, got.Address)
		}
		p := login(t, "alice", password, num(wire.TypeServiceType, serviceLogin), addr(8, told))
		if reply := r.ask(p); (reply.Code == radius.CodeAccessAccept) != want.IsValid() {
			t.Errorf("who has %s may log in at a portal: %v", told, reply.Code)
		}
	}
}

// However many sources sign for the first time at once, few write the file.
func TestWhoSignsIsWrittenDownForManyAtOnce(t *testing.T) {
	p, err := newPins(t.TempDir() + "/pins")
	if err != nil {
		t.Fatal(err)
	}
	next := netip.MustParseAddr("10.0.0.0")
	for round := range 3 {
		writers := 0
		for range 100 {
			if next = next.Next(); p.add(next) {
				writers++
			}
		}
		if writers != 1 {
			t.Errorf("%d write the file", writers)
		}
		if err := p.save(); err != nil {
			t.Fatal(err)
		}
		if again, err := newPins(p.path); err != nil || again.len() != 100*(round+1) {
			t.Errorf("%v: %d of %d are written down", err, again.len(), 100*(round+1))
		}
	}
}
