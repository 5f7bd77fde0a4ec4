package peers_test

import (
	"bytes"
	"context"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
	"lnsgate/pool/memory"
	"lnsgate/test/peers"
	"lnsgate/test/simnet"
)

// two PCs behind one NAT dial from port 1701 and use the same small ids for everything.
func TestQ24TwoPCsBehindOneNATShareTheirIDs(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		nat := l.net.NAT(netip.MustParseAddr("203.0.113.9"))
		a := l.peerAt(peers.Windows(), nat.Endpoint(nil, netip.MustParseAddrPort("10.0.0.2:1701")))
		b := l.peerAt(peers.Windows(), nat.Endpoint(nil, netip.MustParseAddrPort("10.0.0.3:1701")))
		l.dial(a)
		l.dial(b)
		l.wantTunnels(2)
		l.wantSessions(2)
		a.Echo(77, nil)
		a.Run(time.Second)
		b.Run(time.Second)
		if len(a.Frames(peers.LCP, peers.EchoReply)) != 1 || len(b.Frames(peers.LCP, peers.EchoReply)) != 0 {
			t.Errorf("the answer went to the wrong one")
		}
		l.understood(a)
		l.understood(b)
	})
}

// it acks at once and asks two seconds later, with options that nobody wants: exactly those are rejected, once,
// with the octets that it sent.
func TestQ26Q27OnlyWhatIsUnknownIsRejected(t *testing.T) {
	p := peers.Windows()
	discriminator := peers.Opt(19, append([]byte{1}, bytes.Repeat([]byte{7}, 20)...)...)
	p.Link = append(p.Link, peers.Opt(17, 6, 0x4e), discriminator)
	for _, c := range []struct {
		p    peers.Profile
		want []byte
	}{
		{peers.Windows(), []byte{13, 3, 6}},
		{p, append([]byte{13, 3, 6, 17, 4, 6, 0x4e, 19, 23}, discriminator.Value...)},
	} {
		inLab(t, nil, func(l *lab) {
			peer := l.connect(c.p)
			rejects := peer.Frames(peers.LCP, peers.ConfigureReject)
			if len(rejects) != 1 || !bytes.Equal(rejects[0].Data, c.want) || len(peer.Frames(peers.LCP, peers.ConfigureAck)) != 1 {
				t.Errorf("%v\n%s", rejects, peer.Transcript())
			}
			if n := len(peer.Frames(peers.LCP, peers.ConfigureRequest)); n > 2 {
				t.Errorf("it was asked %d times\n%s", n, peer.Transcript())
			}
		})
	}
}

// three Identifications, the last of raw octets. They are kept, and none is rejected.
func TestQ28IdentificationsAreKept(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		peer := l.connect(peers.Windows())
		got := l.wantSessions(1)[0].Identification
		if len(got) != 3 || got[0] != "MSRASV5.20" || got[1] != "MSRAS-0-DESKTOP-4PQ7" || !strings.Contains(got[2], `\x01`) {
			t.Errorf("%q", got)
		}
		if n := len(peer.Frames(peers.LCP, peers.CodeReject)); n != 0 {
			t.Errorf("%d Code-Rejects", n)
		}
	})
}

// one counter for all protocols, which wraps in the middle.
func TestQ29OneCounterForAllProtocols(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		peer := l.peer(peers.Windows())
		peer.Count(253)
		l.dial(peer)
	})
}

// IPV6CP, CCP and IPCP at once. Each is answered by itself, and IPCP waits for none.
func TestQ30IPCPWaitsForNobody(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		peer := l.peer(peers.Windows())
		peer.Dial()
		if !peer.Until(10*time.Second, func() bool { return peer.Granted }) {
			t.Fatal(peer.Transcript())
		}
		if !peer.Until(100*time.Millisecond, peer.Up) {
			t.Errorf("IPCP was not up 100 ms after the login\n%s", peer.Transcript())
		}
		peer.Run(time.Second)
		rejected := false
		for _, r := range peer.Frames(peers.LCP, peers.ProtocolReject) {
			rejected = rejected || bytes.HasPrefix(r.Data, []byte{0x80, 0xfd})
		}
		if !rejected {
			t.Errorf("CCP got no answer\n%s", peer.Transcript())
		}
		l.understood(peer)
	})
}

