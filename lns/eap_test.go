package lns_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns"
	"lnsgate/lns/lac"
	"lnsgate/lns/ppp"
	"lnsgate/test/simnet"
)

// conversation is an AAA layer like one that has a RADIUS server behind it: it knows one user by EAP-MD5, and by the other
// methods whoever comes; it can tell only at the login.
type conversation struct {
	think time.Duration // how long the server takes for each turn
	grant func(*aaa.Decision)

	mu       sync.Mutex
	requests []*aaa.Request
}

var serverChallenge = []byte("fedcba9876543210")

func (s *conversation) Authenticate(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	s.mu.Lock()
	s.requests = append(s.requests, r)
	s.mu.Unlock()
	select {
	case <-time.After(s.think):
	case <-ctx.Done():
		return aaa.Decision{}, &aaa.Rejection{Cause: aaa.Timeout, Backend: "radius"}
	}
	d := aaa.Decision{Account: r.Name, Domain: "default", Pools: []string{"pool1"}, Backend: "radius"}
	if s.grant != nil {
		s.grant(&d)
	}
	if r.Proof.Method != aaa.EAP {
		return d, nil
	}
	e, err := ppp.ParseEAP(r.Proof.EAP)
	if err != nil {
		return aaa.Decision{}, aaa.Reject(aaa.MalformedProof, "%v", err)
	}
	if e.Type == ppp.EAPIdentity {
		data := ppp.CHAPValue{Value: serverChallenge, Name: []byte("radius")}.Append(nil)
		request := ppp.EAPPacket{Code: ppp.EAPRequest, Identifier: e.Identifier + 1, Type: ppp.EAPMD5Challenge, Data: data}
		return aaa.Decision{}, &aaa.Challenge{Packet: request.Append(nil), State: []byte("state"), Backend: "radius"}
	}
	value, _ := ppp.ParseCHAPValue(e.Data)
	want := md5.Sum(append(append([]byte{e.Identifier}, "Admin@123"...), serverChallenge...))
	if string(r.Proof.State) != "state" || r.Backend != "radius" || !bytes.Equal(value.Value, want[:]) {
		return aaa.Decision{}, &aaa.Rejection{Cause: aaa.Refused, Backend: "radius", Packet: []byte{4, e.Identifier, 0, 4}}
	}
	return d, nil
}

func (s *conversation) Authorize(context.Context, *aaa.Request) (aaa.Decision, error) {
	return aaa.Decision{}, &aaa.Rejection{Cause: aaa.OnlyAtLogin, Backend: "radius"}
}

func (s *conversation) asked() []*aaa.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*aaa.Request(nil), s.requests...)
}

// withServer has the engine ask s, offer EAP first, and keep its records in l.
func withServer(s *conversation, l *ledger) func(*lns.Config, *lns.Deps) {
	return func(c *lns.Config, d *lns.Deps) {
		c.Templates[0].Methods = []aaa.Method{aaa.EAP, aaa.MSCHAPv2, aaa.CHAP, aaa.PAP}
		d.Node, d.AAA = "node1", s
		if l != nil {
			d.Accounter, d.Attempts = l, l
		}
	}
}

func byEAP(c *lac.ClientConfig) { c.Login.Methods = []aaa.Method{aaa.EAP} }

func TestEAPLogin(t *testing.T) {
	for _, tc := range []struct {
		password string
		network  simnet.Config
	}{
		{"Admin@123", fast}, {"wrong", fast},
		{"Admin@123", simnet.Config{Seed: 5, Latency: 20 * time.Millisecond, Loss: 0.2, Duplicate: 0.2}},
	} {
		s := &conversation{}
		runWith(t, tc.network, withServer(s, nil), func(r *rig) {
			c := r.dial(1, "l2tpuser", tc.password, byEAP)
			if tc.password == "wrong" {
				r.wantEnd(c, 20*time.Second)
			} else {
				if up := r.wantUp(c, 30*time.Second); up.Method != "eap" {
					t.Errorf("up by %s", up.Method)
				}
			}
			if n := len(s.asked()); n != 2 {
				t.Errorf("the server was asked %d times for two turns", n)
			}
			r.sleep(time.Second)
			if log := r.log.String(); tc.password == "wrong" && !strings.Contains(log, "refused by the RADIUS server") {
				t.Errorf("the log does not say who refused:\n%s", log)
			}
		})
	}
}

