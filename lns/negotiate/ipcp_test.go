package negotiate

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"lnsgate/lns/ppp"
)

func address(optionType uint8, a string) []byte {
	return ppp.AppendAddress(nil, optionType, netip.MustParseAddr(a))
}

func join(lists ...[]byte) []byte { return bytes.Join(lists, nil) }

func TestRFC1332Section3_3_ServerAnswers(t *testing.T) {
	mine := address(3, "10.10.1.10")
	for _, c := range []struct {
		name  string
		asked []byte
		code  ppp.Code
		data  []byte
	}{
		{"asks to be told", address(3, "0.0.0.0"), ppp.ConfigureNak, mine},
		{"asks for another", address(3, "192.168.1.5"), ppp.ConfigureNak, mine},
		{"asks for the right one", mine, ppp.ConfigureAck, mine},
		{"address cut short", []byte{3, 4, 10, 10}, ppp.ConfigureNak, mine},
		{"address without a value", []byte{3, 2}, ppp.ConfigureNak, mine},
		{"no option at all", nil, ppp.ConfigureNak, mine},
		{"both addresses, deprecated", join([]byte{1, 10}, make([]byte, 8), mine), ppp.ConfigureReject, join([]byte{1, 10}, make([]byte, 8))},
		{"compression", join([]byte{2, 6, 0, 0x2d, 15, 1}, mine), ppp.ConfigureReject, []byte{2, 6, 0, 0x2d, 15, 1}},
		{"mobile IP", join([]byte{4, 6, 1, 2, 3, 4}, mine), ppp.ConfigureReject, []byte{4, 6, 1, 2, 3, 4}},
		{"DNS 1 to be told", join(mine, address(129, "0.0.0.0")), ppp.ConfigureNak, address(129, "10.1.1.53")},
		{"DNS 2 of its own", join(mine, address(131, "8.8.8.8")), ppp.ConfigureNak, address(131, "10.1.2.53")},
		{"right DNS", join(mine, address(129, "10.1.1.53")), ppp.ConfigureAck, join(mine, address(129, "10.1.1.53"))},
		{"NBNS that we have not", join(mine, address(130, "0.0.0.0"), address(132, "0.0.0.0")), ppp.ConfigureReject, join(address(130, "0.0.0.0"), address(132, "0.0.0.0"))},
		{"DNS without address", address(129, "0.0.0.0"), ppp.ConfigureNak, join(address(129, "10.1.1.53"), mine)},
	} {
		t.Run(c.name, func(t *testing.T) {
			i := serverIPCP()
			opening(t, i)
			if got := ask(t, i, 9, c.asked...); got.Code != c.code || !bytes.Equal(got.Data, c.data) {
				t.Errorf("%v % x, want %v % x", got.Code, got.Data, c.code, c.data)
			}
		})
	}
}

func TestRFC1877_NBNSIsGivenWhenThereIsOne(t *testing.T) {
	i := NewIPCP(IPCPConfig{Local: headquarters, Assign: assigned, NBNS: [2]netip.Addr{dns1, {}}})
	opening(t, i)
	all := join(address(3, "0.0.0.0"), address(129, "0.0.0.0"), address(130, "0.0.0.0"), address(131, "0.0.0.0"), address(132, "0.0.0.0"))
	if got := ask(t, i, 1, all...); got.Code != ppp.ConfigureReject || !bytes.Equal(got.Data, join(address(129, "0.0.0.0"), address(131, "0.0.0.0"), address(132, "0.0.0.0"))) {
		t.Errorf("%v % x", got.Code, got.Data)
	}
	if got := ask(t, i, 2, join(address(3, "0.0.0.0"), address(130, "0.0.0.0"))...); got.Code != ppp.ConfigureNak || !bytes.Equal(got.Data, join(address(3, "10.10.1.10"), address(130, "10.1.1.53"))) {
		t.Errorf("%v % x", got.Code, got.Data)
	}
}

// TestPeerWithoutAddressIsLetThrough: the Naks are bounded, and the peer ends up
// with the address that was meant for it.
func TestPeerWithoutAddressIsLetThrough(t *testing.T) {
	i := serverIPCP()
	opening(t, i)
	for n := range uint8(defaultMaxFailure) {
		if got := ask(t, i, n); got.Code != ppp.ConfigureNak {
			t.Fatalf("request %d: %v", n, got.Code)
		}
	}
	if got := ask(t, i, 99); got.Code != ppp.ConfigureAck {
		t.Errorf("%v", got.Code)
	}
	if got := i.Result().Peer; got != assigned {
		t.Errorf("peer %v", got)
	}
}

