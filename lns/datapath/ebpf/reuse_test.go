package ebpf

import (
	"net/netip"
	"testing"

	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
)

// An element of a hash in the kernel may become another session's while a program is reading it. Here it has.
func TestAnEntryIsAskedWhoseItIs(t *testing.T) {
	r := newRig(t, nil)
	mine, err := r.path.Add(datapathtest.Spec("vt1"))
	must(t, err)
	spec := datapathtest.Spec("vt1")
	spec.Key, spec.Address = datapath.Key{Tunnel: 3, Session: 9}, netip.MustParseAddr("10.10.1.11")
	spec.Routes = []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16")}
	other, err := r.path.Add(spec)
	must(t, err)
	my, others := mine.(*session), other.(*session)
	if up, down := r.crossed(); !up || !down {
		t.Fatalf("the kernel carries up %v, down %v", up, down)
	}
	must(t, r.path.objects.Sessions.Put(my.id, others.number))
	must(t, r.path.objects.Addresses.Put(pathDestination{Template: my.template, Address: number4(my.spec.Address)}, others.number))
	r.path.tables.short.lead(my.id, my.template, my.spec.Address, others.number)
	if up, down := r.crossed(); up || down {
		t.Errorf("as another session the kernel carries up %v, down %v", up, down)
	}
	if c := mine.Counters(); c.RxPackets != 2 || c.TxPackets != 2 || other.Counters().RxPackets+other.Counters().TxPackets != 0 {
		t.Errorf("%+v and %+v", c, other.Counters())
	}
}

// Entries that are gone are not to be found, and those who change often find user space when all places rest.
func TestASessionThatChangesTooOftenIsCarriedByUserSpace(t *testing.T) {
	r := newRig(t, nil)
	s, err := r.path.Add(datapathtest.Spec("vt1"))
	must(t, err)
	r.path.tables.spare.most = r.path.tables.spare.next + 2
	away := datapathtest.Spec("vt1").Path
	away.Remote = netip.MustParseAddrPort("203.0.113.9:1701")
	s.SetPath(away)
	s.SetPath(datapathtest.Spec("vt1").Path)
	if n := r.path.Carried(); n != 1 {
		t.Fatalf("%d sessions are in the kernel", n)
	}
	s.SetPath(datapathtest.Spec("vt1").Path)
	if up, down := r.crossed(); up || down || r.path.Carried() != 0 {
		t.Errorf("without a place for its entry the kernel carries up %v, down %v", up, down)
	}
	r.path.tables.spare.most++
	s.SetPath(datapathtest.Spec("vt1").Path)
	if up, down := r.crossed(); !up || !down {
		t.Errorf("with a place the kernel carries up %v, down %v", up, down)
	}
}

// Sessions may share their short cuts: the one that came last has them, and when it goes nobody has.
func TestSessionsThatShareAShortCutAreAllCarried(t *testing.T) {
	r := newRig(t, nil)
	spec := datapathtest.Spec("vt1")
	mine, err := r.path.Add(spec)
	must(t, err)
	my := mine.(*session)
	spec.Key, spec.Address = datapath.Key{Tunnel: 3, Session: 9}, netip.MustParseAddr("10.10.1.11")
	other, err := r.path.Add(spec)
	must(t, err)
	others := other.(*session)
	for name, make := range map[string]func(){
		"other": func() { r.path.tables.short.lead(my.id, my.template, my.spec.Address, others.number) },
		"no":    func() { r.path.tables.short.end(my.id, my.template, my.spec.Address, others.number) },
		"own":   func() { r.path.tables.short.lead(my.id, my.template, my.spec.Address, my.number) },
	} {
		make()
		if up, down := r.crossed(); !up || !down {
			t.Errorf("with the short cut of %s session the kernel carries up %v, down %v", name, up, down)
		}
	}
}

// A session that is gone leaves no short cuts behind, and keeps those that are another's by now.
func TestShortCutsGoWithTheirSession(t *testing.T) {
	c := shortCuts{slots: make([]uint64, 2*shortCutsEach)}
	address := netip.MustParseAddr("10.10.1.11")
	c.lead(7, 3, address, 0)
	c.lead(7, 3, address, 5)
	c.end(7, 3, address, 0)
	for _, slot := range slotsOf(7, 3, address) {
		if c.slots[slot] != 6 {
			t.Errorf("short cut %d leads to %d", slot, c.slots[slot])
		}
	}
	c.end(7, 3, address, 5)
	for slot, n := range c.slots {
		if n != 0 {
			t.Errorf("short cut %d still leads to %d", slot, n)
		}
	}
	if n := len(slotsOf(7, 3, netip.Addr{})); n != 1 {
		t.Errorf("a session without IPv4 has %d short cuts", n)
	}
}
