package peers_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
	"lnsgate/lns/datapath"
	"lnsgate/lns/lac"
	"lnsgate/test/peers"
	"lnsgate/test/simnet"
)

// said is what a client shows of itself: the AVPs of its SCCRQ, and the options of its first LCP request.
type said struct {
	avps    []peers.AVP
	options []peers.Option
}

// look notes what the clients of an address say.
func (l *lab) look(from netip.AddrPort) *said {
	s := &said{}
	l.net.Tap(func(d simnet.Datagram) {
		switch {
		case d.From != from:
		case d.Bytes[0]&0x80 != 0:
			if c, err := peers.ReadControl(d.Bytes); err == nil && c.Type() == peers.SCCRQ && s.avps == nil {
				s.avps = c.AVPs
			}
		default:
			frame, ok := peers.ReadData(d.Bytes)
			if ok && frame.Protocol == peers.LCP && frame.Code == peers.ConfigureRequest && s.options == nil {
				s.options = peers.ReadOptions(frame.Data)
			}
		}
	})
	return s
}

// lnsgate dial --as KIND looks like the client of that name in the lab: the same AVPs with the same M bits in the same order, and
// the same LCP options. It logs in like it, too.
func TestDialAsLooksLikeTheClient(t *testing.T) {
	for _, p := range peers.All() {
		profile := lac.FindProfile(p.Name)
		if profile == nil {
			continue // nobody needs to dial as a D-Link
		}
		t.Run(p.Name, func(t *testing.T) {
			inLab(t, nil, func(l *lab) {
				real, ours := netip.MustParseAddrPort("198.51.100.1:1701"), netip.MustParseAddrPort("198.51.100.2:1701")
				seen, shown := l.look(real), l.look(ours)
				l.dial(l.peerAt(p, l.net.Endpoint(nil, real)))
				l.dialAs(profile, l.net.Endpoint(nil, ours))
				kinds := func(list []peers.AVP) (k []uint16) {
					for _, a := range list {
						k = append(k, a.Type<<1|uint16(btoi(a.Optional)))
					}
					return k
				}
				if got, want := kinds(shown.avps), kinds(seen.avps); !slices.Equal(got, want) {
					t.Errorf("AVPs %v, the client has %v", got, want)
				}
				types := func(list []peers.Option) (k []uint8) {
					for _, o := range list {
						k = append(k, o.Type)
					}
					slices.Sort(k) // ours stand in an order of their own
					return k
				}
				if got, want := types(shown.options), types(seen.options); !slices.Equal(got, want) {
					t.Errorf("LCP options %v, the client has %v", got, want)
				}
				for _, kind := range []uint16{6, 8, 10} { // firmware, vendor, window
					if got, want := value(shown.avps, kind), value(seen.avps, kind); got != want {
						t.Errorf("AVP %d is %q, the client has %q", kind, got, want)
					}
				}
				tunnels := l.server.Tunnels()
				if len(tunnels) != 2 || tunnels[0].Profile != tunnels[1].Profile {
					t.Errorf("%+v", tunnels)
				}
			})
		})
	}
}

func value(list []peers.AVP, kind uint16) string {
	for _, a := range list {
		if a.Type == kind {
			return string(a.Value)
		}
	}
	return ""
}

func btoi(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// dialAs logs in with the load generator's client and hangs up at the end of the test.
func (l *lab) dialAs(p *lac.Profile, end *simnet.Endpoint) {
	up := make(chan lac.Up, 4)
	var magic [4]byte
	rand.Read(magic[:])
	c := lac.NewClient(lac.ClientConfig{
		Config: lac.Config{Profile: p, Tunnel: 77, Rand: rand.Reader},
		Login: lac.Login{Session: 1, User: userName, Magic: binary.BigEndian.Uint32(magic[:]) | 1, WantDNS: true, MRU: p.MRU, Methods: p.Methods,
			Credentials: secret.NewAnswerer(userName, aaa.NewSecret(password), [16]byte{3})},
		Wire: lac.WireFunc(func(b []byte) error { return end.Send(end.PathTo(serverAddr), b) }),
		Up:   func(u lac.Up) error { up <- u; return nil },
	})
	end.Handle(func(_ datapath.Path, b []byte) { c.Deliver(b) })
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() {
		if err := c.Run(ctx); err != nil {
			l.t.Errorf("the client ended: %v", err)
		}
	})
	l.hangUp = append(l.hangUp, func() { cancel(); run.Wait() })
	select {
	case <-up:
	case <-time.After(20 * time.Second):
		l.t.Error("it is not up")
	}
}
