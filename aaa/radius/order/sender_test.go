package order

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
	"lnsgate/aaa/radius/client"
	"lnsgate/aaa/radius/dialect"
	"lnsgate/aaa/radius/wire"
)

// TestRFC5176Section2_WhatTheNASAnswers has yes and no for both kinds.
func TestRFC5176Section2_WhatTheNASAnswers(t *testing.T) {
	for _, test := range []struct {
		kind foreign.OrderKind
		code radius.Code
		with func(*radius.Packet)
		want foreign.Answer
	}{
		{foreign.Disconnect, radius.CodeDisconnectACK, signed, foreign.Answer{Done: true, OK: true, Text: "acknowledged"}},
		{foreign.Change, radius.CodeCoAACK, func(*radius.Packet) {}, foreign.Answer{Done: true, OK: true, Text: "acknowledged"}},
		{foreign.Disconnect, radius.CodeDisconnectNAK, refusing(503), foreign.Answer{Done: true, Lost: true, Text: "refused: session not found (503)"}},
		{foreign.Change, radius.CodeCoANAK, refusing(503), foreign.Answer{Done: true, Lost: true, Text: "refused: session not found (503)"}},
		{foreign.Disconnect, radius.CodeDisconnectNAK, refusing(501), foreign.Answer{Done: true, Text: "refused: forbidden by the administrator of the NAS (501)"}},
		{foreign.Disconnect, radius.CodeDisconnectNAK, refusing(404), foreign.Answer{Done: true, Text: "refused: invalid request (404)"}},
		{foreign.Change, radius.CodeCoANAK, refusing(401), foreign.Answer{Done: true, Text: "refused: unsupported attribute (401)"}},
		{foreign.Change, radius.CodeCoANAK, refusing(406), foreign.Answer{Done: true, Text: "refused: unsupported extension (406)"}},
		{foreign.Change, radius.CodeCoANAK, refusing(7000), foreign.Answer{Done: true, Text: "refused: error cause 7000"}},
		{foreign.Change, radius.CodeCoANAK, func(*radius.Packet) {}, foreign.Answer{Done: true, Text: "refused, and the NAS does not say why"}},
		{foreign.Change, radius.CodeCoANAK, func(p *radius.Packet) { p.Add(typeErrorCause, []byte{1}) }, foreign.Answer{Done: true, Text: "refused, and the NAS does not say why"}},
	} {
		o, nas := change(dialect.Mikrotik)
		o.Kind = test.kind
		bubble(t, Config{NAS: known(nas)}, func(t *testing.T, n *network, s *Sender) {
			n.nas = func(n *network, _ int, octets []byte, to netip.AddrPort) {
				n.send(time.Millisecond, reply(octets, test.code, test.with), to)
			}
			if got := s.Send(background(), o); got != test.want {
				t.Errorf("%+v instead of %+v", got, test.want)
			}
			stats := s.Stats()
			if ok := stats.Done == 1; ok != test.want.OK || stats.Done+stats.Refused != 1 {
				t.Errorf("%+v", stats)
			}
		})
	}
}

// TestANameTooManyIsLeftOut has NASes that refuse names, and want to hear Acct-Session-Id alone.
func TestANameTooManyIsLeftOut(t *testing.T) {
	for _, refusal := range []uint32{401, 407} {
		bubble(t, Config{}, func(t *testing.T, n *network, s *Sender) {
			n.nas = func(n *network, number int, octets []byte, to netip.AddrPort) {
				v, _ := key.VerifyRequest(octets)
				if kinds(key.Parse(v)) != "80 44 55" {
					n.send(0, reply(octets, radius.CodeDisconnectNAK, refusing(refusal)), to)
					return
				}
				n.send(0, reply(octets, radius.CodeDisconnectACK), to)
			}
			if got := s.Send(background(), disconnect()); !got.OK || len(n.arrivals()) != 2 {
				t.Errorf("%+v %d", got, len(n.arrivals()))
			}
		})
	}
}