// address, DNS and WINS all zero: first the Reject of what is not given, then the Nak, then the Ack.
func TestQ31RejectThenNakThenAck(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		peer := l.connect(peers.Windows())
		rejects, naks := peer.Frames(peers.IPCP, peers.ConfigureReject), peer.Frames(peers.IPCP, peers.ConfigureNak)
		if len(rejects) != 1 || len(rejects[0].Data) != 12 || rejects[0].Data[0] != 130 || rejects[0].Data[6] != 132 {
			t.Errorf("%v", rejects)
		}
		if len(naks) != 1 || len(peer.Frames(peers.IPCP, peers.ConfigureAck)) != 1 {
			t.Errorf("%v\n%s", naks, peer.Transcript())
		}
		if peer.Address != netip.MustParseAddr("10.10.1.10") || peer.DNS[0] != netip.MustParseAddr("10.1.1.53") || peer.DNS[1] != netip.MustParseAddr("10.1.2.53") {
			t.Errorf("%s %s", peer.Address, peer.DNS)
		}
	})
}

// the pool is empty. The address is not rejected; the call ends with a word about it.
func TestQ32NoAddressLeft(t *testing.T) {
	var leases *memory.Allocator
	inLab(t, func(l *lab) {
		leases = pools(l.t, "10.10.1.10")
		l.deps.Pools = leases
	}, func(l *lab) {
		l.connect(peers.Windows())
		late := l.peer(peers.Windows())
		late.Dial()
		late.Until(20*time.Second, func() bool { return late.Closed() != nil })
		if late.Closed() == nil {
			t.Fatalf("it was left hanging\n%s", late.Transcript())
		}
		result, general, text := late.Closed().Result()
		if late.Closed().Type() != peers.CDN || result != 2 && result != 4 || result == 2 && general != 4 && general != 7 || text == "" {
			t.Errorf("%s", late.Closed())
		}
		if len(late.Frames(peers.IPCP, peers.ConfigureReject)) != 0 {
			t.Error("the address was rejected")
		}
	})
}

// Windows tells its own error number when it hangs up.
func TestQ33ErrorNumberOfWindowsIsShown(t *testing.T) {
	for code, want := range map[uint16]string{0x2dc: "732", 0x2e2: "738"} {
		inLab(t, nil, func(l *lab) {
			peer := l.connect(peers.Windows())
			data := []byte{0x39, 0x5a, 0x11, 0x7c, 0x00, 0x3c, 0xcd, 0x74, 0, 0, byte(code >> 8), byte(code)}
			peer.Frame(peers.Frame{Protocol: peers.LCP, Code: peers.TerminateRequest, ID: 99, Data: data})
			peer.Run(5 * time.Second)
			l.wantSessions(0)
			if len(peer.Frames(peers.LCP, peers.TerminateAck)) != 1 || !strings.Contains(l.log.String(), want) {
				t.Errorf("%s is not told\n%s", want, peer.Transcript())
			}
		})
	}
}

// DOMAIN\user is hashed without the domain, user@domain with it. The names themselves stay exact.
func TestQ34NamesInTheHash(t *testing.T) {
	for typed, hashed := range map[string]string{`DEFAULT\l2tpuser`: "l2tpuser", "l2tpuser@default": "l2tpuser@default"} {
		inLab(t, func(l *lab) {
			l.logins.Authenticator = gateway(t, typed)
			l.config.Templates[0].Methods = []aaa.Method{aaa.MSCHAPv2}
		}, func(l *lab) {
			peer := l.peer(peers.Windows())
			peer.Login.User = typed
			peer.Login.Answer = secret.NewAnswerer(hashed, aaa.NewSecret(password), [16]byte{5})
			l.dial(peer)
			if got := l.wantSessions(1)[0].User; got != typed {
				t.Errorf("%q", got)
			}
		})
	}
}

// mschap is a server that offers MS-CHAPv2 alone.
func mschap(l *lab) { l.config.Templates[0].Methods = []aaa.Method{aaa.MSCHAPv2} }

