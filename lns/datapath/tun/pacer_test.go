package tun

import (
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
)

// stillPacer is a pacer that only turns when it is told, with sessions 0 to 3.
func stillPacer(t testing.TB) (*pacer, []*session) {
	t.Helper()
	d, p := newIdle(t, deaf{})
	var sessions []*session
	for n := range 4 {
		s, err := d.Add(specOf(n))
		must(t, err)
		sessions = append(sessions, s.(*session))
	}
	return newPacer(d, p), sessions
}

func TestPacerLetsPacketsGoInOrderAndNeverEarly(t *testing.T) {
	p, sessions := stillPacer(t)
	type key struct {
		session *session
		way     datapath.Direction
	}
	told := make(map[key]*int64) // where another path reads how many wait
	for _, s := range sessions {
		for _, way := range []datapath.Direction{datapath.Up, datapath.Down} {
			told[key{s, way}] = new(int64)
			s.rateOf(way).lane.Waiting = told[key{s, way}]
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		now := p.turned*slotTime + rapid.Int64Range(0, 3e9).Draw(t, "start")
		last := make(map[key]int64)
		expected := make(map[key][]int64)
		held := 0
		check := func() {
			var due [letGo]*parcel
			for {
				n, _ := p.takeDue(due[:], now/slotTime)
				for _, one := range due[:n] {
					k := key{one.session, one.way}
					want := expected[k][0]
					if got := int64(binary.BigEndian.Uint64(one.buffer[headroom:])); got != want || got > now {
						t.Fatalf("due %d instead of %d comes at %d", got, want, now)
					}
					expected[k] = expected[k][1:]
					held--
				}
				p.giveBack(due[:n])
				if n == 0 {
					return
				}
			}
		}
		for range rapid.IntRange(1, 200).Draw(t, "packets") {
			now += rapid.Int64Range(0, 5e6).Draw(t, "later")
			if rapid.Bool().Draw(t, "turn") {
				check()
			}
			k := key{sessions[rapid.IntRange(0, 3).Draw(t, "session")], datapath.Direction(rapid.IntRange(1, 2).Draw(t, "way"))}
			due := max(last[k], now+rapid.Int64Range(0, longestWait).Draw(t, "wait"))
			last[k] = due
			packet := binary.BigEndian.AppendUint64(nil, uint64(due))
			if p.hold(k.session, k.way, packet, now, due) {
				expected[k] = append(expected[k], due)
				held++
				if *told[k] != int64(len(expected[k])) {
					t.Fatalf("another path is told that %d packets wait, there are %d", *told[k], len(expected[k]))
				}
			} else if due-p.turned*slotTime < longestWait {
				t.Fatalf("a packet that is due in %d is refused", due-now)
			}
		}
		now += 2 * longestWait
		check()
		if held != 0 || p.held != 0 || p.idle > sparedParcels {
			t.Fatalf("%d packets are left, %d held, %d parcels idle", held, p.held, p.idle)
		}
	})
	for _, s := range sessions {
		if s.up.waiting.Load() != 0 || s.down.waiting.Load() != 0 {
			t.Error("somebody still waits")
		}
	}
	for k, n := range told {
		if *n != 0 {
			t.Errorf("another path is told that %d packets %s still wait", *n, k.way)
		}
	}
}

func TestPacerIsBounded(t *testing.T) {
	p, sessions := stillPacer(t)
	if p.hold(sessions[0], datapath.Up, nil, 0, wheelSlots*slotTime) {
		t.Error("a packet beyond the wheel is held")
	}
	large := make([]byte, 60<<10)
	for p.hold(sessions[0], datapath.Up, large, 0, 0) {
	}
	if p.octets > mostOctets || p.octets < mostOctets-64<<10 {
		t.Errorf("%d octets are held", p.octets)
	}
	if p.hold(sessions[1], datapath.Up, nil, 0, 0) != (p.octets+parcelSize <= mostOctets) {
		t.Error("a small packet has another bound")
	}
	letGoAll(p)
	n := 0
	for ; p.hold(sessions[0], datapath.Up, nil, 0, 0); n++ {
	}
	if n != mostWaiting || !p.hold(sessions[0], datapath.Down, nil, 0, 0) || !p.hold(sessions[1], datapath.Up, nil, 0, 0) {
		t.Errorf("one session fills the wheel: %d", n)
	}
	letGoAll(p)
	if p.octets != 0 || p.held != 0 || p.idle > sparedParcels {
		t.Errorf("%d octets, %d held, %d idle are left", p.octets, p.held, p.idle)
	}
}

