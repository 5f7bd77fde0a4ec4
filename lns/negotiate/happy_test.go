package negotiate

import (
	"net/netip"
	"testing"
	"time"
	"unsafe"
)

var (
	headquarters = netip.MustParseAddr("10.10.0.1")
	assigned     = netip.MustParseAddr("10.10.1.10")
	dns1         = netip.MustParseAddr("10.1.1.53")
	dns2         = netip.MustParseAddr("10.1.2.53")
)

func serverLCP() *LCP {
	return NewLCP(LCPConfig{MRU: 1460, Magic: 0x11111111, Authentication: []AuthProtocol{AuthCHAPMD5, AuthPAP}, EchoInterval: 10 * time.Second, EchoFailures: 3})
}

func clientLCP() *LCP {
	return NewLCP(LCPConfig{MRU: 1400, Magic: 0x22222222, AcceptAuthentication: []AuthProtocol{AuthMSCHAPv2, AuthCHAPMD5}, RequestPFC: true, RequestACFC: true})
}

func serverIPCP() *IPCP {
	return NewIPCP(IPCPConfig{Local: headquarters, Assign: assigned, DNS: [2]netip.Addr{dns1, dns2}})
}

func clientIPCP() *IPCP {
	return NewIPCP(IPCPConfig{RequestAddress: true, RequestDNS: true})
}

func TestLCPOpensBetweenServerAndClient(t *testing.T) {
	server, client := serverLCP(), clientLCP()
	l := newLink(server, client)
	l.up()
	l.run(time.Second)
	l.mustOpen(t)
	want := LCPResult{LocalMRU: 1460, PeerMRU: 1400, Authentication: AuthCHAPMD5, PeerMagic: 0x22222222}
	want.Framing.PFC, want.Framing.ACFC = true, true
	if got := server.Result(); got != want {
		t.Errorf("server: %+v, want %+v", got, want)
	}
	want = LCPResult{LocalMRU: 1400, PeerMRU: 1400, Authentication: AuthCHAPMD5, PeerMagic: 0x11111111}
	if got := client.Result(); got != want {
		t.Errorf("client: %+v, want %+v", got, want)
	}
	for i, e := range l.ends {
		if e.count(LayerUp) != 1 || e.count(LayerDown) != 0 || e.count(LayerStarted) != 1 {
			t.Errorf("end %d: changes %v", i, e.all.Changes)
		}
		if n := len(e.all.Frames); n != 2 {
			t.Errorf("end %d sent %d packets, want its request and an Ack:\n%s", i, n, dialogue(e.all.Frames))
		}
	}
}

func TestIPCPOpensBetweenServerAndClient(t *testing.T) {
	server, client := serverIPCP(), clientIPCP()
	l := newLink(server, client)
	l.up()
	l.run(time.Second)
	l.mustOpen(t)
	if got := server.Result(); got.Local != headquarters || got.Peer != assigned {
		t.Errorf("server: %+v", got)
	}
	want := IPCPResult{Local: assigned, Peer: headquarters, DNS: [2]netip.Addr{dns1, dns2}}
	if got := client.Result(); got != want {
		t.Errorf("client: %+v, want %+v", got, want)
	}
	for i, e := range l.ends {
		if e.count(LayerUp) != 1 || e.count(LayerDown) != 0 {
			t.Errorf("end %d: changes %v", i, e.all.Changes)
		}
	}
}

// TestMachinesAreSmall guards the memory of an idle session.
func TestMachinesAreSmall(t *testing.T) {
	if n := unsafe.Sizeof(LCP{}); n > 480 {
		t.Errorf("an LCP takes %d octets", n)
	}
	if n := unsafe.Sizeof(IPCP{}); n > 480 {
		t.Errorf("an IPCP takes %d octets", n)
	}
	t.Logf("LCP %d, IPCP %d", unsafe.Sizeof(LCP{}), unsafe.Sizeof(IPCP{}))
}
