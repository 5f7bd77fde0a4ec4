package eap

import (
	"bytes"
	"crypto/tls"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/aaa/eap/packet"
)

// Two copies of the last Response at the same time: one is judged, both get its answer.
func TestTheSameResponseTwiceAtOnce(t *testing.T) {
	r := newRig(t, only(MD5))
	wait := make(chan struct{})
	r.fake.Set("alice", aaatest.Answer{Password: aaa.NewSecret(password), Wait: wait})
	p := r.begin("alice")
	value, _, _ := packet.ParseMD5(p.request.Data)
	octets := packet.Packet{Code: packet.Response, Identifier: p.request.Identifier, Type: packet.MD5Challenge,
		Data: packet.AppendMD5(nil, answererOf(password).CHAP(p.request.Identifier, value), "")}.Append(nil)
	var both sync.WaitGroup
	copies := [2]*peer{}
	for i := range copies {
		own := *p
		copies[i] = &own
		both.Go(func() { own.send(octets) })
	}
	for len(r.aaa.asked()) == 0 {
		runtime.Gosched()
	}
	close(wait)
	both.Wait()
	// The later one may have come when all was over; it must not have been judged.
	if asked := len(r.aaa.asked()); asked != 1 || copies[0].err != nil && copies[1].err != nil {
		t.Errorf("%d questions, %v, %v", asked, copies[0].err, copies[1].err)
	}
}

// A peer, or its NAS, may repeat itself as often as it likes.
func TestTheSameResponseManyTimes(t *testing.T) {
	r := newRig(t, only(MD5))
	p := r.begin("alice")
	identity, request := packet.Packet{Code: packet.Response, Identifier: 41, Type: packet.Identity, Data: []byte("alice")}.Append(nil), p.raw
	for range mostOdd + 5 {
		if p.send(identity); !bytes.Equal(p.raw, request) {
			t.Fatalf("% x, %v", p.raw, p.err)
		}
	}
	talk := r.server.talks.open[[16]byte(p.state)]
	p.md5(password)
	p.in()
	// One that waited for its turn until all was over hears how it ended.
	talk.hear(&turn{}, talk.heard)
	if d, err := talk.answer(); err != nil || d.Account != "alice" || !bytes.Equal(d.Packet, p.raw) {
		t.Errorf("%+v, %v", d, err)
	}
	talk.hear(&turn{}, identity)
	if _, err := talk.answer(); err == nil {
		t.Error("another Response was answered after the end")
	}
}

// What was forgotten in the meantime takes no place any more.
func TestAForgottenConversationIsNotKept(t *testing.T) {
	r := newRig(t, nil)
	p := r.begin("alice")
	s := &r.server.talks
	talk := s.open[[16]byte(p.state)]
	s.mu.Lock()
	s.drop(talk)
	s.mu.Unlock()
	if no := s.prove(talk); no == nil || !no.Retryable() || s.proven.Len() != 0 {
		t.Errorf("%v, %d", no, s.proven.Len())
	}
	if tunnel, no := s.start(talk, &tls.Config{}); no == nil || tunnel != nil || s.tunnels != 0 {
		t.Errorf("%v, %v", tunnel, no)
	}
	s.settle(talk, false, false)
	if s.figures().Conversations != 0 || s.new.Len() != 0 {
		t.Errorf("%+v", s.figures())
	}
}

func TestAFloodOfNamesHarmsNobodyWhoIsKnown(t *testing.T) {
	before := runtime.NumGoroutine()
	r := newRig(t, func(c *Config) { c.Conversations = 4 })
	d := r.begin("alice").connect(packet.PEAP, nil)
	fresh := r.begin("alice")
	for range strangers * 4 {
		r.begin("alice")
	}
	if s := r.server.Stats(); s.Conversations != strangers*4+1 || s.Tunnels != 1 || s.Displaced != 1 || s.Begun != strangers*4+2 {
		t.Errorf("%+v", s)
	}
	if n := runtime.NumGoroutine(); n > before+2 { // of the one tunnel, both ends
		t.Errorf("%d goroutines, before it were %d", n, before)
	}
	fresh.nak(byte(packet.MD5Challenge)) // it gave way
	fresh.out(aaa.MalformedProof)
	if plain := d.say(nil); plain != "\x01" {
		t.Errorf("%q, %v", plain, d.err)
	}
}

func TestOnlySoManyAreLedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Methods, c.Conversations = []Method{MSCHAPv2}, 2 })
		var peers []*peer
		for range 3 {
			peers = append(peers, r.begin("alice"))
		}
		for _, p := range peers {
			p.mschapv2(password, "alice")
		}
		if no := peers[2].out(aaa.BackendUnavailable); !no.Retryable() || r.server.Stats().Refused != 1 {
			t.Errorf("%v, %+v", no, r.server.Stats())
		}
		time.Sleep(displaceable) // from then on who is silent gives way
		late := r.begin("alice")
		late.mschapv2(password, "alice")
		late.answer(packet.MSCHAPv2, []byte{byte(packet.OpSuccess)})
		late.in()
		peers[0].answer(packet.MSCHAPv2, []byte{byte(packet.OpSuccess)})
		peers[0].out(aaa.MalformedProof)
		peers[1].answer(packet.MSCHAPv2, []byte{byte(packet.OpSuccess)})
		peers[1].in()
		peers[2].send(peers[2].said) // for which there is room now
		peers[2].answer(packet.MSCHAPv2, []byte{byte(packet.OpSuccess)})
		peers[2].in()
		if s := r.server.Stats(); s.Conversations != 0 || s.Succeeded != 3 || s.Failed != 0 || s.Displaced != 1 {
			t.Errorf("%+v", s)
		}
		r.server.Close()
	})
}

func TestWhoIsSilentForTooLongIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Timeout = 10 * time.Second })
		silent, d := r.begin("alice"), r.begin("alice").connect(packet.TTLS, nil)
		time.Sleep(6 * time.Second)
		if d.say([]byte{}); d.err == nil {
			t.Fatal("it is in")
		}
		time.Sleep(5 * time.Second)
		if s := r.server.Stats(); s.Expired != 1 || s.Conversations != 1 || s.Tunnels != 1 {
			t.Errorf("%+v", s)
		}
		silent.nak(byte(packet.MD5Challenge))
		silent.out(aaa.MalformedProof)
		time.Sleep(6 * time.Second)
		if s := r.server.Stats(); s.Expired != 2 || s.Conversations != 0 || s.Tunnels != 0 {
			t.Errorf("%+v", s)
		}
		d.tls.end()
		synctest.Wait()
		if n := runtime.NumGoroutine(); n > 20 {
			t.Errorf("%d goroutines", n)
		}
		r.server.Close()
	})
}

// A conversation that is forgotten while its peer is being answered is over, and leaves nothing behind.
func TestForgottenWhileAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Methods, c.Timeout = []Method{TTLS}, 10*time.Second })
		wait := make(chan struct{})
		r.fake.Set("alice", aaatest.Answer{Password: aaa.NewSecret(password), Wait: wait})
		d := r.ttls()
		go func() { time.Sleep(time.Minute); close(wait) }()
		d.say(avps(avp(avpUserName, "alice"), avp(avpUserPassword, password)))
		if s := r.server.Stats(); s.Conversations != 0 || s.Tunnels != 0 || s.Expired != 1 {
			t.Errorf("%+v, %v", s, d.err)
		}
		d.tls.end()
		r.server.Close()
	})
}

// broken has AAA fail, or not any more.
func (r *rig) broken(yes bool) {
	answer := aaatest.Answer{Password: aaa.NewSecret(password), Grant: aaa.Grant{Account: "alice"}}
	if yes {
		answer.Err = &aaa.Rejection{Cause: aaa.BackendUnavailable}
	}
	r.fake.Set("alice", answer)
}

