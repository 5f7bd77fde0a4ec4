package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/ebpf"
	"lnsgate/lns/datapath/tun"
	"lnsgate/lns/host/netns"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/lac"
)

// kernelClient is the end of one session of a crowd: an interface for programs at the client, whose packets go into the tunnel and come
// out of it in the kernel. It is on the same cores as the server, so it should cost little.
type kernelClient struct {
	path *ebpf.DataPath
}

// online gives a session of a crowd an interface. Packets to tunnelled go through it.
func (c *crowd) online(client *netns.Namespace, up lac.Up) (k kernelClient, err error) {
	err = client.Do(func() error {
		const name = "vpn0"
		// Without it the kernel tells no program the way to the server.
		if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0); err != nil {
			return err
		}
		under, err := tun.New(tun.Config{Interface: name, MTU: up.PeerMRU, Sender: nowhere{}, Offload: true})
		if err != nil {
			return err
		}
		err = errors.Join(client.Up(name), client.Address(name, up.Address.String()+"/32"), client.RouteLink(tunnelled+"/32", name))
		if err != nil {
			return errors.Join(err, under.Close())
		}
		k.path, err = ebpf.New(ebpf.Config{Under: under, Templates: []string{name}, Port: c.address.Port()})
		if err != nil {
			return errors.Join(err, under.Close())
		}
		_, err = k.path.Add(datapath.Spec{
			Key: datapath.Key{Tunnel: uint16(up.Tunnel), Session: uint16(up.Session)},
			Path: datapath.Path{
				Remote: netip.AddrPortFrom(netip.MustParseAddr(serverAddress), l2tp.Port), Local: c.address.Addr(),
			},
			PeerTunnel: uint16(up.ServerTunnel), PeerSession: uint16(up.ServerSession),
			Interface: name, Address: netip.MustParseAddr(tunnelled), PeerMRU: up.PeerMRU,
		})
		return err
	})
	if err != nil {
		return k, fmt.Errorf("an interface at the client: %w", errors.Join(err, k.close()))
	}
	return k, nil
}

func (k kernelClient) close() error {
	if k.path == nil {
		return nil
	}
	return k.path.Close()
}

// nowhere loses what is not carried in the kernel.
type nowhere struct{}

func (nowhere) Send(datapath.Path, []byte) error        { return nil }
func (nowhere) SendBatch(datapath.Path, [][]byte) error { return nil }

// streams sends one TCP stream each way through a session, and right before and after by plain forwarding.
func (w *world) streams(ctx context.Context, b *bench, all *crowd, path string) (err error) {
	k, err := all.online(w.client, all.sessions[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.close()) }()
	for _, d := range []struct {
		name    string
		options []string
	}{{"up", nil}, {"down", []string{"-R"}}} {
		var inside streamed
		plain, err := around(func() (float64, error) {
			o, err := w.stream(ctx, forwarded, b.size.transfer/2, d.options...)
			return o.megabits(), err
		}, func() (err error) {
			inside, err = w.stream(ctx, tunnelled, b.size.transfer, d.options...)
			return err
		})
		if err != nil {
			return err
		}
		name := fmt.Sprintf("TCP, one stream through one session, %s, %s", path, d.name)
		b.figures.add(name, "Mbit/s", inside.megabits(), "plain forwarding", plain)
	}
	return nil
}
