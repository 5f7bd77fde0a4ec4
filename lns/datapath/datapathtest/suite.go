package datapathtest

import (
	"bytes"
	"errors"
	"testing"

	"lnsgate/lns/datapath"
)

// Run checks that a data path keeps the contract. newRig makes a rig that lives as long as the test it is given. The tests run beside
// each other, so they end after Run does, with the test that calls it.
func Run(t *testing.T, newRig func(*testing.T) Rig) {
	run(t, newRig, map[string]func(*testing.T, *bench){
		"up/every form of header":               upForms,
		"up/not user data":                      upNotOurs,
		"up/dropped and counted":                upDrops,
		"up/more is there already":              upKept,
		"up/routes":                             upRoutes,
		"up/old sequence numbers":               upSequence,
		"up/segment size":                       upMSS,
		"down/every form of header":             downForms,
		"down/unknown destinations are dropped": downUnknown,
		"down/routes, the longest wins":         downRoutes,
		"down/too big, must not be fragmented":  downTooBig,
		"down/too big, fragmented":              downFragments,
		"down/segment size":                     downMSS,
		"down/sequence numbers are shared":      downSequence,
		"session/path":                          sessionPath,
		"session/counters and close":            sessionClose,
		"session/duplicates":                    sessionDuplicates,
		"session/bad specs":                     sessionBadSpecs,
	})
	RunFilters(t, newRig)
}

func run(t *testing.T, newRig func(*testing.T) Rig, tests map[string]func(*testing.T, *bench)) {
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // real rigs spend their time waiting for the kernel
			rig := newRig(t)
			test(t, &bench{T: t, Rig: rig, in: rig.DataPath().Ingress()})
		})
	}
}

// bench is a test with its rig and an ingress.
type bench struct {
	*testing.T
	Rig
	in   datapath.Ingress
	port uint16
}

func (b *bench) add(change func(*datapath.Spec)) datapath.Session {
	b.Helper()
	spec := Spec(b.Interface())
	if change != nil {
		change(&spec)
	}
	s, err := b.DataPath().Add(spec)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// refuses checks that a data path that cannot do something says so.
func (b *bench) refuses(change func(*datapath.Spec)) {
	b.Helper()
	spec := Spec(b.Interface())
	change(&spec)
	if _, err := b.DataPath().Add(spec); !errors.Is(err, datapath.ErrNotSupported) {
		b.Errorf("a spec that cannot be carried: %v", err)
	}
}

// packet is a UDP packet in a flow of its own, so that nothing merges it with another.
func (b *bench) packet(from, to string) []byte {
	b.port++
	return Packet{Source: from, Destination: to, Port: 5000 + b.port, Payload: 100, ID: b.port}.Bytes()
}

// receive hands over a datagram with a copy of these octets.
func (b *bench) receive(from datapath.Path, parts ...[]byte) bool {
	defer b.in.Flush()
	return b.in.Receive(from, bytes.Join(parts, nil))
}

// expectUp waits for a packet from the virtual template and compares all of it.
func (b *bench) expectUp(want []byte) {
	b.Helper()
	if got := b.FromPeers(); !bytes.Equal(got, want) {
		b.Fatalf("came out: %x\nwant      %x", got, want)
	}
}

// marker sends a good packet, so that it can be seen that nothing came out before it.
func (b *bench) marker(from datapath.Path) {
	b.Helper()
	good := b.packet(client, server)
	if !b.receive(from, []byte{0, 2, 0, 3, 0, 4, 0xFF, 3, 0, 0x21}, good) {
		b.Fatal("a good packet was refused")
	}
	b.expectUp(good)
}

// expectSent waits for a datagram and compares its header and packet. The kernel fills in identification and checksum of
// packets that it sends, so those are not compared.
func (b *bench) expectSent(to datapath.Path, header, packet []byte) {
	b.Helper()
	path, got := b.Sent()
	if path != to {
		b.Errorf("sent to %v, want %v", path, to)
	}
	if len(got) != len(header)+len(packet) || !bytes.Equal(got[:len(header)], header) {
		b.Fatalf("sent %x\nwant %x %x", got, header, packet)
	}
	if !bytes.Equal(got[len(header)+12:], packet[12:]) {
		b.Fatalf("sent %x\nwant %x", got[len(header):], packet)
	}
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
