package tun

import (
	"net/netip"
	"testing"

	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
)

const (
	server6 = "2001:db8:1::80"
	client6 = "2001:db8:100:7::99"
)

// newDual is an idle data path with a dual stack session among others.
func newDual(t testing.TB) (*DataPath, *port, datapath.Spec) {
	d, p := newIdle(t, deaf{})
	for n := range 1000 {
		spec := specOf(n)
		spec.MSS6 = 1200
		spec.IPv6 = []netip.Prefix{netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 1, 0, byte(n >> 8), byte(n)}), 64)}
		if _, err := d.Add(spec); err != nil {
			t.Fatal(err)
		}
	}
	return d, p, specOf(7)
}

func up6(n int, packet []byte) []byte {
	return append([]byte{0, 2, 0, 0, byte(n >> 8), byte(n), 0xFF, 3, 0, 0x57}, packet...)
}

func TestIPv6CostsNoAllocation(t *testing.T) {
	d, p, spec := newDual(t)
	in := d.Ingress()
	good := up6(7, datapathtest.Packet{Source: client6, Destination: server6, Payload: 1000}.Bytes6())
	good[2], good[3] = byte(spec.Key.Tunnel>>8), byte(spec.Key.Tunnel)
	good[4], good[5] = byte(spec.Key.Session>>8), byte(spec.Key.Session)
	in.Receive(spec.Path, good)
	in.Flush()
	if n := testing.AllocsPerRun(1000, func() { in.Receive(spec.Path, good); in.Flush() }); n != 0 {
		t.Errorf("a packet up costs %v allocations", n)
	}
	e := newEgress(d, p, 0)
	packet := datapathtest.Packet{Source: server6, Destination: client6, Payload: 1000}.Bytes6()
	down := func() {
		e.packets[0] = extent{Offset: headroom, Size: copy(e.slab[headroom:], packet)}
		e.batch(1)
	}
	down()
	if n := testing.AllocsPerRun(1000, down); n != 0 {
		t.Errorf("a packet down costs %v allocations", n)
	}
	for reason, n := range d.Drops() {
		if n != 0 {
			t.Errorf("%s: %d dropped", reason, n)
		}
	}
}

// TestExtensionHeadersBeforeTCP: the segment size is found behind them, and nothing is read behind the end.
func TestExtensionHeadersBeforeTCP(t *testing.T) {
	syn := datapathtest.Packet{Source: client6, Destination: server6, Port: 80, SYN: true, MSS: 1440}.Bytes6()
	header, tcp := syn[:ipv6HeaderLen], syn[ipv6HeaderLen:]
	chain := func(first byte, extensions ...byte) []byte {
		b := append(append(append([]byte(nil), header...), extensions...), tcp...)
		b[atNextHeader] = first
		b[atPayloadLength], b[atPayloadLength+1] = byte((len(b)-ipv6HeaderLen)>>8), byte(len(b)-ipv6HeaderLen)
		return b
	}
	for name, c := range map[string]struct {
		packet  []byte
		clamped bool
	}{
		"none":           {chain(protocolTCP), true},
		"hop by hop":     {chain(0, protocolTCP, 0, 1, 4, 0, 0, 0, 0), true},
		"two":            {chain(60, 43, 0, 1, 4, 0, 0, 0, 0, protocolTCP, 0, 0, 0, 0, 0, 0, 0), true},
		"first fragment": {chain(44, protocolTCP, 0, 0, 1, 0, 0, 0, 9), true},
		"later fragment": {chain(44, protocolTCP, 0, 0, 9, 0, 0, 0, 9), false},
		"too long":       {chain(0, protocolTCP, 200, 1, 4, 0, 0, 0, 0), false},
		"unknown":        {chain(99, protocolTCP, 0, 1, 4, 0, 0, 0, 0), false},
	} {
		s := &session{mss6: 1300}
		p, ok := cutIPv6(c.packet)
		if !ok {
			t.Fatal(name)
		}
		s.clamp(p)
		if got := int(p[len(p)-2])<<8 | int(p[len(p)-1]); (got == 1300) != c.clamped {
			t.Errorf("%s: announces %d", name, got)
		}
		for n := range c.packet {
			if p, ok := cutIPv6(c.packet[:n]); ok {
				s.clamp(p)
				deservesError6(p)
			}
		}
	}
}

func TestRFC4443Section2_4_WhatDeservesAnError(t *testing.T) {
	packet := func(source string, protocol byte, payload ...byte) []byte {
		b := append([]byte{0x60, 0, 0, 0, 0, byte(len(payload)), protocol, 64}, netip.MustParseAddr(source).AsSlice()...)
		return append(append(b, netip.MustParseAddr(client6).AsSlice()...), payload...)
	}
	for name, c := range map[string]struct {
		packet []byte
		want   bool
	}{
		"UDP":            {packet(server6, 17, make([]byte, 8)...), true},
		"ping":           {packet(server6, 58, 128, 0), true},
		"an error":       {packet(server6, 58, 1, 0), false},
		"a redirect":     {packet(server6, 58, 137, 0), false},
		"nothing to see": {packet(server6, 58), false},
		"a group":        {packet("ff02::1", 17, make([]byte, 8)...), false},
		"nobody":         {packet("::", 17, make([]byte, 8)...), false},
		"later fragment": {packet(server6, 44, 17, 0, 0, 9, 0, 0, 0, 1), false},
	} {
		if got := deservesError6(c.packet); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if !isRedirect6(packet(server6, 58, 137, 0)) || isRedirect6(packet(server6, 58, 128, 0)) {
		t.Error("redirects")
	}
}

func FuzzIPv6(f *testing.F) {
	f.Add(datapathtest.Packet{Source: client6, Destination: server6, Port: 80, SYN: true, MSS: 1440}.Bytes6())
	f.Add(datapathtest.Packet{Source: server6, Destination: client6, Payload: 1400}.Bytes6())
	d, p, spec := newDual(f)
	in, e := d.Ingress(), newEgress(d, p, 0)
	f.Fuzz(func(_ *testing.T, b []byte) {
		if len(b) > 2000 {
			return
		}
		up := up6(7, b)
		up[2], up[3] = byte(spec.Key.Tunnel>>8), byte(spec.Key.Tunnel)
		up[4], up[5] = byte(spec.Key.Session>>8), byte(spec.Key.Session)
		in.Receive(spec.Path, up)
		in.Flush()
		e.packets[0] = extent{Offset: headroom, Size: copy(e.slab[headroom:], b)}
		e.batch(1)
	})
}
