package negotiate

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
	"time"

	"lnsgate/lns/ppp"

	"pgregory.net/rapid"
)

var (
	serverID  = InterfaceIDOf(1)
	offeredID = InterfaceIDOf(0x0211_22ff_fe33_4455)
	peerID    = InterfaceIDOf(0xa8bb_ccff_fedd_ee01)
	_         = driver((*IPv6CP)(nil))
)

func serverIPv6CP() *IPv6CP {
	return NewIPv6CP(IPv6CPConfig{Local: serverID, Suggest: offeredID})
}

func clientIPv6CP() *IPv6CP { return NewIPv6CP(IPv6CPConfig{}) }

func identifier(id InterfaceID) []byte { return ppp.AppendInterfaceID(nil, id) }

func TestRFC5072Section4_1_ServerAnswers(t *testing.T) {
	free, fixed := serverIPv6CP, func() *IPv6CP {
		return NewIPv6CP(IPv6CPConfig{Local: serverID, Assign: peerID, Suggest: offeredID})
	}
	clash := func() *IPv6CP { return NewIPv6CP(IPv6CPConfig{Local: serverID, Assign: serverID}) }
	other := InterfaceIDOf(2)
	compression := []byte{ppp.IPv6CPCompression, 4, 0, 0x61}
	for _, c := range []struct {
		name  string
		make  func() *IPv6CP
		asked []byte
		code  ppp.Code
		data  []byte
	}{
		{"an identifier of its own", free, identifier(peerID), ppp.ConfigureAck, identifier(peerID)},
		{"asks to be told", free, identifier(InterfaceID{}), ppp.ConfigureNak, identifier(offeredID)},
		{"the same as ours", free, identifier(serverID), ppp.ConfigureNak, identifier(offeredID)},
		{"cut short", free, []byte{1, 6, 1, 2, 3, 4}, ppp.ConfigureNak, identifier(offeredID)},
		{"too long", free, append([]byte{1, 12}, make([]byte, 10)...), ppp.ConfigureNak, identifier(offeredID)},
		{"without a value", free, []byte{1, 2}, ppp.ConfigureNak, identifier(offeredID)},
		{"no option at all", free, nil, ppp.ConfigureNak, identifier(offeredID)},
		{"compression", free, join(compression, identifier(peerID)), ppp.ConfigureReject, compression},
		{"unknown option", free, join([]byte{77, 3, 1}, identifier(peerID)), ppp.ConfigureReject, []byte{77, 3, 1}},
		{"the assigned one", fixed, identifier(peerID), ppp.ConfigureAck, identifier(peerID)},
		{"another than the assigned one", fixed, identifier(offeredID), ppp.ConfigureNak, identifier(peerID)},
		{"asks for the assigned one", fixed, identifier(InterfaceID{}), ppp.ConfigureNak, identifier(peerID)},
		{"the assigned one is ours", clash, identifier(InterfaceID{}), ppp.ConfigureNak, identifier(other)},
		{"both at zero", clientIPv6CP, identifier(InterfaceID{}), ppp.ConfigureReject, identifier(InterfaceID{})},
	} {
		t.Run(c.name, func(t *testing.T) {
			i := c.make()
			opening(t, i)
			if got := ask(t, i, 9, c.asked...); got.Code != c.code || !bytes.Equal(got.Data, c.data) {
				t.Errorf("%v % x, want %v % x", got.Code, got.Data, c.code, c.data)
			}
		})
	}
}

// TestRFC5072Section4_1_AnswersToOurRequest: what becomes of the identifier in our request, in each state that hears an answer.
func TestRFC5072Section4_1_AnswersToOurRequest(t *testing.T) {
	for _, c := range []struct {
		name   string
		config IPv6CPConfig
		code   ppp.Code
		data   []byte // nil: the options of our request
		next   []byte // the options of our next request
	}{
		{"client takes the suggestion", IPv6CPConfig{}, ppp.ConfigureNak, identifier(peerID), identifier(peerID)},
		{"client is suggested zero", IPv6CPConfig{}, ppp.ConfigureNak, identifier(InterfaceID{}), identifier(InterfaceID{})},
		{"client is suggested half of one", IPv6CPConfig{}, ppp.ConfigureNak, []byte{1, 4, 9, 9}, identifier(InterfaceID{})},
		{"client is rejected", IPv6CPConfig{}, ppp.ConfigureReject, nil, nil},
		{"server has a conflict", IPv6CPConfig{Local: serverID, Suggest: offeredID}, ppp.ConfigureNak, identifier(peerID), identifier(peerID)},
		{"server hears itself", IPv6CPConfig{Local: serverID, Suggest: offeredID}, ppp.ConfigureNak, identifier(offeredID), identifier(serverID)},
		{"server is rejected", IPv6CPConfig{Local: serverID, Suggest: offeredID}, ppp.ConfigureReject, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			i := NewIPv6CP(c.config)
			request := opening(t, i)
			data := c.data
			if data == nil {
				data = slices.Clone(request.Data)
			}
			var out Out
			i.Receive(packet(c.code, request.Identifier, data...), start, &out)
			if got := last(t, &out); got.Code != ppp.ConfigureRequest || !bytes.Equal(got.Data, c.next) {
				t.Errorf("%v % x, want % x", got.Code, got.Data, c.next)
			}
		})
	}
}

func TestRFC5072Section4_1_RejectOfWhatWasNotAskedIsNoAnswer(t *testing.T) {
	i := serverIPv6CP()
	request := opening(t, i)
	var out Out
	i.Receive(packet(ppp.ConfigureReject, request.Identifier, identifier(peerID)...), start, &out)
	if len(out.Frames) != 0 || i.State() != ReqSent {
		t.Errorf("%v, %d frames", i.State(), len(out.Frames))
	}
}