// While nobody can be asked a NAS hears nothing and repeats itself: the same Response is judged then, whatever the method.
func TestWhatNobodyCouldBeAskedAboutMayComeAgain(t *testing.T) {
	for name, login := range map[string]struct {
		until func(r *rig) *peer // the Response that AAA is asked about
		after func(p *peer)      // that it was judged
	}{
		"md5":      {func(r *rig) *peer { p := r.chosen(packet.MD5Challenge); p.md5(password); return p }, nil},
		"mschapv2": {func(r *rig) *peer { p := r.chosen(packet.MSCHAPv2); p.mschapv2(password, "alice"); return p }, func(p *peer) { p.answer(packet.MSCHAPv2, []byte{byte(packet.OpSuccess)}) }},
		"ttls": {func(r *rig) *peer {
			d := r.ttls()
			d.size = 100 // in fragments, of which the last comes again
			d.say(avps(avp(avpUserName, "alice"), avp(avpUserPassword, password), avp(999, strings.Repeat("x", 300))))
			return d.peer
		}, nil},
		"tls": {func(r *rig) *peer {
			d := r.begin("alice").connect(packet.TLS, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 })
			d.say(nil)
			return d.peer
		}, nil},
	} {
		r := newRig(t, nil)
		r.broken(true)
		p := login.until(r)
		for range 3 {
			p.out(aaa.BackendUnavailable)
			p.send(p.said)
		}
		other := *p
		other.answer(packet.Identity, []byte("mallory")) // it is not what was asked about
		if other.err == nil {
			t.Errorf("%s: another Response is judged", name)
		}
		r.broken(false)
		p.send(p.said)
		if login.after != nil {
			login.after(p)
		}
		p.in()
		if s := r.server.Stats(); s.Conversations != 0 || s.Tunnels != 0 || s.Succeeded != 1 || s.Failed != 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func (r *rig) chosen(kind packet.Type) *peer {
	p := r.begin("alice")
	p.nak(byte(kind))
	return p
}

func TestPEAPNobodyCouldBeAskedAtFirst(t *testing.T) {
	r := newRig(t, only(PEAP))
	d, request := r.peap("alice")
	r.broken(true)
	d.say(chapInside(t, request, password))
	d.out(aaa.BackendUnavailable)
	r.broken(false)
	d.send(d.said)
	success := d.tls.feed(d.collect()).plain
	if len(success) < 2 || packet.Op(success[1]) != packet.OpSuccess {
		t.Fatalf("%q, %v", success, d.err)
	}
	d.say([]byte{byte(packet.MSCHAPv2), byte(packet.OpSuccess)})
	d.say(result(packet.Response, packet.ResultSuccess))
	d.in()
}

// What comes behind EAP, such as an address, may fail after the yes: a NAS that asks again gets the same yes, for a while.
func TestAYesIsKeptForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Conversations = 2 })
		var first *peer
		for range 3 { // as many yeses are kept as conversations may be under way
			d := r.ttls()
			d.say(avps(avp(avpUserName, "alice"), avp(avpUserPassword, password)))
			d.in()
			if first == nil {
				first = d.peer
			}
			d.send(d.said)
			d.in()
			if d.decision.Account != "alice" || d.decision.Keys.Send.IsZero() {
				t.Errorf("%+v", d.decision)
			}
			d.tls.end()
		}
		first.send(first.said)
		first.out(aaa.MalformedProof)
		if s := r.server.Stats(); len(r.aaa.asked()) != 3 || s.Conversations != 0 || s.Tunnels != 0 || s.Succeeded != 3 || r.kept() != 2 {
			t.Errorf("%+v, asked %d times", s, len(r.aaa.asked()))
		}
		time.Sleep(repeatable + time.Second)
		if s := r.server.Stats(); r.kept() != 0 || s.Expired != 0 {
			t.Errorf("%+v", s)
		}
		r.server.Close()
	})
}

// kept are conversations, with those of which only the yes is left.
func (r *rig) kept() int {
	r.server.talks.mu.Lock()
	defer r.server.talks.mu.Unlock()
	return len(r.server.talks.open)
}

// Who is heard of often enough, and never comes to an end, gives way in the end.
func TestNoConversationTakesForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, only(TTLS))
		d := r.ttls()
		began := time.Now()
		for d.request.Code == packet.Request && time.Since(began) < time.Hour {
			time.Sleep(30 * time.Second)
			d.answer(packet.TTLS, fragment(packet.Fragment{More: true, Data: []byte("x")}))
		}
		if no := d.out(aaa.MalformedProof); no.Reason != aaa.EAPBrokeOff {
			t.Error(no.Reason)
		}
		if spent := time.Since(began); spent <= longestTalk || spent > longestTalk+time.Minute {
			t.Errorf("it took %s", spent)
		}
		if s := r.server.Stats(); s.Conversations != 0 || s.Tunnels != 0 || s.Expired != 1 {
			t.Errorf("%+v", s)
		}
		d.tls.end()
		r.server.Close()
	})
}