// letGoAll empties the wheel without carrying anything.
func letGoAll(p *pacer) {
	var due [letGo]*parcel
	for n := 1; n > 0; {
		n, _ = p.takeDue(due[:], p.turned+wheelSlots)
		p.giveBack(due[:n])
	}
}

func TestPacerAllocatesNothing(t *testing.T) {
	p, sessions := stillPacer(t)
	packet := datapathtest.Packet{Source: "10.10.0.0", Destination: "192.0.2.80", Payload: 1300}.Bytes()
	var due [letGo]*parcel
	now := p.path.now()
	if n := testing.AllocsPerRun(1000, func() {
		p.hold(sessions[0], datapath.Up, packet, now, now)
		p.hold(sessions[0], datapath.Down, packet, now, now)
		now += 2 * slotTime
		n, _ := p.takeDue(due[:], now/slotTime)
		p.carry(due[:n], now)
		p.giveBack(due[:n])
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if c := sessions[0].Counters(); c.RxPackets == 0 || c.RxPackets != c.TxPackets || c.Drops != 0 {
		t.Errorf("%+v", c)
	}
}

// More comes in one moment than a session may send at once, and less than may wait: all of it arrives, in order.
func TestWhatIsOverTheRateWaitsInOrder(t *testing.T) {
	r := newMemoryRig(t)
	spec := specOf(1)
	spec.RateUp, spec.RateDown, spec.Sequencing = 2_000_000, 2_000_000, true
	s, err := r.path.Add(spec)
	must(t, err)
	in := r.path.Ingress()
	const packets = 30 // 30 KB: a third of it within the credit
	packet := func(id uint16, from, to string) []byte {
		return datapathtest.Packet{Source: from, Destination: to, Payload: 972, ID: id}.Bytes()
	}
	client := spec.Address.String()
	for i := range uint16(packets) {
		in.Receive(spec.Path, append([]byte{0, 2, 0, byte(spec.Key.Tunnel), byte(spec.Key.Session >> 8), byte(spec.Key.Session), 0x21},
			packet(i, client, "192.0.2.80")...))
		r.ToPeers(packet(i, "192.0.2.80", client))
	}
	in.Flush()
	start := r.path.now()
	for i := range uint16(packets) {
		if got := binary.BigEndian.Uint16(r.FromPeers()[atIdentification:]); got != i {
			t.Errorf("up: %d comes instead of %d", got, i)
		}
		_, datagram := r.Sent()
		if got := binary.BigEndian.Uint16(datagram[len(datagram)-1000+atIdentification:]); got != i {
			t.Errorf("down: %d comes instead of %d", got, i)
		}
		if ns := binary.BigEndian.Uint16(datagram[8:]); ns != i {
			t.Errorf("down: numbered %d instead of %d", ns, i)
		}
	}
	if took := r.path.now() - start; took < costOf(packets*1000-2000, spec.RateUp)-creditTime-costOf(creditOctets, spec.RateUp) {
		t.Errorf("it took only %d ns", took)
	}
	if c := s.Counters(); c.RxPackets != packets || c.RxOctets != packets*1000 || c.Drops != 0 {
		t.Errorf("%+v", c)
	}
}

// What a reader or a queue has not written yet goes before what it has wait.
func TestWhoWaitsDoesNotOvertakeWhatIsLinedUp(t *testing.T) {
	r := newMemoryRig(t)
	spec := specOf(1)
	spec.RateUp, spec.RateDown = 200_000, 200_000
	_, err := r.path.Add(spec)
	must(t, err)
	client := spec.Address.String()
	in, down := r.path.Ingress(), newEgress(r.path, r.path.ports["vt1"], 0)
	down.now = r.path.now()
	const packets = 20 // more than the credit; the last ones wait, and nobody calls Flush or finish
	for i := range uint16(packets) {
		up := datapathtest.Packet{Source: client, Destination: "192.0.2.80", Payload: 972, ID: i}.Bytes()
		in.Receive(spec.Path, append([]byte{0, 2, 0, byte(spec.Key.Tunnel), byte(spec.Key.Session >> 8), byte(spec.Key.Session), 0x21}, up...))
		packet := datapathtest.Packet{Source: "192.0.2.80", Destination: client, Payload: 972, ID: i}.Bytes()
		at := headroom + int(i)*(headroom+len(packet))
		down.packet(at, copy(down.slab[at:], packet))
	}
	for i := range uint16(packets) {
		if got := binary.BigEndian.Uint16(r.FromPeers()[atIdentification:]); got != i {
			t.Errorf("up: %d comes instead of %d", got, i)
		}
		_, datagram := r.Sent()
		if got := binary.BigEndian.Uint16(datagram[len(datagram)-1000+atIdentification:]); got != i {
			t.Errorf("down: %d comes instead of %d", got, i)
		}
	}
}

func TestWhatWouldWaitTooLongIsDropped(t *testing.T) {
	d, _ := newIdle(t, deaf{})
	spec := specOf(1)
	spec.RateUp = 1_000_000
	s, err := d.Add(spec)
	must(t, err)
	in, began := d.Ingress(), d.now()
	for range 200 {
		in.Receive(spec.Path, up(1, 972, false))
	}
	in.Flush()
	over := d.Drops()[datapath.OverRateUp.String()] // what waits when the session is closed is dropped later, and not counted as its own
	c := s.Close()
	gone := uint64((d.now() - began) / costOf(1000, spec.RateUp)) // while the machine did something else
	if c.Drops != over || over+gone < 200-(creditOctets+patienceOctets)/1000-2 || over > 200-patienceOctets/1000 {
		t.Errorf("%d of 200 were dropped, %d went meanwhile, %+v", over, gone, c)
	}
}

// A device that takes nothing any more does not keep the data path from closing.
func TestCloseWaitsForNoPacket(t *testing.T) {
	device := newMemory(1)
	device.out = make(chan []byte) // nobody reads it
	d, err := New()
	must(t, err)
	p := d.attach(Config{Interface: "vt1", Sender: deaf{}, Log: testLog(t)}, device)
	added, err := d.Add(specOf(1))
	must(t, err)
	packet := up(1, 100, false)[10:]
	now := d.now()
	for p.pacer.hold(added.(*session), datapath.Up, packet, now, now) && len(p.pacer.wake) > 0 { // until it is at work
	}
	must(t, d.Close())
}

// Whatever becomes of the packets of many sessions, while their rates and filters change, each is counted once.
func TestEveryPacketIsCountedOnce(t *testing.T) {
	d, p := newIdle(t, deaf{})
	const sessions, rounds = 64, 60
	var all []*session
	for n := range sessions {
		s, err := d.Add(specOf(n))
		must(t, err)
		all = append(all, s.(*session))
	}
	deny, err := datapath.NewFilter("nothing", datapath.Deny, nil)
	must(t, err)
	var group sync.WaitGroup
	for range 2 {
		in, e := d.Ingress(), newEgress(d, p, 0)
		group.Go(func() {
			for range rounds {
				for n, s := range all {
					in.Receive(*s.to.Load(), up(n, 500, false))
				}
				in.Flush()
			}
		})
		group.Go(func() {
			for range rounds {
				e.now = d.now()
				at := headroom
				for _, s := range all {
					packet := datapathtest.Packet{Source: "192.0.2.80", Destination: s.address.String(), Payload: 500}.Bytes()
					e.packet(at, copy(e.slab[at:], packet))
					at += headroom + len(packet)
				}
				e.finish()
			}
		})
	}
	group.Go(func() {
		for i := range uint64(rounds) {
			for n, s := range all {
				s.SetRates([]uint64{0, 200_000, 5_000_000}[(i+uint64(n))%3], []uint64{1_000_000, 0}[(i+uint64(n))%2])
				s.SetFilter([]*datapath.Filter{nil, nil, deny}[(i+uint64(n))%3])
			}
		}
	})
	group.Wait()
	for start := d.now(); ; <-time.After(time.Millisecond) {
		waiting := int32(0)
		for _, s := range all {
			waiting += s.up.waiting.Load() + s.down.waiting.Load()
		}
		if waiting == 0 {
			break
		}
		if d.now()-start > int64(patienceInTests) {
			t.Fatalf("%d packets wait for ever", waiting)
		}
	}
	for _, s := range all {
		up, down := s.rx.packets.Load()+s.rx.drops.Load(), s.tx.packets.Load()+s.tx.drops.Load()
		if up != 2*rounds || down != 2*rounds {
			t.Fatalf("%d of %d counted up, %d down", up, 2*rounds, down)
		}
	}
}

// What waits when its session is closed is not carried any more.
func TestNobodyWaitsForAClosedSession(t *testing.T) {
	p, sessions := stillPacer(t)
	packet := up(0, 100, false)[10:]
	p.hold(sessions[0], datapath.Up, packet, 0, 0)
	p.hold(sessions[0], datapath.Down, packet, 0, 0)
	last := sessions[0].Close()
	var due [letGo]*parcel
	n, left := p.takeDue(due[:], 10)
	p.carry(due[:n], 10*slotTime)
	p.giveBack(due[:n])
	drops := p.path.Drops()
	if n != 2 || left || sessions[0].Counters() != last || drops["rate_up"] != 1 || drops["rate_down"] != 1 {
		t.Errorf("%d let go, %v, %+v", n, drops, sessions[0].Counters())
	}
}
