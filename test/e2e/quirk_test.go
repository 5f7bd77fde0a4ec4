package e2e

import (
	"bytes"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
	"lnsgate/lns/admin"
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

// plays makes a client of the lab that sends from the client's namespace.
func (w *world) plays(p peers.Profile) *peers.Peer {
	w.t.Helper()
	server := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(serverAddress + ":1701"))
	var conn *net.UDPConn
	must(w.t, w.client.Do(func() (err error) {
		conn, err = net.DialUDP("udp4", nil, server)
		return err
	}))
	login := peers.Login{User: "l2tpuser", Answer: secret.NewAnswerer("l2tpuser", aaa.NewSecret("Admin@123"), [16]byte{3})}
	peer := peers.New(p, login, func(b []byte) {
		if _, err := conn.Write(b); err != nil {
			w.t.Error(err)
		}
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 4096)
		for {
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			peer.Deliver(b[:n])
		}
	}()
	w.t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return peer
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