// TestStubbornAddressEndsTheNegotiation: the address is never rejected, and yet
// it does not go on for ever.
func TestStubbornAddressEndsTheNegotiation(t *testing.T) {
	i := serverIPCP()
	opening(t, i)
	var out Out
	for n := 0; i.State() == ReqSent; n++ {
		if n > 100 {
			t.Fatal("it never ends")
		}
		i.Receive(packet(ppp.ConfigureRequest, uint8(n), address(3, "192.168.1.5")...), start, &out)
	}
	for _, f := range out.Frames {
		if ppp.Code(f.Packet[0]) == ppp.ConfigureReject {
			t.Error("the address was rejected")
		}
	}
	if i.State() != Stopped || i.Reason() != NotConverging || !slices.Equal(out.Changes, []Change{LayerFinished}) {
		t.Errorf("%v %v %v", i.State(), i.Reason(), out.Changes)
	}
	if !strings.Contains(i.Detail(), "the peer insists on address 192.168.1.5; our answer is Configure-Nak: address 10.") {
		t.Error(i.Detail())
	}
}

// TestPeerThatOnlyAcksIsGivenUp: it never asks anything itself.
func TestPeerThatOnlyAcksIsGivenUp(t *testing.T) {
	l := serverLCP()
	request := opening(t, l)
	var out Out
	now := start
	for n := 0; l.State() != Stopped; n++ {
		if n > 100 {
			t.Fatal("it never ends")
		}
		l.Receive(packet(ppp.ConfigureAck, request.Identifier, request.Data...), now, &out)
		now = tick(t, l, &out)
		request = last(t, &out)
	}
	if l.Reason() != NotConverging || !strings.Contains(l.Detail(), "acknowledges our requests, and sends none") {
		t.Errorf("%v, %s", l.Reason(), l.Detail())
	}
}

// TestPeerThatNaksEverythingIsGivenUp: it is never content.
func TestPeerThatNaksEverythingIsGivenUp(t *testing.T) {
	l := serverLCP()
	request := opening(t, l)
	var out Out
	for n := 0; l.State() == ReqSent; n++ {
		if n > 100 {
			t.Fatal("it never ends")
		}
		l.Receive(packet(ppp.ConfigureNak, request.Identifier, 1, 4, 5, byte(n)), start, &out)
		if len(out.Frames) > 0 {
			request = last(t, &out)
		}
	}
	if l.Reason() != NotConverging || !strings.Contains(l.Detail(), "the peer's answer is Configure-Nak: MRU 12") {
		t.Errorf("%v, %s", l.Reason(), l.Detail())
	}
}

func TestServerKeepsItsOwnAddress(t *testing.T) {
	i := serverIPCP()
	request := opening(t, i)
	var out Out
	i.Receive(packet(ppp.ConfigureNak, request.Identifier, address(3, "1.2.3.4")...), start, &out)
	if got := last(t, &out); got.Code != ppp.ConfigureRequest || !bytes.Equal(got.Data, address(3, "10.10.0.1")) {
		t.Errorf("%v % x", got.Code, got.Data)
	}
	i.Receive(packet(ppp.ConfigureReject, last(t, &out).Identifier, address(3, "10.10.0.1")...), start, &out)
	if got := last(t, &out); got.Code != ppp.ConfigureRequest || len(got.Data) != 0 {
		t.Errorf("%v % x", got.Code, got.Data)
	}
}

