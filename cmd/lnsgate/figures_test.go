package main

import (
	"log/slog"
	"net/netip"
	"testing"

	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/tun"
	"lnsgate/lns/transport"
)

func TestCountersTellOfSocketsAndVirtualTemplates(t *testing.T) {
	sockets, err := transport.New(transport.Config{
		Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, SocketsPerAddress: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer sockets.Close()
	path, err := tun.New()
	if err != nil {
		t.Fatal(err)
	}
	defer path.Close()
	to := datapath.Path{Remote: sockets.Addrs()[0]}
	if err := sockets.Send(to, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := sockets.Send(to, make([]byte, 1<<16)); err == nil {
		t.Fatal("a datagram that is too long was sent")
	}
	all := figures{&fakeEngine{}, sockets, path, nil, newRADIUSGroups("n", t.TempDir(), slog.New(slog.DiscardHandler)), &books{}, &authorization{}, nil, nil, fastPath{}, nil, nil}.Counters()
	for name, want := range map[string]uint64{
		"logins": 1, "udp_sockets": 2, "udp_tx_datagrams": 1, "udp_tx_octets": 5, "udp_tx_too_long": 1,
		"udp_rx_buffer_full": 0, "udp_tx_buffer_full": 0, "tun_offload": 0, "admission_admitted": 0, "admission_over_source_budget": 0, "admission_over_repeat_budget": 0, "tun_merge_refused": 0,
		"tun_threads_refused_now": 0, "tun_steering_refused_now": 0,
	} {
		if got, there := all[name]; !there || got != want {
			t.Errorf("%s is %d, there: %v, want %d", name, got, there, want)
		}
	}
}
