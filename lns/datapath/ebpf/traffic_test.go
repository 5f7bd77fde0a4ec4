package ebpf

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
	"lnsgate/lns/datapath/tun"
	"lnsgate/test/netns"
)

// office is a rig whose peer is a real host with a session in user space, and a server behind the LNS. All wires are like real ones:
// packets leave one at a time, with complete checksums.
//
//	peer 10.10.1.10 (ppp0), 198.51.100.7 --- wan --- 192.0.2.1 host --- lan --- server 10.98.0.2
type office struct {
	*rig
	server  *netns.Namespace
	session datapath.Session
}

func newOffice(t testing.TB, change func(*datapath.Spec)) *office {
	t.Helper()
	o := &office{rig: newRig(t, nil), server: netns.NewTest(t)}
	must(t, netns.Veth(o.host, "lan", o.server, "lan"))
	must(t, o.host.Address("lan", "10.98.0.1/24"))
	must(t, o.server.Address("lan", "10.98.0.2/24"))
	must(t, o.server.Route("10.10.1.0/24", "10.98.0.1"))
	must(t, o.peer.Address("wan", "198.51.100.7/32"))
	must(t, o.peer.Route("192.0.2.1/32", "10.99.0.1"))
	for _, wire := range []struct {
		n    *netns.Namespace
		name string
	}{{o.host, "wan"}, {o.peer, "wan"}, {o.host, "lan"}, {o.server, "lan"}} {
		must(t, netns.WireLike(wire.n, wire.name))
	}
	must(t, o.host.Do(func() error { o.path.Look(); return nil }))
	spec := datapathtest.Spec("vt1")
	spec.MSS = 1360
	if change != nil {
		change(&spec)
	}
	var err error
	o.session, err = o.path.Add(spec)
	must(t, err)
	o.dial(t)
	t.Cleanup(o.serve(o.conn, o.under))
	return o
}

// dial opens the peer's end of the session.
func (o *office) dial(t testing.TB) {
	t.Helper()
	var conn *net.UDPConn
	var path *tun.DataPath
	must(t, o.peer.Do(func() (err error) {
		if conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(198, 51, 100, 7), Port: 1701}); err != nil {
			return err
		}
		path, err = tun.New(tun.Config{Interface: "ppp0", Sender: wireSender{conn}})
		return err
	}))
	t.Cleanup(func() { must(t, path.Close()) })
	must(t, o.peer.Up("ppp0"))
	must(t, o.peer.Address("ppp0", "10.10.1.10/32"))
	_, err := o.peer.Run("ip", "route", "add", "10.98.0.0/24", "dev", "ppp0", "src", "10.10.1.10")
	must(t, err)
	_, err = path.Add(datapath.Spec{
		Key: datapath.Key{Tunnel: 5, Session: 6}, PeerTunnel: 3, PeerSession: 4, Interface: "ppp0",
		Path:    datapath.Path{Remote: netip.MustParseAddrPort("192.0.2.1:1701"), Local: netip.MustParseAddr("198.51.100.7")},
		Address: netip.MustParseAddr("10.10.0.1"), Routes: []netip.Prefix{netip.MustParsePrefix("10.98.0.0/24")}, PeerMRU: 1400, MSS: 1360,
	})
	must(t, err)
	t.Cleanup(o.serve(conn, path.Ingress()))
}

// serve hands what arrives to a path in user space, until it is told to stop.
func (o *office) serve(conn *net.UDPConn, in datapath.Ingress) (stop func()) {
	_ = conn.SetReadBuffer(4 << 20)
	var done sync.WaitGroup
	done.Go(func() {
		b := make([]byte, 1<<16)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			in.Receive(datapath.Path{Remote: from}, b[:n])
			in.Flush()
		}
	})
	return func() {
		conn.Close()
		done.Wait()
	}
}

// stream has the peer send a TCP stream for so many seconds, or receive one, and tells what iperf3 says of it in bits per second.
func (o *office) stream(t testing.TB, seconds int, options ...string) (received, took float64) {
	t.Helper()
	server := exec.Command("iperf3", "-s", "-1", "-4", "--forceflush")
	said, err := server.StdoutPipe()
	must(t, err)
	must(t, o.server.Start(server))
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
	for b := make([]byte, 4096); ; {
		n, err := said.Read(b)
		must(t, err)
		if strings.Contains(string(b[:n]), "listening") {
			break
		}
	}
	var out strings.Builder
	client := exec.Command("iperf3", append([]string{"-c", "10.98.0.2", "-t", fmt.Sprint(seconds), "-J"}, options...)...)
	client.Stdout = &out
	must(t, o.peer.Start(client))
	err = client.Wait()
	var r struct {
		Error string
		End   struct {
			Received struct {
				Seconds float64 `json:"seconds"`
				Speed   float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		}
	}
	must(t, errors.Join(err, json.Unmarshal([]byte(out.String()), &r)))
	return r.End.Received.Speed, r.End.Received.Seconds
}

// BenchmarkRateOfTCP measures how close one TCP stream comes to the bound of a session: what iperf3 received (goodput) and what
// the session has counted (ip), both as parts of the bound, and which part of the packets the kernel has carried.
//
//	go test ./lns/datapath/ebpf -run '^$' -bench RateOfTCP -benchtime 1x
func BenchmarkRateOfTCP(b *testing.B) {
	netns.RequireCommand(b, "iperf3")
	for _, megabits := range []uint64{10, 50, 200} {
		for _, way := range []string{"up", "down", "up in user space", "down in user space"} {
			b.Run(fmt.Sprintf("%dMbps/%s", megabits, way), func(b *testing.B) {
				bits := megabits * 1e6
				way, above := strings.CutSuffix(way, " in user space")
				o := newOffice(b, func(s *datapath.Spec) { s.RateUp, s.RateDown, s.Path.Secure = bits, bits, above })
				for b.Loop() {
					options := map[string][]string{"down": {"-R"}}[way]
					before := o.session.Counters()
					goodput, seconds := o.stream(b, 6, options...)
					after := o.session.Counters()
					octets := after.RxOctets - before.RxOctets
					if way == "down" {
						octets = after.TxOctets - before.TxOctets
					}
					b.ReportMetric(goodput/float64(bits), "goodput")
					b.ReportMetric(float64(octets)*8/seconds/float64(bits), "ip")
				}
				c := o.session.Counters()
				b.ReportMetric(float64(o.carried())/float64(c.RxPackets+c.TxPackets), "in-kernel")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