// TestRFC5080Section2_2_1_SameOctetsUntilAnswered has a NAS that is silent for n tries.
func TestRFC5080Section2_2_1_SameOctetsUntilAnswered(t *testing.T) {
	for silent := range 4 {
		bubble(t, Config{}, func(t *testing.T, n *network, s *Sender) {
			n.nas = func(n *network, number int, octets []byte, to netip.AddrPort) {
				if number > silent {
					n.send(time.Millisecond, reply(octets, positive(octets)), to)
				}
			}
			if got := s.Send(background(), disconnect()); !got.OK {
				t.Errorf("%+v", got)
			}
			got := n.arrivals()
			if len(got) != silent+1 || s.Stats().Repeated != uint64(silent) {
				t.Errorf("%d transmissions after %d were lost", len(got), silent)
			}
			for i := 1; i < len(got); i++ {
				gap, want := got[i].at.Sub(got[i-1].at), 2*time.Second<<(i-1)
				if !bytes.Equal(got[i].octets, got[0].octets) || gap < want*8/10 || gap > want*12/10 {
					t.Errorf("try %d came after %s", i, gap)
				}
			}
		})
	}
}

// TestSilence gives up after half a minute.
func TestSilence(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, n *network, s *Sender) {
		began := time.Now()
		got := s.Send(background(), disconnect())
		if took := time.Since(began); got.Done || got.OK || !strings.Contains(got.Text, "no answer from 192.0.2.1:3799: ") || took != 30*time.Second {
			t.Errorf("%+v after %s", got, took)
		}
	})
}

func TestFewTries(t *testing.T) {
	bubble(t, Config{Retry: client.RetryConfig{Initial: time.Second, Count: 3}}, func(t *testing.T, n *network, s *Sender) {
		if got := s.Send(background(), disconnect()); got.Text != "no answer from 192.0.2.1:3799: 3 tries in 7s" || len(n.arrivals()) != 3 {
			t.Errorf("%+v", got)
		}
	})
}

// TestOnlyTheAnswerIsOne throws all kinds of datagrams at a request that waits, and then its answer.
func TestOnlyTheAnswerIsOne(t *testing.T) {
	elsewhere := netip.MustParseAddrPort("192.0.2.2:3799")
	otherPort := netip.AddrPortFrom(there.Addr(), 3800)
	for name, test := range map[string]struct {
		make    func(octets []byte) []byte
		from    netip.AddrPort
		counted func(Stats) uint64
	}{
		"another NAS":         {func(o []byte) []byte { return reply(o, positive(o)) }, elsewhere, func(s Stats) uint64 { return s.Stranger }},
		"another port":        {func(o []byte) []byte { return reply(o, positive(o)) }, otherPort, func(s Stats) uint64 { return s.Stranger }},
		"nothing":             {func(o []byte) []byte { return nil }, there, func(s Stats) uint64 { return s.Malformed }},
		"half":                {func(o []byte) []byte { return reply(o, positive(o))[:19] }, there, func(s Stats) uint64 { return s.Malformed }},
		"cut":                 {func(o []byte) []byte { return reply(o, positive(o), signed)[:30] }, there, func(s Stats) uint64 { return s.Malformed }},
		"the request itself":  {func(o []byte) []byte { return o }, there, func(s Stats) uint64 { return s.Forged }},
		"another code":        {func(o []byte) []byte { return reply(o, radius.CodeCoAACK) }, there, func(s Stats) uint64 { return s.Malformed }},
		"an accept":           {func(o []byte) []byte { return reply(o, radius.CodeAccessAccept) }, there, func(s Stats) uint64 { return s.Malformed }},
		"another identifier":  {func(o []byte) []byte { b := reply(o, positive(o)); b[1]++; return b }, there, func(s Stats) uint64 { return s.Late }},
		"changed":             {func(o []byte) []byte { b := reply(o, 42, refusing(503)); b[len(b)-1]++; return b }, there, func(s Stats) uint64 { return s.Forged }},
		"yes made of no":      {func(o []byte) []byte { b := reply(o, 42); b[0] = 41; return b }, there, func(s Stats) uint64 { return s.Forged }},
		"another secret":      {withSecret("another"), there, func(s Stats) uint64 { return s.Forged }},
		"a signature forged":  {badlySigned, there, func(s Stats) uint64 { return s.Forged }},
		"to another request":  {func(o []byte) []byte { b := append([]byte(nil), o...); b[4]++; return replyUnchecked(b) }, there, func(s Stats) uint64 { return s.Forged }},
		"lengths in disorder": {func(o []byte) []byte { b := reply(o, 42, refusing(503)); b[21] = 200; return b }, there, func(s Stats) uint64 { return s.Malformed }},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, n *network, s *Sender) {
				n.nas = func(n *network, _ int, octets []byte, to netip.AddrPort) {
					n.send(time.Millisecond, test.make(octets), test.from)
					n.send(time.Second, append(reply(octets, positive(octets), signed), "padding"...), to)
				}
				began := time.Now()
				if got := s.Send(background(), disconnect()); !got.OK || time.Since(began) != time.Second || len(n.arrivals()) != 1 {
					t.Errorf("%+v", got)
				}
				if stats := s.Stats(); test.counted(stats) != 1 || stats.Stranger+stats.Malformed+stats.Forged+stats.Late != 1 {
					t.Errorf("%+v", stats)
				}
			})
		})
	}
}

