package transport

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"lnsgate/lns/l2tp"
	"lnsgate/lns/ppp"
)

// framed is a data message with a number in its packet.
func framed(session int, p ppp.Protocol, number uint32) []byte {
	header := ppp.AppendFrameHeader(nil, p, ppp.Framing{})
	packet := binary.BigEndian.AppendUint32(make([]byte, 16), number)
	h := l2tp.Header{Length: true, Tunnel: 9, Session: l2tp.SessionID(session)}
	return append(append(l2tp.AppendDataHeader(nil, h, len(header)+len(packet)), header...), packet...)
}

// A LAC has one port. Its sessions have all readers, each of them one reader, in the order in which it was sent; what is not
// user data has one reader for the whole tunnel.
func TestTheSessionsOfOnePeerHaveSeveralReaders(t *testing.T) {
	for _, listen := range []netip.AddrPort{loopback4, loopback6, any4} {
		t.Run(listen.String(), func(t *testing.T) {
			server := newTransport(t, Config{Listen: []netip.AddrPort{listen}, SocketsPerAddress: 4, BySession: true})
			all := running(t, server)
			address := server.Addrs()[0]
			if listen == any4 {
				address = netip.AddrPortFrom(loopback4.Addr(), address.Port())
			}
			lac := dial(t, address)
			const sessions, rounds = 40, 30
			for number := range uint32(rounds) {
				for s := range sessions {
					for _, p := range []ppp.Protocol{ppp.IPv4, ppp.LCP} {
						if _, err := lac.Write(framed(s+1, p, number)); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			readers, engines, following := make(map[l2tp.SessionID]uint8), make(map[uint8]int), make(map[string]uint32)
			for range 2 * sessions * rounds {
				a := next(t, all)
				h, frame, err := l2tp.ParseHeader([]byte(a.text))
				if err != nil {
					t.Fatal(err)
				}
				p, packet, _ := ppp.ParseFrame(frame)
				if p == ppp.LCP {
					engines[a.from.Socket]++
				} else if reader, known := readers[h.Session]; known && reader != a.from.Socket {
					t.Fatalf("session %d is read from sockets %d and %d", h.Session, reader, a.from.Socket)
				} else {
					readers[h.Session] = a.from.Socket
				}
				stream := fmt.Sprint(h.Session, p)
				if number := binary.BigEndian.Uint32(packet[16:]); number != following[stream] {
					t.Fatalf("packet %d of %s comes where %d is expected", number, stream, following[stream])
				}
				following[stream]++
			}
			used := make(map[uint8]int)
			for _, reader := range readers {
				used[reader]++
			}
			if len(used) != 4 || len(engines) != 1 {
				t.Errorf("%d sessions are read from sockets %v, what is for the engine from %v", sessions, used, engines)
			}
		})
	}
}

func TestBySessionTheKernelJoinsNothing(t *testing.T) {
	config := Config{Listen: []netip.AddrPort{loopback4}, SocketsPerAddress: 2, BySession: true}
	for _, s := range newTransport(t, config).Stats().Sockets {
		if s.GRO {
			t.Error("a socket has GRO")
		}
	}
	config.SocketsPerAddress = 1
	if alone := newTransport(t, config).Stats().Sockets; !alone[0].GRO {
		t.Error("a single socket, which shares nothing out, has no GRO")
	}
	config.SocketsPerAddress, config.GRO = 2, On
	if _, err := New(config); err == nil || !strings.Contains(err.Error(), "exclude each other") {
		t.Errorf("both: %v", err)
	}
}
