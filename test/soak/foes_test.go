//go:build !race

package soak

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"

	"lnsgate/lns/l2tp"
	"lnsgate/lns/ppp"
	"lnsgate/test/simnet"
)

// oneIn is how many datagrams of good people there are for each of a stranger.
const oneIn = 100

// foes watch what good people say, and say something like it themselves: they are one datagram in a hundred.
type foes struct {
	host           *host
	chance         *rand.Rand
	ends           []*simnet.Endpoint
	heard          int
	accepted       int
	said, vanished int
	gone           map[netip.AddrPort]map[l2tp.TunnelID]bool // tunnels whose peers have vanished, by what they call them
}

// newFoes puts them onto the network. Taps must not send, so a goroutine of its own does; it ends with the network's silence.
func newFoes(h *host) *foes {
	f := &foes{host: h, chance: rand.New(rand.NewPCG(7, 7)), gone: map[netip.AddrPort]map[l2tp.TunnelID]bool{}}
	for i := range byte(20) {
		f.ends = append(f.ends, h.net.Endpoint(nil, netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, i}), 1701)))
	}
	h.net.DropIf(f.hear)
	return f
}

// hear is told of every datagram, and says which are lost: those of who has vanished.
func (f *foes) hear(d simnet.Datagram) (lost bool) {
	if d.From.Addr().As4()[0] != 198 {
		return false
	}
	if f.heard++; f.heard%oneIn == 0 {
		b := f.twist(append([]byte(nil), d.Bytes...))
		end := f.ends[f.chance.IntN(len(f.ends))]
		f.said++
		go func() { _ = end.Send(end.PathTo(serverAddr), b) }()
	}
	return f.vanish(d)
}

// vanish loses what some peers say from their goodbye on, so that the server finds out by itself.
func (f *foes) vanish(d simnet.Datagram) bool {
	head, payload, err := l2tp.ParseHeader(d.Bytes)
	if err != nil {
		return false
	}
	if packet := terminates(payload); !head.Control && packet || head.Control && goodbye(l2tp.PeekType(payload)) {
		if f.accepted++; f.accepted%vanishing == 0 {
			if f.gone[d.From] == nil {
				f.gone[d.From] = map[l2tp.TunnelID]bool{}
			}
			f.gone[d.From][head.Tunnel] = true
			f.vanished++
		}
	}
	return f.gone[d.From][head.Tunnel]
}

// forget is for when all who have vanished have been given up: what is kept of them is not the server's.
func (f *foes) forget() { clear(f.gone) }

func goodbye(t l2tp.MessageType) bool { return t == l2tp.TypeCDN || t == l2tp.TypeStopCCN }

func terminates(payload []byte) bool {
	p, b, err := ppp.ParseFrame(payload)
	return err == nil && p == ppp.LCP && len(b) > 0 && ppp.Code(b[0]) == ppp.TerminateRequest
}

// twist makes of a good datagram one that is not.
func (f *foes) twist(b []byte) []byte {
	switch at := f.chance.IntN(len(b)); f.chance.IntN(7) {
	case 0: // as it is, from elsewhere
	case 1:
		b[at] ^= byte(1 + f.chance.IntN(255))
	case 2:
		b = b[:at]
	case 3:
		b = append(b, b[:at]...)
	case 4: // for any tunnel
		if len(b) > 6 {
			binary.BigEndian.PutUint16(b[4:], uint16(f.chance.Uint32()))
		}
	case 5: // nothing like it
		for i := range b {
			b[i] = byte(f.chance.Uint32())
		}
	case 6: // a tunnel that nobody will use
		m := l2tp.SCCRQ{HostName: "foe", Framing: 3, AssignedTunnel: l2tp.TunnelID(1 + f.chance.IntN(60000))}
		b = l2tp.AppendControl(nil, 0, 0, 0, 0, l2tp.Append(nil, m, l2tp.AppendOptions{}))
	}
	return b
}