func TestClientTakesWhatIsGiven(t *testing.T) {
	i := clientIPCP()
	request := opening(t, i)
	if want := join(address(3, "0.0.0.0"), address(129, "0.0.0.0"), address(131, "0.0.0.0")); !bytes.Equal(request.Data, want) {
		t.Fatalf("asks % x", request.Data)
	}
	var out Out
	i.Receive(packet(ppp.ConfigureReject, request.Identifier, address(131, "0.0.0.0")...), start, &out)
	request = last(t, &out)
	i.Receive(packet(ppp.ConfigureNak, request.Identifier, join(address(3, "10.10.1.10"), address(129, "10.1.1.53"), address(131, "9.9.9.9"), []byte{3, 3, 1})...), start, &out)
	request = last(t, &out)
	if want := join(address(3, "10.10.1.10"), address(129, "10.1.1.53")); !bytes.Equal(request.Data, want) {
		t.Fatalf("asks % x", request.Data)
	}
	i.Receive(packet(ppp.ConfigureAck, request.Identifier, request.Data...), start, &out)
	if got := ask(t, i, 1, address(3, "10.10.0.1")...); got.Code != ppp.ConfigureAck {
		t.Errorf("%v", got.Code)
	}
	if want := (IPCPResult{Local: assigned, Peer: headquarters, DNS: [2]netip.Addr{dns1}}); i.State() != Opened || i.Result() != want {
		t.Errorf("%v %+v", i.State(), i.Result())
	}
}

func TestClientRefusesToServe(t *testing.T) {
	i := clientIPCP()
	opening(t, i)
	if got := ask(t, i, 1, join(address(3, "10.10.0.1"), address(129, "0.0.0.0"), []byte{2, 6, 0, 0x2d, 15, 1})...); got.Code != ppp.ConfigureReject || !bytes.Equal(got.Data, join(address(129, "0.0.0.0"), []byte{2, 6, 0, 0x2d, 15, 1})) {
		t.Errorf("%v % x", got.Code, got.Data)
	}
}

func TestClientAgainstServerWithoutDNS(t *testing.T) {
	server := NewIPCP(IPCPConfig{Local: headquarters, Assign: assigned})
	client := clientIPCP()
	l := newLink(server, client)
	l.up()
	l.run(time.Second)
	l.mustOpen(t)
	if want := (IPCPResult{Local: assigned, Peer: headquarters}); client.Result() != want {
		t.Errorf("%+v", client.Result())
	}
}

func TestIPCPProtocolRejected(t *testing.T) {
	i := serverIPCP()
	opening(t, i)
	var out Out
	i.ProtocolRejected(start, &out)
	if i.State() != Stopped || i.Reason() != MandatoryRejected || !slices.Equal(out.Changes, []Change{LayerFinished}) {
		t.Errorf("%v %v %v", i.State(), i.Reason(), out.Changes)
	}
}

func TestIPCPCodeRejectsLCPCodes(t *testing.T) {
	i := serverIPCP()
	opening(t, i)
	for code := ppp.ProtocolReject; code < 20; code++ {
		var out Out
		i.Receive(packet(code, 1, 0, 0, 0, 0), start, &out)
		if got := last(t, &out); got.Code != ppp.CodeReject || out.Frames[0].Protocol != ppp.IPCP {
			t.Errorf("%v is answered with %v", code, got.Code)
		}
	}
}

func TestIPCPCodeRejectIsCutToThePeersMRU(t *testing.T) {
	i := NewIPCP(IPCPConfig{Local: headquarters, Assign: assigned, PeerMRU: 300})
	opening(t, i)
	var out Out
	i.Receive(packet(99, 1, make([]byte, 900)...), start, &out)
	if n := len(out.Frames[0].Packet); n != 300 {
		t.Errorf("%d octets", n)
	}
}

// TestAddressInIPv6Form: the configuration may hold 10.10.1.10 as ::ffff:10.10.1.10.
func TestAddressInIPv6Form(t *testing.T) {
	mapped := netip.AddrFrom16(assigned.As16())
	i := NewIPCP(IPCPConfig{Local: headquarters, Assign: mapped, DNS: [2]netip.Addr{mapped, {}}})
	opening(t, i)
	if got := ask(t, i, 1, join(address(3, "10.10.1.10"), address(129, "10.10.1.10"))...); got.Code != ppp.ConfigureAck {
		t.Errorf("%v % x", got.Code, got.Data)
	}
}

// TestClientThatWishesForAnAddress gets the one the server has in mind.
func TestClientThatWishesForAnAddress(t *testing.T) {
	client := NewIPCP(IPCPConfig{Local: netip.MustParseAddr("10.10.1.99"), RequestAddress: true})
	l := newLink(serverIPCP(), client)
	l.up()
	l.run(time.Second)
	l.mustOpen(t)
	if got := client.Result().Local; got != assigned {
		t.Errorf("%v", got)
	}
}
