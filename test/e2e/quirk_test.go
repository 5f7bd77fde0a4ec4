package e2e

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
	"lnsgate/lns/admin"
	"lnsgate/lns/datapath/datapathtest"
	"lnsgate/test/peers"
)

// The clients of the quirk lab log in over a real socket into the real program, and ask by DHCP for the routes and the suffix
// of their domain. Nothing of the question reaches headquarters.
func TestClientsOfTheLabLogInAndAskForRoutes(t *testing.T) {
	for kind, p := range map[string]peers.Profile{"windows": peers.Windows(), "apple": peers.Apple(), "android": peers.Android(), "mikrotik": peers.MikroTik()} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := w.serve(strings.Replace(usual, "pools: [pool1],", "pools: [pool1], client_routes: [10.20.0.0/16], dns_suffix: corp.example,", 1))
			lan := w.listen(w.hq, "eth0")
			peer := w.plays(p)
			if err := peer.Connect(20 * time.Second); err != nil {
				t.Fatal(err)
			}
			var tunnels []admin.Tunnel
			s.show("tunnels", &tunnels)
			if len(tunnels) != 1 || tunnels[0].Profile != kind {
				t.Errorf("%+v", tunnels)
			}
			options := peers.AppleInform
			if kind == "windows" {
				options = peers.WindowsInform
			}
			answer := w.asksByDHCP(peer, peers.Inform(peer.Address, options...))
			for _, want := range [][]byte{{249, 7, 16, 10, 20, 10, 10, 0, 1}, {121, 7, 16, 10, 20, 10, 10, 0, 1}, append([]byte{15, 12}, "corp.example"...)} {
				if !bytes.Contains(answer, want) {
					t.Errorf("% x is not in % x", want, answer)
				}
			}
			for _, fault := range peer.Faults() {
				t.Errorf("%s\n%s", fault, peer.Transcript())
			}
			peer.HangUp(peers.AVP{Type: 1, Value: []byte{0, 3}})
			peer.Stop(0, 6)
			peer.Run(time.Second)
			s.empty()
			lan.stop()
			for _, f := range lan.all() {
				if bytes.Contains(f.octets, []byte{0x63, 0x82, 0x53, 0x63}) {
					t.Errorf("a question by DHCP came to headquarters: % x", f.octets)
				}
			}
			s.stop()
		})
	}
}

// The network of a Mac changes: it goes on from another port, says HELLO, and its session follows, in the data path too. What is
// sent to headquarters afterwards goes, and comes back, over the new port.
func TestClientOfTheLabMovesToAnotherPort(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(usual)
	peer, ways := w.playsOver(peers.Apple(), 2)
	if err := peer.Connect(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	before := s.session("l2tpuser").RemotePort
	ways(1)
	peer.Say(0, peers.HELLO, nil)
	if !peer.Until(20*time.Second, func() bool { return s.session("l2tpuser").RemotePort != before }) {
		t.Fatalf("the session stays at port %d\n%s", before, peer.Transcript())
	}
	if n := s.counter("tunnels_followed"); n != 1 {
		t.Errorf("%d tunnels were followed", n)
	}
	w.asksByDHCP(peer, peers.Inform(peer.Address, peers.AppleInform...))
	var echo []byte
	peer.OnFrame = func(f peers.Frame) bool {
		if f.Protocol == peers.IPv4 && len(f.Data) > 20 && f.Data[9] == 1 {
			echo = f.Data
		}
		return f.Protocol == peers.IPv4
	}
	peer.Frame(peers.Frame{Protocol: peers.IPv4, Data: pingPacket(peer.Address, netip.MustParseAddr(hqAddress))})
	if !peer.Until(10*time.Second, func() bool { return echo != nil }) {
		t.Fatalf("headquarters does not answer\n%s", peer.Transcript())
	}
	peer.Stop(0, 6)
	peer.Run(time.Second)
	s.empty()
	s.stop()
}

// pingPacket is an ICMP Echo-Request in IPv4.
func pingPacket(from, to netip.Addr) []byte {
	b := []byte{0x45, 0, 0, 28, 0, 1, 0, 0, 64, 1, 0, 0}
	b = append(append(b, from.AsSlice()...), to.AsSlice()...)
	binary.BigEndian.PutUint16(b[10:], datapathtest.Checksum(b))
	icmp := []byte{8, 0, 0, 0, 0, 7, 0, 1}
	binary.BigEndian.PutUint16(icmp[2:], datapathtest.Checksum(icmp))
	return append(b, icmp...)
}

// plays makes a client of the lab that sends from the client's namespace.
func (w *world) plays(p peers.Profile) *peers.Peer {
	peer, _ := w.playsOver(p, 1)
	return peer
}

// playsOver makes one that has several ports; way chooses the one that it sends from.
func (w *world) playsOver(p peers.Profile, ports int) (peer *peers.Peer, way func(int)) {
	w.t.Helper()
	server := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(serverAddress + ":1701"))
	conns := make([]*net.UDPConn, ports)
	at := 0
	login := peers.Login{User: "l2tpuser", Answer: secret.NewAnswerer("l2tpuser", aaa.NewSecret("Admin@123"), [16]byte{3})}
	peer = peers.New(p, login, func(b []byte) {
		if _, err := conns[at].Write(b); err != nil {
			w.t.Error(err)
		}
	})
	for i := range conns {
		must(w.t, w.client.Do(func() (err error) {
			conns[i], err = net.DialUDP("udp4", nil, server)
			return err
		}))
		done := make(chan struct{})
		go func() {
			defer close(done)
			b := make([]byte, 4096)
			for {
				n, err := conns[i].Read(b)
				if err != nil {
					return
				}
				peer.Deliver(b[:n])
			}
		}()
		w.t.Cleanup(func() {
			conns[i].Close()
			<-done
		})
	}
	return peer, func(n int) {
		conns[at].Close() // nobody is at the old port any more
		at = n
	}
}

// asksByDHCP sends a question into the link and gives the answer.
func (w *world) asksByDHCP(peer *peers.Peer, question []byte) []byte {
	w.t.Helper()
	var answer []byte
	peer.OnFrame = func(f peers.Frame) bool {
		if f.Protocol == peers.IPv4 && len(f.Data) > 28 && bytes.Equal(f.Data[20:24], []byte{0, 67, 0, 68}) {
			answer = f.Data
		}
		return f.Protocol == peers.IPv4
	}
	peer.Frame(peers.Frame{Protocol: peers.IPv4, Data: question})
	if !peer.Until(10*time.Second, func() bool { return answer != nil }) {
		w.t.Fatalf("no answer\n%s", peer.Transcript())
	}
	return answer
}
