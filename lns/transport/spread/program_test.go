package spread

import (
	"testing"

	"golang.org/x/net/bpf"
	"pgregory.net/rapid"

	"lnsgate/lns/l2tp"
	"lnsgate/lns/ppp"
)

func machine(t testing.TB, sockets int) *bpf.VM {
	t.Helper()
	vm, err := bpf.NewVM(Program(sockets))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bpf.Assemble(Program(sockets)); err != nil {
		t.Fatal(err)
	}
	return vm
}

func chosen(t interface{ Fatal(...any) }, vm *bpf.VM, datagram []byte) uint32 {
	n, err := vm.Run(datagram)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}

// aDataMessage draws a data message of a session with a frame of a protocol, in any form that RFC 2661 and RFC 1661 have.
func aDataMessage(t *rapid.T, tunnel l2tp.TunnelID, session l2tp.SessionID, p ppp.Protocol, sequenced bool) []byte {
	framing := ppp.Framing{PFC: rapid.Bool().Draw(t, "PFC"), ACFC: rapid.Bool().Draw(t, "ACFC")}
	frame := append(ppp.AppendFrameHeader(nil, p, framing), make([]byte, 20)...)
	h := l2tp.Header{Tunnel: tunnel, Session: session, Ns: 7, Nr: 9,
		Length: rapid.Bool().Draw(t, "L"), Sequence: sequenced, Priority: rapid.Bool().Draw(t, "P")}
	if !rapid.Bool().Draw(t, "O") {
		return append(l2tp.AppendDataHeader(nil, h, len(frame)), frame...)
	}
	pad := rapid.IntRange(0, 40).Draw(t, "pad")
	b := l2tp.AppendDataHeader(nil, h, 2+pad+len(frame))
	b[0] |= 0x02
	return append(append(append(b, 0, byte(pad)), make([]byte, pad)...), frame...)
}

// aControlMessage is a ZLB.
func aControlMessage(tunnel l2tp.TunnelID, session l2tp.SessionID) []byte {
	return []byte{0xc8, 2, 0, 12, byte(tunnel >> 8), byte(tunnel), byte(session >> 8), byte(session), 0, 1, 0, 1}
}

func TestASessionsPacketsHaveOneReaderAndSoHasAllElseOfATunnel(t *testing.T) {
	const sockets = 8
	vm := machine(t, sockets)
	rapid.Check(t, func(t *rapid.T) {
		tunnel := l2tp.TunnelID(rapid.Uint16Min(1).Draw(t, "tunnel"))
		session := l2tp.SessionID(rapid.Uint16Min(1).Draw(t, "session"))
		other := l2tp.SessionID(rapid.Uint16().Draw(t, "another session"))
		users := []ppp.Protocol{ppp.IPv4, ppp.IPv6}
		engines := []ppp.Protocol{ppp.LCP, ppp.PAP, ppp.CHAP, ppp.EAP, ppp.IPCP, ppp.IPv6CP, ppp.CCP}
		sequenced := rapid.Bool().Draw(t, "S")
		one := aDataMessage(t, tunnel, session, rapid.SampledFrom(users).Draw(t, "protocol"), sequenced)
		again := aDataMessage(t, tunnel, session, rapid.SampledFrom(users).Draw(t, "protocol"), sequenced)
		if a, b := chosen(t, vm, one), chosen(t, vm, again); a != b || a >= sockets {
			t.Fatalf("sockets %d and %d for\n%x\n%x", a, b, one, again)
		}
		frame := aDataMessage(t, tunnel, session, rapid.SampledFrom(engines).Draw(t, "protocol"), sequenced)
		control := aControlMessage(tunnel, other)
		if a, b := chosen(t, vm, frame), chosen(t, vm, control); a != b || a >= sockets {
			t.Fatalf("sockets %d and %d for\n%x\n%x", a, b, frame, control)
		}
		if a, b := chosen(t, vm, one), chosen(t, vm, frame); sequenced && a != b {
			t.Fatalf("sockets %d and %d for what has one count\n%x\n%x", a, b, one, frame)
		}
	})
}

func TestWhatNamesNoTunnelIsLeftToTheKernel(t *testing.T) {
	vm := machine(t, 4)
	for name, datagram := range map[string][]byte{
		"the first message of a tunnel": aControlMessage(0, 0),
		"a data message of no tunnel":   {0x40, 2, 0, 30, 0, 0, 0, 9, 0xff, 3, 0, 0x21, 0x45, 0},
		"L2TPv3":                        {0xc8, 3, 0, 12, 0, 1, 0, 1, 0, 1, 0, 1},
		"L2F":                           {0x40, 1, 0, 12, 0, 1, 0, 1, 0, 1, 0, 1},
	} {
		if n := chosen(t, vm, datagram); n != nobody {
			t.Errorf("%s: socket %d", name, n)
		}
	}
}

func TestSessionsAreSpread(t *testing.T) {
	for _, sockets := range []int{2, 3, 4, 8, 64} {
		vm := machine(t, sockets)
		perSocket := make([]int, sockets)
		const tunnels, sessions = 3, 2000
		for tunnel := range tunnels {
			for session := range sessions {
				frame := append(ppp.AppendFrameHeader(nil, ppp.IPv4, ppp.Framing{}), make([]byte, 20)...)
				h := l2tp.Header{Tunnel: l2tp.TunnelID(100 + tunnel), Session: l2tp.SessionID(1 + session)}
				perSocket[chosen(t, vm, append(l2tp.AppendDataHeader(nil, h, len(frame)), frame...))]++
			}
		}
		for n, count := range perSocket {
			if fair := tunnels * sessions / sockets; count < fair/2 || count > 2*fair {
				t.Errorf("%d of %d sockets: number %d has %d sessions", sockets, sockets, n, count)
			}
		}
	}
}

// Whatever the datagram, the answer is a socket, or nobody: the machine of the kernel and this one read no more than there is.
func FuzzProgram(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0xc8})
	f.Add(aControlMessage(1, 1))
	f.Add([]byte{0x02, 2, 0, 1, 0, 1, 0xff, 0xff})
	f.Add([]byte{0x40, 2, 0, 14, 0, 1, 0, 9, 0xff, 3, 0, 0x21, 0x45, 0})
	vm := machine(f, 5)
	f.Fuzz(func(t *testing.T, datagram []byte) {
		if n := chosen(t, vm, datagram); n >= 5 && n != nobody {
			t.Fatalf("socket %d for %x", n, datagram)
		}
	})
}
