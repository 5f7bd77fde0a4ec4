package datapathtest

import (
	"encoding/binary"
	"runtime"
	"testing"
	"time"

	"lnsgate/lns/datapath"
)

// RunRates checks that a data path keeps to the bounds of a session. Not every fake does, so [Run] leaves it out.
func RunRates(t *testing.T, newRig func(*testing.T) Rig) {
	run(t, newRig, map[string]func(*testing.T, *bench){
		"rate/a burst":            rateBurst,
		"rate/below the bound":    rateBelow,
		"rate/each way by itself": rateOneWay,
		"rate/changed":            rateChange,
		"rate/lifted":             rateLifted,
	})
}

// Hurried is a rig whose ToPeers usually waits until something has become of a packet.
type Hurried interface {
	// Hurry ends that.
	Hurry()
}

const (
	// slow is a rate at which a packet of so many octets takes 8 ms.
	slow       = 1_000_000
	slowOctets = 1000
	patience   = 10 * time.Second
	// A burst is more than may pass at once and wait together.
	burst = 150
	// atOnce is what passes of a burst at least, and waiting what may pass of it beyond the rate: a path may let packets pass
	// and wait for a moment.
	atOnce, beyond = 8, 64
)

// offer sends packets of one flow one way as fast as they go, numbered from a first one.
func (b *bench) offer(way datapath.Direction, first, n int) {
	b.Helper()
	for i := range n {
		p := Packet{Source: client, Destination: server, Port: 7, Payload: slowOctets - 28, ID: uint16(first + i)}
		if way == datapath.Down {
			p.Source, p.Destination = server, client
			b.ToPeers(p.Bytes())
			continue
		}
		if !b.receive(peer, []byte{0, 2, 0, 3, 0, 4, 0x21}, p.Bytes()) {
			b.Fatal("a packet was left to the engine")
		}
	}
}

// outcome waits until it is known what has become of all packets offered one way.
func (b *bench) outcome(s datapath.Session, way datapath.Direction, offered int) (passed, dropped uint64) {
	b.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); runtime.Gosched() {
		c := s.Counters()
		passed, dropped = c.RxPackets, b.DataPath().Drops()[datapath.OverRateUp.String()]
		if way == datapath.Down {
			passed, dropped = c.TxPackets, b.DataPath().Drops()[datapath.OverRateDown.String()]
		}
		if passed+dropped == uint64(offered) {
			return passed, dropped
		}
	}
	b.Fatalf("%s: of %d packets %d have passed and %d were dropped", way, offered, passed, dropped)
	return 0, 0
}

// came reads so many packets that have passed, and sees that none has overtaken another.
func (b *bench) came(way datapath.Direction, n uint64) {
	b.Helper()
	last := uint16(0)
	for range n {
		var packet []byte
		if way == datapath.Up {
			packet = b.FromPeers()
		} else {
			_, datagram := b.Sent()
			packet = datagram[len(datagram)-slowOctets:]
		}
		if id := binary.BigEndian.Uint16(packet[4:]); id <= last {
			b.Fatalf("%s: packet %d has come behind packet %d", way, id, last)
		} else {
			last = id
		}
	}
}

func rateBurst(t *testing.T, b *bench) {
	if h, ok := b.Rig.(Hurried); ok {
		h.Hurry()
	}
	for _, way := range []datapath.Direction{datapath.Up, datapath.Down} {
		s := b.add(func(spec *datapath.Spec) { spec.RateUp, spec.RateDown = slow, slow })
		start := time.Now()
		b.offer(way, 1, burst)
		passed, dropped := b.outcome(s, way, burst)
		most := uint64(time.Since(start).Seconds()*slow/8/slowOctets) + beyond
		if passed < atOnce || passed > most {
			t.Errorf("%s: of a burst of %d packets %d have passed, at most %d should", way, burst, passed, most)
		}
		b.came(way, passed)
		if c := s.Close(); c.Drops != dropped || c.RxOctets+c.TxOctets != passed*slowOctets {
			t.Errorf("%s: %d dropped, %d passed, and the session says %+v", way, dropped, passed, c)
		}
	}
}

func rateBelow(t *testing.T, b *bench) {
	s := b.add(func(spec *datapath.Spec) { spec.RateUp, spec.RateDown = 1e9, 1e9 })
	for range 50 {
		b.carry(datapath.Up, segment{protocol: datapath.UDP, octets: 1000})
		b.carry(datapath.Down, segment{protocol: datapath.UDP, octets: 1000})
	}
	if c := s.Counters(); c.Drops != 0 || c.RxPackets != 50 || c.TxPackets != 50 {
		t.Errorf("%+v", c)
	}
}

func rateOneWay(t *testing.T, b *bench) {
	s := b.add(func(spec *datapath.Spec) { spec.RateUp = 1 })
	b.carry(datapath.Up, segment{protocol: datapath.UDP})
	if !b.receive(peer, []byte{0, 2, 0, 3, 0, 4, 0x21}, b.packet(client, server)) {
		t.Error("a packet over the rate was left to the engine")
	}
	for range 20 {
		b.carry(datapath.Down, segment{protocol: datapath.UDP, octets: 1000})
	}
	if c := s.Counters(); c.RxPackets != 1 || c.TxPackets != 20 || c.Drops != 1 {
		t.Errorf("%+v", c)
	}
}

func rateChange(t *testing.T, b *bench) {
	s := b.add(func(spec *datapath.Spec) { spec.RateUp, spec.RateDown = 1, 1 })
	b.carry(datapath.Up, segment{protocol: datapath.UDP})
	b.carry(datapath.Down, segment{protocol: datapath.UDP})
	s.SetRates(0, 0)
	for range 20 {
		b.carry(datapath.Up, segment{protocol: datapath.UDP, octets: 1000})
		b.carry(datapath.Down, segment{protocol: datapath.UDP, octets: 1000})
	}
	s.SetRates(1, 1)
	for range 2 { // the first one may pass: what was paid for is forgotten
		b.receive(peer, []byte{0, 2, 0, 3, 0, 4, 0x21}, b.packet(client, server))
		b.ToPeers(b.packet(server, client))
	}
	for _, way := range []datapath.Direction{datapath.Up, datapath.Down} {
		if passed, dropped := b.outcome(s, way, 23); passed != 22 || dropped != 1 {
			t.Errorf("%s: %d have passed, %d were dropped", way, passed, dropped)
		}
	}
}

// What waits when the bound is lifted is not overtaken by what comes later.
func rateLifted(t *testing.T, b *bench) {
	if h, ok := b.Rig.(Hurried); ok {
		h.Hurry()
	}
	const before, after = 30, 20
	for _, way := range []datapath.Direction{datapath.Up, datapath.Down} {
		s := b.add(func(spec *datapath.Spec) { spec.RateUp, spec.RateDown = slow, slow })
		b.offer(way, 1, before)
		s.SetRates(0, 0)
		b.offer(way, before+1, after)
		passed, dropped := b.outcome(s, way, before+after)
		if dropped != 0 {
			t.Errorf("%s: %d were dropped", way, dropped)
		}
		b.came(way, passed)
		s.Close()
	}
}