func withSecret(other string) func([]byte) []byte {
	return func(o []byte) []byte {
		v, _ := key.VerifyRequest(o)
		b, _ := wire.NewKey(other).AppendReply(nil, key.Parse(v).Response(positive(o)))
		return b
	}
}

func replyUnchecked(o []byte) []byte {
	p := &radius.Packet{Code: positive(o), Identifier: o[1], Authenticator: [16]byte(o[4:20])}
	b, _ := key.AppendReply(nil, p)
	return b
}

// badlySigned has a right Response Authenticator around a wrong Message-Authenticator: the one of padding that an attacker
// who cannot sign leaves.
func badlySigned(o []byte) []byte {
	b := reply(o, positive(o))
	p := &radius.Packet{Code: radius.Code(b[0]), Identifier: b[1], Authenticator: [16]byte(o[4:20])}
	p.Add(200, append([]byte{}, make([]byte, 16)...))
	b, _ = key.AppendReply(nil, p)
	b[20] = typeMessageAuth
	return resealed(b, o)
}

func TestALateAnswerIsOfNoUse(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, n *network, s *Sender) {
		n.nas = func(n *network, number int, octets []byte, to netip.AddrPort) {
			if number == 1 {
				n.send(40*time.Second, reply(octets, positive(octets)), to)
			}
		}
		if got := s.Send(background(), disconnect()); got.Done {
			t.Errorf("%+v", got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if s.Stats().Late != 1 {
			t.Errorf("%+v", s.Stats())
		}
	})
}

func TestASecondCopyOfAnAnswerIsOfNoUse(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, n *network, s *Sender) {
		n.nas = func(n *network, number int, octets []byte, to netip.AddrPort) {
			n.send(0, reply(octets, positive(octets)), to)
			n.send(time.Millisecond, reply(octets, positive(octets)), to)
		}
		if got := s.Send(background(), disconnect()); !got.OK {
			t.Errorf("%+v", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if s.Stats().Late != 1 {
			t.Errorf("%+v", s.Stats())
		}
	})
}

// TestWhatCannotBeSaid is done at once, and nothing is sent.
func TestWhatCannotBeSaid(t *testing.T) {
	filter := ""
	for words, f := range map[string]func(o *foreign.Order, nas *NAS){
		`there is no client "gone" any more`:      func(o *foreign.Order, _ *NAS) { o.Session.NAS.Client = "gone" },
		`client "box" is never told anything`:     func(_ *foreign.Order, nas *NAS) { nas.Port = -1 },
		"it is not known where the NAS is":        func(o *foreign.Order, _ *NAS) { o.Session.NAS.Address = netip.Addr{} },
		"is not in the network 203.0.113.0/24 of": func(_ *foreign.Order, nas *NAS) { nas.Within = netip.MustParsePrefix("203.0.113.0/24") },
		"did not say yet what it calls":           func(o *foreign.Order, _ *NAS) { o.Session.NAS.Session = "" },
		"the session is not one of another NAS":   func(o *foreign.Order, _ *NAS) { o.Session.NAS = nil },
		"there is nothing to be done":             func(o *foreign.Order, _ *NAS) { o.Kind = 0 },
		"the standard has no word for them":       func(o *foreign.Order, _ *NAS) { o.Kind, o.Changed.RateUp = foreign.Change, new(uint64) },
		"there is no word for no filter":          func(o *foreign.Order, _ *NAS) { o.Kind, o.Changed.Filter = foreign.Change, &filter },
		"accel-ppp takes it at login alone": func(o *foreign.Order, nas *NAS) {
			o.Kind, o.Changed.IdleTimeout, nas.Equipment = foreign.Change, new(time.Duration), dialect.Accel
		},
		"count when it is made, and no more for": func(o *foreign.Order, nas *NAS) {
			o.Kind, o.Changed.RateUp, nas.Equipment = foreign.Change, new(uint64), dialect.Cisco
		},
	} {
		o, nas := disconnect(), NAS{}
		f(&o, &nas)
		bubble(t, Config{NAS: known(nas)}, func(t *testing.T, n *network, s *Sender) {
			if got := s.Send(background(), o); !got.Done || got.OK || got.Lost || !strings.Contains(got.Text, words) || len(n.arrivals()) != 0 {
				t.Errorf("%s: %+v", words, got)
			}
		})
	}
}

