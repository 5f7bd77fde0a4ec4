package datapathtest

import (
	"net/netip"

	"lnsgate/lns/datapath"
)

// Rig is a data path under test with the world around it. Run makes a fresh one for each test.
type Rig interface {
	// DataPath is the one under test.
	DataPath() datapath.DataPath
	// Interface names its virtual template. Peers have addresses in 10.10.1.0/24 and routes in 10.20.0.0/16.
	Interface() string
	// FromPeers waits for the next packet that the data path has handed to the host through the virtual template.
	FromPeers() []byte
	// ToPeers lets the host send a packet into the virtual template.
	ToPeers(packet []byte)
	// Sent waits for the next datagram that the data path has sent.
	Sent() (datapath.Path, []byte)
}

// The peer of the tests and a stranger.
var (
	peer     = datapath.Path{Remote: netip.MustParseAddrPort("198.51.100.7:1701"), Local: netip.MustParseAddr("192.0.2.1")}
	moved    = datapath.Path{Remote: netip.MustParseAddrPort("198.51.100.7:40000"), Local: netip.MustParseAddr("192.0.2.1")}
	stranger = datapath.Path{Remote: netip.MustParseAddrPort("203.0.113.9:1701"), Local: netip.MustParseAddr("192.0.2.1")}
)

const (
	client = "10.10.1.10"
	server = "192.0.2.80"
	behind = "10.20.5.5"
)

// Spec is a session on an interface as the tests use it: key 3/4, peer's ids 5/6, address 10.10.1.10.
func Spec(name string) datapath.Spec {
	return datapath.Spec{
		Key: datapath.Key{Tunnel: 3, Session: 4}, Path: peer, PeerTunnel: 5, PeerSession: 6,
		Interface: name, Address: netip.MustParseAddr(client), PeerMRU: 1400,
	}
}