// A peer that does not want EAP gets what it asks for instead, if that is on offer.
func TestEAPIsOfferedAmongTheOthers(t *testing.T) {
	for want, methods := range map[string][]aaa.Method{
		"mschapv2": {aaa.MSCHAPv2, aaa.PAP}, "pap": {aaa.PAP}, "eap": {aaa.EAP, aaa.CHAP},
	} {
		s := &conversation{grant: func(d *aaa.Decision) { d.Reply = "S=" + strings.Repeat("0", 40) }}
		runWith(t, fast, withServer(s, nil), func(r *rig) {
			c := r.dial(1, "l2tpuser", "Admin@123", func(c *lac.ClientConfig) { c.Login.Methods = methods })
			r.sleep(time.Second)
			if asked := s.asked(); len(asked) == 0 || asked[0].Proof.Method.String() != want {
				t.Errorf("%s: asked %+v", want, asked)
			}
			c.cancel()
			r.wantEnd(c, 5*time.Second)
		})
	}
}

// A push to a telephone: the server keeps its answer back until somebody has tapped. The peer repeats itself meanwhile.
func TestASlowServerIsAskedOnce(t *testing.T) {
	for _, method := range []aaa.Method{aaa.EAP, aaa.PAP, aaa.CHAP} {
		s := &conversation{think: 55 * time.Second}
		runWith(t, fast, func(c *lns.Config, d *lns.Deps) {
			withServer(s, nil)(c, d)
			c.Limits.AuthenticationTimeout, c.Limits.SetupTimeout = time.Minute, 20*time.Second
		}, func(r *rig) {
			c := r.dial(1, "l2tpuser", "Admin@123", func(c *lac.ClientConfig) {
				c.Login.Methods = []aaa.Method{method}
				c.Login.Timeout = 5 * time.Minute
			})
			r.wantUp(c, 3*time.Minute)
			turns := 1
			if method == aaa.EAP {
				turns = 2
			}
			if n := len(s.asked()); n != turns {
				t.Errorf("%s: the server was asked %d times", method, n)
			}
		})
	}
}

func TestWhatTheServerIsTold(t *testing.T) {
	s, l := &conversation{}, &ledger{}
	s.grant = func(d *aaa.Decision) {
		d.UserName, d.Class, d.CUI, d.Accounting = "bob@realm", [][]byte{{1}, {2}}, []byte("cui"), []string{"books"}
	}
	runWith(t, fast, withServer(s, l), func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123", byEAP, func(c *lac.ClientConfig) {
			c.Login.CallingNumber, c.Login.CalledNumber = "4711", "0815"
		})
		r.wantUp(c, time.Second)
		r.sleep(time.Second)
		info := r.server.Sessions()[0]
		if len(l.written()) != 1 {
			t.Fatalf("records %+v", l.written())
		}
		start := l.written()[0]
		for i, q := range s.asked() {
			if q.Session != start.Session || q.Session == "" || q.Local != serverAddr.Addr() || q.LocalName != "LNS" || q.TunnelName != "laptop" ||
				q.LocalTunnel != info.LocalTunnel || q.RemoteTunnel != 7 || q.LocalSession != info.LocalID || q.RemoteSession != 1 ||
				q.CallSerial != 1 || q.TxSpeed != 1_000_000_000 || q.RxSpeed != 1_000_000_000 || q.MTU != 1460 ||
				q.CallingNumber != "4711" || q.CalledNumber != "0815" || q.Name != "l2tpuser" {
				t.Errorf("turn %d: %+v", i, q)
			}
		}
		if start.UserName != "bob@realm" || len(start.Class) != 2 || string(start.CUI) != "cui" || len(start.Sinks) != 1 ||
			start.LocalName != "LNS" || start.CallSerial != 1 || start.TxSpeed != 1_000_000_000 || start.RxSpeed != 1_000_000_000 {
			t.Errorf("start %+v", start)
		}
	})
}

// A peer that has the choice of its address has it among those of its pools.
func TestAPeerDoesNotChooseTheAddressOfSomethingElse(t *testing.T) {
	s := &conversation{grant: func(d *aaa.Decision) { d.AddressByPeer = true }}
	runWith(t, fast, func(c *lns.Config, d *lns.Deps) {
		withServer(s, nil)(c, d)
		for network, pool := range map[string]string{"10.10.1.0/24": "pool1", "10.20.0.0/16": "", "10.10.2.0/24": "pool2", "10.10.1.5/32": ""} {
			c.Reserved = append(c.Reserved, lns.Reserved{Network: netip.MustParsePrefix(network), What: "it", Pool: pool})
		}
	}, func(r *rig) {
		pool1 := netip.MustParsePrefix("10.10.1.0/24")
		for host, wish := range []string{"10.10.1.77", "10.20.0.53", "10.10.2.7", "198.51.100.1", "10.10.1.5"} {
			address := netip.MustParseAddr(wish)
			c := r.dial(host+1, "l2tpuser", "Admin@123", byEAP, func(c *lac.ClientConfig) { c.Login.Address = address })
			up := r.wantUp(c, 5*time.Second)
			if got := up.Address; (got == address) != (host == 0) || !pool1.Contains(got) {
				t.Errorf("%s: %s", wish, got)
			}
		}
		if !strings.Contains(r.log.String(), "not the one of its choice") {
			t.Error("nobody is told")
		}
	})
}