// TestNothingToSayIsAYes is for a change that does not concern the NAS.
func TestNothingToSayIsAYes(t *testing.T) {
	o := disconnect()
	o.Kind, o.Changed = foreign.Change, aaa.Change{Interim: new(time.Duration)}
	bubble(t, Config{}, func(t *testing.T, n *network, s *Sender) {
		if got := s.Send(background(), o); !got.Done || !got.OK || len(n.arrivals()) != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestTheContextEndsIt(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, n *network, s *Sender) {
		ctx, cancel := context.WithTimeout(background(), 3*time.Second)
		defer cancel()
		if got := s.Send(ctx, disconnect()); got.Done || got.Text != "no answer from 192.0.2.1:3799 yet: given up after 2 tries" {
			t.Errorf("%+v", got)
		}
	})
}

func TestCloseEndsWhatWaits(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, n *network, s *Sender) {
		answer := make(chan foreign.Answer)
		go func() { answer <- s.Send(background(), disconnect()) }()
		synctest.Wait()
		if s.Stats().Waiting != 1 {
			t.Errorf("%+v", s.Stats())
		}
		_ = s.Close()
		if got := <-answer; got.Done || !strings.Contains(got.Text, "lnsgate is ending") {
			t.Errorf("%+v", got)
		}
		if got := s.Send(background(), disconnect()); got.Done || !strings.Contains(got.Text, "lnsgate is ending") {
			t.Errorf("%+v", got)
		}
	})
}

// TestManyOrders gives a thousand to three NASes at once. No identifier is in use twice at one of them, no NAS has more than its
// share at once, and each answer comes to who asked.
func TestManyOrders(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, n *network, s *Sender) {
		waiting, most := map[netip.AddrPort]map[byte]bool{}, 0
		n.nas = func(n *network, number int, octets []byte, to netip.AddrPort) {
			if waiting[to] == nil {
				waiting[to] = map[byte]bool{}
			}
			if waiting[to][octets[1]] {
				t.Errorf("identifier %d is in use", octets[1])
			}
			waiting[to][octets[1]] = true
			most = max(most, len(waiting[to]))
			after := time.Duration(number*7919%1000) * time.Millisecond
			v, _ := key.VerifyRequest(octets)
			asked := key.Parse(v)
			id := asked.Get(typeAcctSessionID)
			code, with := radius.CodeDisconnectACK, func(*radius.Packet) {}
			if id[len(id)-1]%2 == 1 {
				code, with = radius.CodeDisconnectNAK, refusing(503)
			}
			n.send(after, reply(octets, code, with), to)
			time.AfterFunc(after-1, func() {
				n.mu.Lock()
				defer n.mu.Unlock()
				delete(waiting[to], octets[1])
			})
		}
		var all sync.WaitGroup
		for i := range 1000 {
			all.Go(func() {
				o := disconnect()
				o.Session.NAS.Address = netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i%3)})
				o.Session.NAS.Session = strings.Repeat("x", 1+i%20) + string(rune('a'+i%2))
				if got := s.Send(background(), o); got.OK == ((byte('a'+i%2))%2 == 1) || !got.Done {
					t.Errorf("%d: %+v", i, got)
				}
			})
		}
		all.Wait()
		if most > atOnePeer || most < atOnePeer/2 {
			t.Errorf("up to %d at once", most)
		}
		if stats := s.Stats(); stats.Sent != 1000 || stats.Repeated != 0 || stats.Done+stats.Refused != 1000 {
			t.Errorf("%+v", stats)
		}
	})
}

