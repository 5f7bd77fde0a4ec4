package e2e

import (
	"context"
	"crypto/rand"
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/tun"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/lac"
	"lnsgate/lns/transport"
	"lnsgate/test/netns"
)

// Many operating systems dial from UDP port 1701 and number tunnels and sessions from 1. Two such PCs behind one NAT have
// the same address for the server; only the ports differ, which the NAT has chosen.
func TestTwoClientsBehindOneNAT(t *testing.T) {
	t.Parallel()
	netns.RequireCommand(t, "nft")
	w := newBareWorld(t)
	router, first, second := w.client, netns.NewTest(t), netns.NewTest(t)
	must(t, netns.Veth(router, "wan", w.lns, "wan"))
	must(t, router.Address("wan", clientAddress+"/24"))
	must(t, w.lns.Address("wan", serverAddress+"/24"))
	for n, pc := range []*netns.Namespace{first, second} {
		port, gateway, address := "lan0", "192.168.0.1", "192.168.0.2"
		if n == 1 {
			port, gateway, address = "lan1", "192.168.1.1", "192.168.1.2"
		}
		must(t, netns.Veth(router, port, pc, "eth0"))
		must(t, router.Address(port, gateway+"/24"))
		must(t, pc.Address("eth0", address+"/24"))
		must(t, pc.Route("default", gateway))
	}
	w.in(router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
	w.in(router, "nft", "add table ip n; add chain ip n post { type nat hook postrouting priority 100; };"+
		"add rule ip n post oifname wan masquerade")

	s := w.serve(usual)
	wire := w.listen(w.lns, "wan")
	a, b := w.plainClient(first), w.plainClient(second)
	for _, pc := range []*plainClient{a, b} {
		w.ping(pc.n, hqAddress)
	}
	if a.address == b.address {
		t.Errorf("both have the address %s", a.address)
	}
	ports := map[uint16]bool{}
	for _, v := range s.tunnels() {
		ports[v.RemotePort] = true
		if v.RemoteAddress != netip.MustParseAddr(clientAddress) || v.RemoteID != 1 || v.Sessions != 1 {
			t.Errorf("tunnel %+v, want one session from %s with remote id 1", v, clientAddress)
		}
	}
	if len(ports) != 2 || !ports[l2tp.Port] {
		t.Errorf("the tunnels come from ports %v: want 1701 and another", ports)
	}
	w.ping(w.hq, a.address.String())
	w.ping(w.hq, b.address.String())
	a.hangUp()
	eventually(t, "one session is left", func() bool { return len(s.sessions()) == 1 })
	w.ping(second, hqAddress) // the other's goodbye did not reach it
	b.hangUp()
	s.empty()
	if bad := tshark(t, wire.pcap(w.folder), "-Y", "_ws.malformed"); bad != nil {
		t.Errorf("malformed: %v", bad)
	}
}

// plainClient dials as a PC does: from port 1701, with tunnel id 1 and session id 1, which lnsgate dial does not.
type plainClient struct {
	t         *testing.T
	n         *netns.Namespace
	transport *transport.Transport
	path      datapath.Path
	data      *tun.DataPath
	client    *lac.Client
	ingress   datapath.Ingress
	address   netip.Addr
	open      atomic.Bool
	hangUp    func()
}

// Send implements lac.Wire.
func (c *plainClient) Send(datagram []byte) error { return c.transport.Send(c.path, datagram) }

// Datagram implements transport.Receiver.
func (c *plainClient) Datagram(_ datapath.Path, b []byte) {
	if !c.ingress.Receive(c.path, b) {
		c.client.Deliver(b)
	}
}

// Keep implements transport.Receiver.
func (c *plainClient) Keep() { c.ingress.Keep() }

// Flush implements transport.Receiver.
func (c *plainClient) Flush() { c.ingress.Flush() }

// plainClient logs in and waits until traffic may flow.
func (w *world) plainClient(n *netns.Namespace) *plainClient {
	w.t.Helper()
	c := &plainClient{t: w.t, n: n}
	must(w.t, n.Do(c.openDevices))
	c.ingress = c.data.Ingress()
	var challenge [16]byte
	rand.Read(challenge[:])
	c.client = lac.NewClient(lac.ClientConfig{
		Config: lac.Config{HostName: "pc", Tunnel: 1, Rand: rand.Reader},
		Login: lac.Login{
			Session: 1, User: "l2tpuser", MRU: 1400, Magic: 1, Methods: []aaa.Method{aaa.CHAP},
			Credentials: secret.NewAnswerer("l2tpuser", aaa.NewSecret("Admin@123"), challenge),
		},
		Wire: c, Up: c.up,
	})
	ctx, cancel := context.WithCancel(context.Background())
	reading, stop := context.WithCancel(context.Background())
	read, ran := make(chan error, 1), make(chan error, 1)
	go func() { read <- c.transport.Run(reading, func(int) transport.Receiver { return c }) }()
	go func() { ran <- c.client.Run(ctx) }()
	closed := false
	c.hangUp = func() {
		if closed {
			return
		}
		closed = true
		cancel()
		err := <-ran
		stop()
		if err := errors.Join(err, <-read, c.data.Close(), c.transport.Close()); err != nil {
			w.t.Errorf("plain client: %v", err)
		}
	}
	w.t.Cleanup(c.hangUp)
	eventually(w.t, "the plain client is up", c.open.Load)
	return c
}

func (c *plainClient) openDevices() (err error) {
	listen := []netip.AddrPort{netip.AddrPortFrom(netip.IPv4Unspecified(), l2tp.Port)}
	if c.transport, err = transport.New(transport.Config{Listen: listen, SocketsPerAddress: 1}); err != nil {
		return err
	}
	if c.path, err = c.transport.PathTo(netip.AddrPortFrom(netip.MustParseAddr(serverAddress), l2tp.Port)); err != nil {
		return err
	}
	c.data, err = tun.New(tun.Config{Interface: "vpn0", MTU: 1400, Sender: c.transport})
	return err
}

func (c *plainClient) up(u lac.Up) error {
	_, err := c.data.Add(datapath.Spec{
		Key: datapath.Key{Tunnel: uint16(u.Tunnel), Session: uint16(u.Session)}, Path: c.path,
		PeerTunnel: uint16(u.ServerTunnel), PeerSession: uint16(u.ServerSession),
		Interface: "vpn0", Address: u.Peer, Routes: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}, PeerMRU: u.PeerMRU,
	})
	c.address = u.Address
	err = errors.Join(err, c.n.Up("vpn0"), c.n.Address("vpn0", u.Address.String()+"/32"), c.n.RouteLink("10.20.0.0/24", "vpn0"))
	c.open.Store(err == nil)
	return err
}
