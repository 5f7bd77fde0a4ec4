package datapathtest

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
	"time"

	"lnsgate/lns/datapath"
)

func sessionPath(t *testing.T, b *bench) {
	s := b.add(nil)
	b.marker(peer)
	s.SetPath(moved)
	b.marker(moved)
	b.receive(peer, []byte{0, 2, 0, 3, 0, 4, 0x21}, b.packet(client, server))
	if n := b.DataPath().Drops()[datapath.PeerMismatch.String()]; n != 1 {
		t.Errorf("the old path was counted %d times", n)
	}
	packet := b.packet(server, client)
	b.ToPeers(packet)
	b.expectSent(moved, []byte{0x40, 2, 0, 140, 0, 5, 0, 6, 0xFF, 3, 0, 0x21}, packet)
}

func sessionClose(t *testing.T, b *bench) {
	s := b.add(nil)
	if s.Counters() != (datapath.Counters{}) {
		t.Errorf("a new session has %+v", s.Counters())
	}
	start := time.Now().Add(-time.Second) // the times may be rounded by so much
	b.marker(peer)
	packet := b.packet(server, client)
	b.ToPeers(packet)
	b.expectSent(peer, []byte{0x40, 2, 0, 140, 0, 5, 0, 6, 0xFF, 3, 0, 0x21}, packet)
	// What is sent next has been counted: a second datagram is only sent after the first one was.
	packet = b.packet(server, client)
	b.ToPeers(packet)
	b.expectSent(peer, []byte{0x40, 2, 0, 140, 0, 5, 0, 6, 0xFF, 3, 0, 0x21}, packet)
	got := s.Counters()
	if got.RxPackets != 1 || got.RxOctets != 128 || got.TxPackets < 1 || got.TxOctets != 128*got.TxPackets {
		t.Errorf("counted %+v", got)
	}
	if got.LastRx.Before(start) || got.LastTx.Before(start) {
		t.Errorf("last packets at %v and %v, test began at %v", got.LastRx, got.LastTx, start)
	}
	last := s.Close()
	if last.RxPackets != 1 || s.Close() != last {
		t.Errorf("last figures %+v, then %+v", last, s.Close())
	}
	if b.receive(peer, []byte{0, 2, 0, 3, 0, 4, 0x21}, b.packet(client, server)) {
		t.Error("a closed session still takes packets")
	}
	b.ToPeers(b.packet(server, client))
	b.add(nil)
	packet = b.packet(server, client)
	b.ToPeers(packet)
	for { // the packet for the closed session may have found the new one
		_, datagram := b.Sent()
		if bytes.Equal(datagram[len(datagram)-len(packet)+20:], packet[20:]) {
			break
		}
	}
}

func sessionDuplicates(t *testing.T, b *bench) {
	route := []netip.Prefix{netip.MustParsePrefix("10.20.5.0/24")}
	first := b.add(func(s *datapath.Spec) { s.Routes = route })
	other := func(change func(*datapath.Spec)) error {
		spec := Spec(b.Interface())
		spec.Key, spec.Address = datapath.Key{Tunnel: 3, Session: 9}, netip.MustParseAddr("10.10.1.11")
		change(&spec)
		s, err := b.DataPath().Add(spec)
		if err == nil {
			s.Close()
		}
		return err
	}
	var duplicate *datapath.DuplicateError
	if err := other(func(s *datapath.Spec) { s.Key = datapath.Key{Tunnel: 3, Session: 4} }); !errors.As(err, &duplicate) ||
		duplicate.Address.IsValid() || duplicate.Prefix.IsValid() {
		t.Errorf("the same key: %v", err)
	}
	if err := other(func(s *datapath.Spec) { s.Address = netip.MustParseAddr(client) }); !errors.As(err, &duplicate) ||
		duplicate.Address.String() != client || duplicate.Holder != (datapath.Key{Tunnel: 3, Session: 4}) {
		t.Errorf("the same address: %v", err)
	}
	if err := other(func(s *datapath.Spec) { s.Routes = route }); !errors.As(err, &duplicate) || duplicate.Prefix != route[0] {
		t.Errorf("the same route: %v", err)
	}
	first.Close()
	if err := other(func(s *datapath.Spec) { s.Address, s.Routes = netip.MustParseAddr(client), route }); err != nil {
		t.Errorf("after Close: %v", err)
	}
}

func sessionBadSpecs(t *testing.T, b *bench) {
	for name, change := range map[string]func(*datapath.Spec){
		"no key":       func(s *datapath.Spec) { s.Key = datapath.Key{} },
		"no peer ids":  func(s *datapath.Spec) { s.PeerTunnel = 0 },
		"no path":      func(s *datapath.Spec) { s.Path = datapath.Path{} },
		"no interface": func(s *datapath.Spec) { s.Interface = "" },
		"unknown":      func(s *datapath.Spec) { s.Interface = "vt99" },
		"no address":   func(s *datapath.Spec) { s.Address = netip.Addr{} },
		"tiny MRU":     func(s *datapath.Spec) { s.PeerMRU = 67 },
		"MSS":          func(s *datapath.Spec) { s.MSS = 1 << 16 },
		"route":        func(s *datapath.Spec) { s.Routes = []netip.Prefix{netip.MustParsePrefix("10.20.5.1/24")} },
	} {
		spec := Spec(b.Interface())
		change(&spec)
		if _, err := b.DataPath().Add(spec); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if !b.DataPath().Capabilities().IPv6 {
		spec := Spec(b.Interface())
		spec.Address = netip.MustParseAddr("2001:db8::1")
		if _, err := b.DataPath().Add(spec); !errors.Is(err, datapath.ErrNotSupported) {
			t.Errorf("IPv6: %v", err)
		}
	}
}