func TestNoMoreAtOnceThanConfigured(t *testing.T) {
	bubble(t, Config{AtOnce: 1}, func(t *testing.T, n *network, s *Sender) {
		go s.Send(background(), disconnect())
		synctest.Wait()
		ctx, cancel := context.WithTimeout(background(), time.Second)
		defer cancel()
		if got := s.Send(ctx, disconnect()); got.Done || got.Text != "not sent: too many other requests wait for an answer" {
			t.Errorf("%+v", got)
		}
	})
}

func TestOneNASDoesNotHoldUpOthers(t *testing.T) {
	bubble(t, Config{AtOnce: atOnePeer + 1}, func(t *testing.T, n *network, s *Sender) {
		n.nas = func(n *network, number int, octets []byte, to netip.AddrPort) {
			if to != there {
				n.send(0, reply(octets, positive(octets)), to)
			}
		}
		for range 2 * atOnePeer {
			go s.Send(background(), disconnect())
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(background(), time.Second)
		defer cancel()
		if got := s.Send(ctx, disconnect()); got.Done || got.Text != "not sent: others wait for answers of this NAS" {
			t.Errorf("%+v", got)
		}
		o := disconnect()
		o.Session.NAS.Address = netip.MustParseAddr("2001:db8::1")
		if got := s.Send(background(), o); !got.OK {
			t.Errorf("%+v", got)
		}
	})
}

// TestIdentifiersGoAround has the same NAS asked 300 times: an identifier comes again only after all others.
func TestIdentifiersGoAround(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, n *network, s *Sender) {
		n.nas = func(n *network, number int, octets []byte, to netip.AddrPort) {
			n.send(0, reply(octets, positive(octets)), to)
		}
		for range 300 {
			s.Send(background(), disconnect())
		}
		for i, a := range n.arrivals() {
			if want := n.got[0].octets[1] + byte(i); a.octets[1] != want {
				t.Fatalf("%d: %d instead of %d", i, a.octets[1], want)
			}
		}
	})
}

// TestPeersAreForgotten keeps the memory of a network with many NASes small.
func TestPeersAreForgotten(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, n *network, s *Sender) {
		n.nas = func(n *network, number int, octets []byte, to netip.AddrPort) {
			n.send(0, reply(octets, positive(octets)), to)
		}
		for i := range 1000 {
			o := disconnect()
			o.Session.NAS.Address = netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
			s.Send(background(), o)
			time.Sleep(10 * time.Second)
			synctest.Wait()
		}
		if got := len(s.peers); got > 2*leastRoom {
			t.Errorf("%d peers", got)
		}
	})
}

// TestAPeerThatIsAskedIsNotForgotten has others come while it takes its time.
func TestAPeerThatIsAskedIsNotForgotten(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, n *network, s *Sender) {
		n.nas = func(n *network, number int, octets []byte, to netip.AddrPort) {
			after := time.Duration(0)
			if to == there {
				after = time.Second
			}
			n.send(after, reply(octets, positive(octets)), to)
		}
		slow := make(chan foreign.Answer)
		go func() { slow <- s.Send(background(), disconnect()) }()
		synctest.Wait()
		for i := range 2 * leastRoom {
			o := disconnect()
			o.Session.NAS.Address = netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
			s.Send(background(), o)
		}
		if got := <-slow; !got.OK || s.Stats().Stranger != 0 {
			t.Errorf("%+v %+v", got, s.Stats())
		}
	})
}

func TestABrokenSocketIsReplaced(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, n *network, s *Sender) {
		n.nas = func(n *network, number int, octets []byte, to netip.AddrPort) {
			n.send(0, reply(octets, positive(octets)), to)
		}
		if got := s.Send(background(), disconnect()); !got.OK {
			t.Fatal(got)
		}
		n.conns[0].broken <- errors.New("gone")
		synctest.Wait()
		if got := s.Send(background(), disconnect()); !got.OK || len(n.conns) != 2 {
			t.Errorf("%+v", got)
		}
	})
}

func TestASocketThatCannotSendSaysWhy(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, n *network, s *Sender) {
		n.fault = errors.New("network is unreachable")
		if got := s.Send(background(), disconnect()); got.Done || !strings.Contains(got.Text, "network is unreachable") {
			t.Errorf("%+v", got)
		}
	})
}
