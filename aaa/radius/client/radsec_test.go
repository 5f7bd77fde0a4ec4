package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa/radius/wire"
)

// radsec runs a test in virtual time, with a group of these servers in the order of their priority.
func radsec(t *testing.T, names []string, test func(t *testing.T, g *Group, s []*secured), change ...func(*Config)) {
	t.Helper()
	authority()
	synctest.Test(t, func(t *testing.T) {
		epoch = time.Now()
		var list []*secured
		config := Config{}
		for i, name := range names {
			list = append(list, newSecured(name))
			config.Servers = append(config.Servers, Server{Name: name, Address: name + ":2083", Priority: i, StatusServer: true,
				TLS: &tls.Config{RootCAs: roots(), Certificates: []tls.Certificate{*certificate(authority(), "nas.test")}}})
		}
		config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			return list[slices.IndexFunc(config.Servers, func(s Server) bool { return s.Address == address })].dial(ctx, network, address)
		}
		for _, f := range change {
			f(&config)
		}
		g := group(t, config)
		synctest.Wait()
		test(t, g, list)
		g.Close()
	})
}

func TestRFC6614_OneConnection(t *testing.T) {
	radsec(t, []string{"radius.test"}, func(t *testing.T, g *Group, s []*secured) {
		var all []chan error
		for range 200 {
			all = append(all, ask(g, login("alice")))
		}
		for _, done := range all {
			if !answered(t, done) {
				t.Fatal("one is missing")
			}
		}
		state := s[0].conns[0].ConnectionState()
		if len(s[0].conns) != 1 || state.Version < tls.VersionTLS12 || state.ServerName != "radius.test" ||
			len(state.PeerCertificates) == 0 || state.PeerCertificates[0].Subject.CommonName != "nas.test" {
			t.Errorf("%d connections, %+v", len(s[0].conns), state)
		}
		for _, b := range s[0].packets(false) {
			if v, err := wire.NewKey("radsec").VerifyRequest(b); err != nil || !v.Signed {
				t.Fatalf("%+v, %v", v, err)
			}
		}
	})
}

func TestRFC6614_UnsignedEAP(t *testing.T) {
	radsec(t, []string{"radius.test"}, func(t *testing.T, g *Group, s []*secured) {
		s[0].set(func(s *secured) {
			s.script = func(s *secured, c *tls.Conn, packet []byte) {
				p, _ := radius.Parse(packet, []byte(radSecSecret))
				challenge := p.Response(radius.CodeAccessChallenge)
				challenge.Add(79, radius.Attribute("eap"))
				b, _ := challenge.Encode()
				c.Write(b)
				s.accept(c, packet)
			}
		})
		must(t, g, login("alice"), radius.CodeAccessAccept)
		if d := g.Stats()[0].Discarded; d[Unsigned] != 1 {
			t.Errorf("%v", d)
		}
	})
}

// More than 256 under way take more connections, but no more than allowed.
func TestRFC6614_MoreConnections(t *testing.T) {
	radsec(t, []string{"radius.test"}, func(t *testing.T, g *Group, s []*secured) {
		s[0].set(func(s *secured) {
			s.script = func(s *secured, c *tls.Conn, packet []byte) {
				time.AfterFunc(5*time.Second, func() { s.accept(c, packet) })
			}
		})
		var all []chan error
		for range 1500 {
			all = append(all, ask(g, login("alice")))
		}
		after(4 * time.Second)
		if got := g.Stats()[0]; got.Sockets != 4 || got.InFlight != 1024 || len(s[0].packets(false)) != 1024 {
			t.Errorf("%+v", got)
		}
		after(10 * time.Second)
		for _, done := range all {
			if !answered(t, done) {
				t.Fatal("one is missing")
			}
		}
		after(5 * time.Minute)
		if got := g.Stats()[0]; got.Sockets != 1 || got.State != Alive || s[0].closed != 3 {
			t.Errorf("%d closed: %+v", s[0].closed, got)
		}
	})
}

// TCP repeats what is lost; we do not (RFC 6613 section 2.6.1).
func TestRFC6613Section2_6_1_NoRetransmission(t *testing.T) {
	radsec(t, []string{"radius.test"}, func(t *testing.T, g *Group, s []*secured) {
		s[0].set(func(s *secured) { s.script = mute })
		if _, err := g.Exchange(context.Background(), login("alice")); !errors.Is(err, ErrSilent) || time.Since(epoch) != 30*time.Second {
			t.Errorf("after %v: %v", time.Since(epoch), err)
		}
		if got := len(s[0].packets(false)); got != 1 {
			t.Errorf("sent %d times", got)
		}
	})
}