// What only the login can tell outlives a reload; that another back end cannot tell is no word for the session.
func TestSessionsOfARADIUSServerSurviveAReload(t *testing.T) {
	s := &conversation{}
	runWith(t, fast, withServer(s, nil), func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123", byEAP)
		r.wantUp(c, time.Second)
		if err := r.server.Reload(context.Background(), r.config); err != nil {
			t.Fatal(err)
		}
		r.sleep(5 * time.Second)
		if all := r.server.Sessions(); len(all) != 1 || all[0].Phase != "open" {
			t.Errorf("after the reload: %+v", all)
		}
	})
}

func TestAnAccountThatIsGoneIsNotSavedByARADIUSServerBehindIt(t *testing.T) {
	s := &conversation{}
	s.grant = func(d *aaa.Decision) { d.Backend = "local" }
	runWith(t, fast, withServer(s, nil), func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123", byEAP)
		r.wantUp(c, time.Second)
		if err := r.server.Reload(context.Background(), r.config); err != nil {
			t.Fatal(err)
		}
		r.wantEnd(c, 10*time.Second)
	})
}

// movedBooks is an AAA layer that by now sends records elsewhere.
type movedBooks struct{ *conversation }

func (m movedBooks) Authorize(_ context.Context, r *aaa.Request) (aaa.Decision, error) {
	return aaa.Decision{Account: r.Name, Domain: "default", Pools: []string{"pool1"}, Backend: "radius", Accounting: []string{"new"}}, nil
}

// Whoever was told that a session began is told that it ended, and nobody else.
func TestEveryStartHasItsStopWhereRecordsHaveMoved(t *testing.T) {
	l := &ledger{}
	s := &conversation{grant: func(d *aaa.Decision) { d.Accounting = []string{"old"} }}
	runWith(t, fast, func(c *lns.Config, d *lns.Deps) {
		withServer(s, l)(c, d)
		d.AAA = movedBooks{s}
	}, func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123", byEAP)
		r.wantUp(c, time.Second)
		if err := r.server.Reload(context.Background(), r.config); err != nil {
			t.Fatal(err)
		}
		c.cancel()
		r.wantEnd(c, 5*time.Second)
		r.sleep(time.Second)
		for _, record := range l.written() {
			if !slices.Equal(record.Sinks, []string{"old"}) {
				t.Errorf("%s goes to %v", record.Kind, record.Sinks)
			}
		}
		if l.kinds() != "start stop" {
			t.Error(l.kinds())
		}
	})
}

// Accounts change while a login is being checked: the check is asked again, and cannot tell.
func TestALoginByRADIUSSurvivesAReloadDuringIt(t *testing.T) {
	s := &conversation{think: 2 * time.Second}
	s.grant = func(d *aaa.Decision) { d.Class = [][]byte{{9}} }
	l := &ledger{}
	runWith(t, fast, withServer(s, l), func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123", byEAP)
		r.sleep(3 * time.Second) // in the second turn
		if err := r.server.Reload(context.Background(), r.config); err != nil {
			t.Fatal(err)
		}
		r.wantUp(c, 10*time.Second)
		if len(l.written()) != 1 || len(l.written()[0].Class) != 1 {
			t.Errorf("records %+v", l.written())
		}
	})
}

func TestInterimRecordsSpread(t *testing.T) {
	s, l := &conversation{}, &ledger{}
	s.grant = func(d *aaa.Decision) { d.Interim = 10 * time.Minute }
	runWith(t, fast, withServer(s, l), func(r *rig) {
		for i := range 20 {
			r.wantUp(r.dial(1+i, "l2tpuser", "Admin@123", byEAP), time.Second)
		}
		r.sleep(2 * time.Hour)
		last, seen := map[string]aaa.Record{}, map[time.Duration]bool{}
		for _, rec := range l.written() {
			before, known := last[rec.Session]
			last[rec.Session] = rec
			if !known {
				continue
			}
			gap := rec.At.Sub(before.At)
			low, high := 9*time.Minute, 11*time.Minute
			if before.Kind == aaa.RecordStart {
				low, high = 400*time.Second-time.Second, 10*time.Minute
				seen[gap.Round(time.Second)] = true
			}
			if gap < low || gap > high+time.Second {
				t.Errorf("%s after %s: %s", rec.Kind, before.Kind, gap)
			}
		}
		if len(seen) < 10 {
			t.Errorf("the first records of 20 sessions come at only %d moments", len(seen))
		}
	})
}