// the failure that Windows understands.
func TestQ35FailureMessage(t *testing.T) {
	inLab(t, mschap, func(l *lab) {
		peer := l.peer(peers.Windows())
		peer.Login.Answer = secret.NewAnswerer(userName, aaa.NewSecret("wrong"), [16]byte{5})
		peer.Dial()
		peer.Run(5 * time.Second)
		if want := regexp.MustCompile(`^E=691 R=0 C=[0-9A-F]{32} V=3 M=.+$`); !want.MatchString(peer.Told) {
			t.Errorf("%q\n%s", peer.Told, peer.Transcript())
		}
	})
}

// refusing is a back end that has found the password right, and still says no.
type refusing struct{ cause aaa.Cause }

func (r refusing) Authenticate(context.Context, *aaa.Request) (aaa.Decision, error) {
	return aaa.Decision{}, &aaa.Rejection{Cause: r.cause, Proven: true}
}

func (r refusing) Authorize(ctx context.Context, q *aaa.Request) (aaa.Decision, error) {
	return r.Authenticate(ctx, q)
}

// who has proved to be the account's owner is told what is wrong with it, in the number that Windows explains.
func TestQ35WhoHasProvedHimselfIsToldWhy(t *testing.T) {
	for cause, want := range map[aaa.Cause]string{aaa.AccountDisabled: "E=647 ", aaa.AccountExpired: "E=646 ",
		aaa.DomainBlocked: "E=649 ", aaa.SessionLimit: "E=649 ", aaa.BackendUnavailable: "E=691 "} {
		inLab(t, func(l *lab) {
			mschap(l)
			l.config.Groups[0].ExplainRefusals = true
			l.deps.AAA = refusing{cause}
		}, func(l *lab) {
			peer := l.peer(peers.Windows())
			peer.Dial()
			peer.Run(5 * time.Second)
			if !strings.HasPrefix(peer.Told, want) {
				t.Errorf("%s: %q", cause, peer.Told)
			}
		})
	}
}

// Unless the group says so, all are told the same.
func TestQ35NobodyElseIsToldWhy(t *testing.T) {
	inLab(t, func(l *lab) {
		mschap(l)
		l.deps.AAA = refusing{aaa.AccountDisabled}
	}, func(l *lab) {
		peer := l.peer(peers.Windows())
		peer.Dial()
		peer.Run(5 * time.Second)
		if !strings.HasPrefix(peer.Told, "E=691 ") {
			t.Errorf("%q", peer.Told)
		}
	})
}

// the proof of the server, exactly so.
func TestQ36SuccessMessage(t *testing.T) {
	inLab(t, mschap, func(l *lab) {
		peer := l.connect(peers.Windows())
		if want := regexp.MustCompile(`^S=[0-9A-F]{40} M=[^ ].*$`); !want.MatchString(peer.Told) {
			t.Errorf("%q", peer.Told)
		}
	})
}

// Success is lost and the Response comes again: the same Success, and nobody is asked twice.
func TestQ38LostSuccess(t *testing.T) {
	inLab(t, mschap, func(l *lab) {
		peer := l.peer(peers.Windows())
		var lost []peers.Frame
		var last []byte
		l.net.Tap(func(d simnet.Datagram) {
			if d.To == serverAddr && bytes.Contains(d.Bytes, []byte{0xc2, 0x23, 2}) {
				last = d.Bytes
			}
		})
		peer.OnFrame = func(f peers.Frame) bool {
			if f.Protocol == peers.CHAP && f.Code == 3 {
				lost = append(lost, f)
				return len(lost) == 1
			}
			return false
		}
		peer.Dial()
		peer.Until(10*time.Second, func() bool { return len(lost) == 1 })
		peer.Raw(last)
		if !peer.Until(5*time.Second, peer.Up) || len(lost) != 2 || lost[0].ID != lost[1].ID || !bytes.Equal(lost[0].Data, lost[1].Data) {
			t.Errorf("%v\n%s", lost, peer.Transcript())
		}
		if n := len(l.logins.asked()); n != 1 {
			t.Errorf("%d questions", n)
		}
	})
}