// What breaks the stream, or is not made with the secret, ends the connection. The request is sent once more, as a new
// one, on a new connection.
func TestRFC6613Section2_6_4_Malformed(t *testing.T) {
	tests := []struct {
		name   string
		bad    func(good []byte) []byte
		reason Reason
	}{
		{"too short", func(b []byte) []byte { b[2], b[3] = 0, 19; return b }, Malformed},
		{"too long", func(b []byte) []byte { b[2], b[3] = 0x10, 1; return b }, Malformed},
		{"attribute of no length", func(b []byte) []byte { b[3] += 2; return append(b, 18, 0) }, Malformed},
		{"forged", func(b []byte) []byte { b[10]++; return b }, Forged},
		{"text", func([]byte) []byte { return []byte("HTTP/1.1 400 Bad Request\r\n\r\n") }, Malformed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			radsec(t, []string{"radius.test"}, func(t *testing.T, g *Group, s []*secured) {
				s[0].set(func(s *secured) {
					s.script = func(s *secured, c *tls.Conn, packet []byte) {
						s.set(func(s *secured) { s.script = (*secured).accept })
						c.Write(test.bad(s.reply(packet)))
					}
				})
				must(t, g, login("alice"), radius.CodeAccessAccept)
				synctest.Wait()
				list := s[0].packets(false)
				if len(list) != 2 || bytes.Equal(list[0][4:20], list[1][4:20]) || len(s[0].dials) != 2 || s[0].closed != 1 {
					t.Errorf("%d packets on %d connections, %d closed", len(list), len(s[0].dials), s[0].closed)
				}
				if got := g.Stats()[0]; got.Discarded[test.reason] != 1 || got.Cut != 1 || got.State != Alive {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

func TestRFC6614_CutFailsOver(t *testing.T) {
	for _, inFlight := range []int{1024, 1} { // all are under way, or all but one in the queue
		radsec(t, []string{"a.test", "b.test"}, func(t *testing.T, g *Group, s []*secured) {
			s[0].set(func(s *secured) { s.script = mute })
			var all []chan error
			for range 50 {
				all = append(all, ask(g, login("alice")))
			}
			after(time.Second)
			s[0].conns[0].Close()
			for _, done := range all {
				if !answered(t, done) {
					t.Fatal("one is missing")
				}
			}
			if len(s[1].packets(false)) != 50 || time.Since(epoch) != time.Second {
				t.Errorf("the other server got %d, after %v", len(s[1].packets(false)), time.Since(epoch))
			}
		}, func(c *Config) { c.Servers[0].InFlight = inFlight })
	}
}

// With no other server the request is sent again once, not for ever.
func TestRFC6614_CutTwice(t *testing.T) {
	radsec(t, []string{"a.test"}, func(t *testing.T, g *Group, s []*secured) {
		s[0].set(func(s *secured) { s.script = func(_ *secured, c *tls.Conn, _ []byte) { c.Close() } })
		_, err := g.Exchange(context.Background(), login("alice"))
		if timeout, ok := errors.AsType[*TimeoutError](err); !ok || len(timeout.Tries) != 2 || !errors.Is(err, ErrConnection) {
			t.Errorf("%v", err)
		}
		if len(s[0].packets(false)) != 2 || time.Since(epoch) < leastRedial {
			t.Errorf("%d packets in %v", len(s[0].packets(false)), time.Since(epoch))
		}
	})
}

// An idle connection is asked whether it is there, and cut when it does not say so (RFC 3539 section 3.4).
func TestRFC3539Section3_4_Watchdog(t *testing.T) {
	radsec(t, []string{"a.test"}, func(t *testing.T, g *Group, s []*secured) {
		after(10 * time.Minute)
		if got := len(s[0].packets(true)); got < 17 || got > 22 || len(s[0].dials) != 1 || g.state(0) != Alive {
			t.Fatalf("%d Status-Server, %d connections, %v", got, len(s[0].dials), g.state(0))
		}
		s[0].set(func(s *secured) { s.script = mute })
		after(67 * time.Second)
		if len(s[0].dials) < 2 {
			t.Errorf("%d connections: one that says nothing is not cut", len(s[0].dials))
		}
		s[0].set(func(s *secured) { s.script = (*secured).accept })
		after(67 * time.Second)
		must(t, g, login("alice"), radius.CodeAccessAccept)
	})
}

// The path is cut without a word: what is under way moves to the other server, and so does all that comes later.
func TestRadSecPathIsLost(t *testing.T) {
	radsec(t, []string{"a.test", "b.test"}, func(t *testing.T, g *Group, s []*secured) {
		must(t, g, login("alice"), radius.CodeAccessAccept)
		s[0].set(func(s *secured) { s.script = mute })
		began := time.Now()
		must(t, g, login("alice"), radius.CodeAccessAccept)
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("moved after %v", took)
		}
		began = time.Now()
		must(t, g, login("alice"), radius.CodeAccessAccept)
		if took := time.Since(began); took != 0 || g.state(0) != Zombie {
			t.Errorf("the next one took %v; the server is %v", took, g.state(0))
		}
	})
}

func TestRadSecBackOff(t *testing.T) {
	gaps := func(t *testing.T, s *secured) {
		t.Helper()
		for i := 1; i < len(s.dials); i++ {
			if gap := s.dials[i] - s.dials[i-1]; gap < leastRedial || gap > 33*time.Second {
				t.Errorf("opened again after %v", gap)
			}
		}
		if n := len(s.dials); n < 10 || n > 30 {
			t.Errorf("opened %d times in 5 minutes", n)
		}
	}
	radsec(t, []string{"a.test"}, func(t *testing.T, g *Group, s []*secured) {
		s[0].set(func(s *secured) { s.refuse = true; s.conns[0].NetConn().Close() })
		after(5 * time.Minute)
		gaps(t, s[0])
		if got := g.Stats()[0]; got.State != Dead || got.Fault == "" {
			t.Errorf("%+v", got)
		}
		if _, err := g.Exchange(context.Background(), login("alice")); !errors.Is(err, ErrConnection) {
			t.Error(err)
		}
		s[0].set(func(s *secured) { s.refuse = false })
		began := time.Now()
		must(t, g, login("alice"), radius.CodeAccessAccept) // who asks does not wait for the end of the back-off
		if took := time.Since(began); took > time.Second || g.state(0) != Alive {
			t.Errorf("took %v; it is %v", took, g.state(0))
		}
	})
	radsec(t, []string{"a.test"}, func(t *testing.T, g *Group, s []*secured) { // taken, and cut at once
		s[0].set(func(s *secured) { s.config.MinVersion = 0x0399; s.conns[0].NetConn().Close() })
		after(5 * time.Minute)
		gaps(t, s[0])
	})
}

func TestRadSecCertificates(t *testing.T) {
	tests := []struct {
		name   string
		change func(server *tls.Config, client *tls.Config)
		fault  string
	}{
		{"another name", func(s, _ *tls.Config) { s.Certificates[0] = *certificate(authority(), "other.test") }, "other.test"},
		{"another authority", func(_, c *tls.Config) { c.RootCAs = x509.NewCertPool() }, "unknown authority"},
		{"TLS 1.1", func(s, _ *tls.Config) { s.MaxVersion = tls.VersionTLS11; s.MinVersion = tls.VersionTLS10 }, "protocol version"},
		{"no certificate of ours", func(s, c *tls.Config) {
			c.Certificates, c.MaxVersion = nil, tls.VersionTLS12
			s.ClientAuth = tls.RequireAnyClientCert
		}, "tls: "},
		{"a name that is given", func(s, c *tls.Config) {
			s.Certificates[0] = *certificate(authority(), "other.test")
			c.ServerName = "other.test"
		}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			authority()
			synctest.Test(t, func(t *testing.T) {
				epoch = time.Now()
				s := newSecured("radius.test")
				client := &tls.Config{RootCAs: roots(), Certificates: []tls.Certificate{*certificate(authority(), "nas.test")}}
				test.change(s.config, client)
				g := group(t, Config{Dial: s.dial, Servers: []Server{{Address: "radius.test:2083", TLS: client}}})
				synctest.Wait()
				got := g.Stats()[0]
				if (got.State == Dead) != (test.fault != "") || !strings.Contains(got.Fault, test.fault) {
					t.Errorf("%v: %s", got.State, got.Fault)
				}
				g.Close()
			})
		})
	}
}
