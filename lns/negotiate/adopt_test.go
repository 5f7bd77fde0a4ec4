package negotiate

import (
	"errors"
	"slices"
	"testing"
	"time"

	"lnsgate/lns/ppp"
)

// lacSent and lacReceived are what an LAC puts into the proxy AVPs.
var (
	lacSent     = join(ppp.AppendMRU(nil, 1492), authOption(AuthCHAPMD5), ppp.AppendMagic(nil, 0xaabbccdd))
	lacReceived = join([]byte{2, 6, 0, 10, 0, 0}, ppp.AppendMRU(nil, 1400), ppp.AppendMagic(nil, 0x01020304), []byte{7, 2, 8, 2})
)

func TestRFC2661Section4_4_5_ProxyLCPIsTakenOver(t *testing.T) {
	l := serverLCP()
	var out Out
	if err := l.Adopt(lacReceived, lacSent, lacReceived, start, &out); err != nil {
		t.Fatal(err)
	}
	want := LCPResult{LocalMRU: 1492, PeerMRU: 1400, Framing: ppp.Framing{PFC: true, ACFC: true}, Authentication: AuthCHAPMD5, PeerMagic: 0x01020304}
	if l.State() != Opened || l.Result() != want {
		t.Errorf("%v %+v", l.State(), l.Result())
	}
	if !slices.Equal(out.Changes, []Change{LayerUp}) || len(out.Frames) != 0 {
		t.Errorf("%v %v", out.Changes, out.Frames)
	}
	// The keep-alive runs, with the LAC's magic number.
	at := tick(t, l, &out)
	if got := last(t, &out); at.Sub(start) != 10*time.Second || got.Code != ppp.EchoRequest || got.Data[0] != 0xaa {
		t.Errorf("%v % x after %v", got.Code, got.Data, at.Sub(start))
	}
}

func TestProxyLCPWithoutInitialIsTakenOver(t *testing.T) {
	l := serverLCP()
	var out Out
	l.Open(start, &out)
	if err := l.Adopt(nil, lacSent, lacReceived, start, &out); err != nil || l.State() != Opened {
		t.Error(l.State(), err)
	}
}

func TestProxyLCPIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ initial, sent, received []byte }{
		"nothing sent":                     {lacReceived, nil, lacReceived},
		"nothing received":                 {lacReceived, lacSent, nil},
		"malformed initial":                {[]byte{1}, lacSent, lacReceived},
		"malformed sent":                   {nil, lacSent[:5], lacReceived},
		"malformed received":               {nil, lacSent, lacReceived[:7]},
		"another authentication":           {nil, authOption(AuthEAP), lacReceived},
		"unknown authentication":           {nil, []byte{3, 4, 0xc0, 0x27}, lacReceived},
		"no authentication":                {nil, ppp.AppendMagic(nil, 1), lacReceived},
		"multilink sent":                   {nil, join(lacSent, []byte{17, 4, 6, 0}), lacReceived},
		"multilink received":               {nil, lacSent, join(lacReceived, []byte{17, 4, 6, 0})},
		"callback":                         {nil, lacSent, join(lacReceived, []byte{13, 3, 6})},
		"the peer wants us to prove":       {nil, lacSent, join(lacReceived, authOption(AuthPAP))},
		"MRU too small":                    {nil, lacSent, ppp.AppendMRU(nil, 64)},
		"the packet header was not cut":    {nil, packet(ppp.ConfigureRequest, 1, lacSent...), lacReceived},
		"an option of the wrong size":      {nil, lacSent, []byte{5, 4, 1, 2}},
		"compression with a value":         {nil, lacSent, []byte{7, 3, 1}},
		"an option that nobody ever heard": {nil, lacSent, []byte{99, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			l := serverLCP()
			before := l.Result()
			var out Out
			err := l.Adopt(c.initial, c.sent, c.received, start, &out)
			if !errors.Is(err, ErrNotAdoptable) {
				t.Fatalf("error %v", err)
			}
			if l.State() != Initial || len(out.Changes)+len(out.Frames) != 0 || l.Result() != before {
				t.Errorf("something was changed: %v %+v", l.State(), l.Result())
			}
			openedLCP(t, l)
		})
	}
}

func TestProxyLCPWithoutAuthenticationWhenNoneIsWanted(t *testing.T) {
	l := NewLCP(LCPConfig{Magic: 1})
	var out Out
	if err := l.Adopt(nil, ppp.AppendMagic(nil, 1), lacReceived, start, &out); err != nil {
		t.Fatal(err)
	}
	if err := l.Adopt(nil, ppp.AppendMagic(nil, 1), lacReceived, start, &out); err == nil {
		t.Error("taken over twice")
	}
}

// TestProxyLCPThenThePeerNegotiates: the peer starts over although the LAC had
// finished.
func TestProxyLCPThenThePeerNegotiates(t *testing.T) {
	server, client := serverLCP(), clientLCP()
	l := newLink(server, client)
	l.do(0, func(_ *end, out *Out) {
		if err := server.Adopt(nil, lacSent, lacReceived, l.now, out); err != nil {
			t.Fatal(err)
		}
	})
	l.do(1, func(e *end, out *Out) { e.Open(l.now, out); e.Up(l.now, out) })
	l.run(5 * time.Second)
	l.mustOpen(t)
	if !slices.Equal(l.ends[0].all.Changes, []Change{LayerUp, LayerDown, LayerUp}) {
		t.Errorf("%v", l.ends[0].all.Changes)
	}
	if got := server.Result(); got.LocalMRU != 1460 || got.PeerMagic != 0x22222222 {
		t.Errorf("%+v", got)
	}
}