func TestIPv6CPOpensBetweenServerAndClient(t *testing.T) {
	for _, c := range []struct {
		name           string
		server, client IPv6CPConfig
		want           IPv6CPResult // as the client sees it
	}{
		{"client asks", IPv6CPConfig{Local: serverID, Suggest: offeredID}, IPv6CPConfig{}, IPv6CPResult{offeredID, serverID}},
		{"client has one", IPv6CPConfig{Local: serverID, Suggest: offeredID}, IPv6CPConfig{Local: peerID}, IPv6CPResult{peerID, serverID}},
		{"client must have another", IPv6CPConfig{Local: serverID, Assign: offeredID}, IPv6CPConfig{Local: peerID}, IPv6CPResult{offeredID, serverID}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, client := NewIPv6CP(c.server), NewIPv6CP(c.client)
			l := newLink(server, client)
			l.up()
			l.run(time.Second)
			l.mustOpen(t)
			if got := client.Result(); got != c.want {
				t.Errorf("client %+v", got)
			}
			if got := server.Result(); got != (IPv6CPResult{c.want.Peer, c.want.Local}) {
				t.Errorf("server %+v", got)
			}
		})
	}
}

// TestRFC5072Section4_1_ConflictIsResolved: both begin with the same identifier, and end with two.
func TestRFC5072Section4_1_ConflictIsResolved(t *testing.T) {
	server := serverIPv6CP()
	client := NewIPv6CP(IPv6CPConfig{Local: serverID, Suggest: peerID})
	l := newLink(server, client)
	l.up()
	l.run(time.Minute)
	l.mustOpen(t)
	if s, c := server.Result(), client.Result(); s.Local == s.Peer || c.Local == c.Peer || s.Local != c.Peer || s.Peer != c.Local {
		t.Errorf("server %+v, client %+v", s, c)
	}
}

func TestRFC5072Section4_1_LoopDoesNotConverge(t *testing.T) {
	i := serverIPv6CP()
	var out Out
	i.Open(start, &out)
	i.Up(start, &out)
	for n := 0; len(out.Frames) > 0; n++ {
		if n > 200 {
			t.Fatal("it never ends")
		}
		frames := out.Frames
		out = Out{}
		for _, f := range frames {
			i.Receive(f.Packet, start, &out)
		}
	}
	if i.State() == Opened {
		t.Error("a link with itself opens")
	}
}

// TestIPv6CPPeerWithoutIdentifierIsLetThrough: the Naks are bounded.
func TestIPv6CPPeerWithoutIdentifierIsLetThrough(t *testing.T) {
	i := serverIPv6CP()
	opening(t, i)
	for n := range uint8(defaultMaxFailure) {
		if got := ask(t, i, n); got.Code != ppp.ConfigureNak {
			t.Fatalf("request %d: %v", n, got.Code)
		}
	}
	if got := ask(t, i, 99); got.Code != ppp.ConfigureAck {
		t.Errorf("%v", got.Code)
	}
	if got := i.Result().Peer; got != (InterfaceID{}) {
		t.Errorf("peer %v", got)
	}
}

func TestIPv6CPProtocolRejected(t *testing.T) {
	i := serverIPv6CP()
	opening(t, i)
	var out Out
	i.ProtocolRejected(start, &out)
	if i.State() != Stopped || i.Reason() != MandatoryRejected || !slices.Equal(out.Changes, []Change{LayerFinished}) {
		t.Errorf("%v %v %v", i.State(), i.Reason(), out.Changes)
	}
}

func TestIPv6CPCodeRejectsLCPCodes(t *testing.T) {
	i := serverIPv6CP()
	opening(t, i)
	for code := ppp.ProtocolReject; code < 20; code++ {
		var out Out
		i.Receive(packet(code, 1, 0, 0, 0, 0), start, &out)
		if got := last(t, &out); got.Code != ppp.CodeReject || out.Frames[0].Protocol != ppp.IPv6CP {
			t.Errorf("%v is answered with %v", code, got.Code)
		}
	}
}

func TestRFC5072Section5_LinkLocalAddress(t *testing.T) {
	if got := offeredID.LinkLocal(); got != netip.MustParseAddr("fe80::211:22ff:fe33:4455") {
		t.Errorf("%v", got)
	}
	if (InterfaceID{}).LinkLocal().IsValid() || InterfaceIDOf(offeredID.Number()) != offeredID {
		t.Error("zero has an address, or a number is not kept")
	}
}

func TestPropertyIPv6CPConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) InterfaceID {
			return InterfaceIDOf(rapid.SampledFrom([]uint64{1, 2, 0xa8bb_ccff_fedd_ee01}).Draw(t, name))
		}
		config := IPv6CPConfig{Local: draw("server"), Suggest: draw("suggested")}
		if rapid.Bool().Draw(t, "assign") {
			config.Assign = draw("assigned")
		}
		var wish IPv6CPConfig
		if rapid.Bool().Draw(t, "client has one") {
			wish.Local = draw("client")
		}
		server, client := NewIPv6CP(config), NewIPv6CP(wish)
		l := newLink(server, client)
		l.delay, l.fate = drawDelay(t), unreliable(t)
		l.up()
		settle(l)
		if server.State() != Opened || client.State() != Opened {
			t.Fatalf("%v and %v", server.State(), client.State())
		}
		if s, c := server.Result(), client.Result(); s.Local == s.Peer || s.Local != c.Peer || s.Peer != c.Local {
			t.Fatalf("server %+v, client %+v", s, c)
		}
		balanced(t, l.ends[0])
		balanced(t, l.ends[1])
	})
}
