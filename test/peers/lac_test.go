package peers_test

import (
	"bytes"
	"crypto/md5"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns"
	"lnsgate/test/peers"
)

// Result Codes of two octets, of four, and longer ones.
func TestQ45ResultCodesOfEveryLength(t *testing.T) {
	for _, value := range [][]byte{{0, 3}, {0, 3, 0, 0}, append([]byte{0, 3, 0, 6}, "user request"...)} {
		inLab(t, nil, func(l *lab) {
			peer := l.connect(peers.MikroTik())
			peer.HangUp(peers.AVP{Type: 1, Value: value})
			peer.Run(time.Second)
			l.wantSessions(0)
			if !strings.Contains(l.log.String(), "result 3 (administrative reasons)") {
				t.Errorf("% x is not understood", value)
			}
			peer.Stop(value[:2]...)
			peer.Run(time.Minute)
			l.wantTunnels(0)
		})
	}
}

// CCP is not finished when IPCP comes, 30 ms later. IPCP is not terminated for it.
func TestQ46IPCPRightBehindCCP(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		peer := l.connect(peers.MikroTik())
		if n := len(peer.Frames(peers.IPCP, peers.TerminateAck)) + len(peer.Frames(peers.IPCP, peers.TerminateRequest)); n != 0 {
			t.Errorf("IPCP was terminated\n%s", peer.Transcript())
		}
	})
}

// MRRU and BCP are rejected, and nothing more comes of it.
func TestQ47MRRUAndBCP(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		peer := l.connect(peers.MikroTik())
		peer.Run(time.Second)
		if r := peer.Frames(peers.LCP, peers.ConfigureReject); len(r) != 1 || !bytes.Equal(r[0].Data, []byte{17, 4, 6, 0x40}) {
			t.Errorf("%v", r)
		}
		var rejected []uint16
		for _, r := range peer.Frames(peers.LCP, peers.ProtocolReject) {
			rejected = append(rejected, uint16(r.Data[0])<<8|uint16(r.Data[1]))
		}
		if !slices.Contains(rejected, peers.BCP) || !slices.Contains(rejected, peers.CCP) {
			t.Errorf("%#x", rejected)
		}
	})
}

// proxied is a LAC that has talked to its subscriber already: LCP, and a CHAP challenge with its answer.
func proxied(p peers.Profile, secret string) peers.Profile {
	challenge := []byte("0123456789abcdef")
	response := md5.Sum(slices.Concat([]byte{5}, []byte(secret), challenge))
	p.AckOnly, p.Proxied = true, true
	p.Answer = []peers.AVP{
		peers.Optional(peers.AVP{Type: 26, Value: []byte{1, 4, 5, 0xd4}}),
		peers.Optional(peers.AVP{Type: 27, Value: []byte{3, 5, 0xc2, 0x23, 5, 5, 6, 9, 9, 9, 9}}),
		peers.Optional(peers.AVP{Type: 28, Value: []byte{1, 4, 5, 0xd4, 5, 6, 0x39, 0x5a, 0x11, 0x7c}}),
		peers.Optional(peers.Number(29, 2)), peers.Optional(peers.Text(30, userName)),
		peers.Optional(peers.AVP{Type: 31, Value: challenge}), peers.Optional(peers.Number(32, 5)),
		peers.Optional(peers.AVP{Type: 33, Value: response[:]}),
	}
	return p
}

// the subscriber never begins LCP again. What the LAC has agreed on is used, and so is its proof where the group trusts it.
func TestQ48ProxyOfTheLAC(t *testing.T) {
	inLab(t, func(l *lab) { l.config.Groups[0].ProxyAuthenticate = true }, func(l *lab) {
		peer := l.peer(proxied(peers.CiscoLAC(), password))
		peer.Dial()
		if !peer.Until(10*time.Second, peer.Up) {
			t.Fatalf("not up\n%s", peer.Transcript())
		}
		if n := len(peer.Frames(peers.LCP, peers.ConfigureRequest)); n != 0 {
			t.Errorf("LCP was negotiated again, %d requests", n)
		}
		if s := l.wantSessions(1)[0]; s.User != userName || s.PeerMRU != 1460 {
			t.Errorf("%+v", s)
		}
	})
	inLab(t, func(l *lab) { l.config.Groups[0].ProxyAuthenticate = true }, func(l *lab) { // the proof is wrong
		peer := l.peer(proxied(peers.CiscoLAC(), "another password"))
		peer.Dial()
		peer.Run(20 * time.Second)
		if peer.Up() || peer.Closed() == nil {
			t.Errorf("a wrong proof is trusted\n%s", peer.Transcript())
		}
	})
	inLab(t, nil, func(l *lab) { // nothing was negotiated, and the peer says nothing of its own: it does not hang for ever
		p := peers.CiscoLAC()
		p.AckOnly = true
		peer := l.peer(p)
		peer.Dial()
		peer.Run(2 * time.Minute)
		l.wantSessions(0)
	})
}

// the other two ways to deal with what a LAC has collected: its LCP is used and the subscriber is asked again, or
// everything begins anew.
func TestQ48MandatoryCHAPAndRenegotiation(t *testing.T) {
	inLab(t, nil, func(l *lab) { // proxy_lcp on, proxy_authentication off
		peer := l.connect(proxied(peers.CiscoLAC(), "whatever the LAC says"))
		if len(peer.Frames(peers.LCP, peers.ConfigureRequest)) != 0 || len(peer.Frames(peers.CHAP, 1)) == 0 {
			t.Errorf("\n%s", peer.Transcript())
		}
	})
	inLab(t, func(l *lab) { l.config.Groups[0].ProxyLCP = false }, func(l *lab) { // both off
		p := proxied(peers.CiscoLAC(), "whatever the LAC says")
		p.AckOnly, p.Proxied = false, false
		peer := l.connect(p)
		if len(peer.Frames(peers.LCP, peers.ConfigureRequest)) == 0 {
			t.Errorf("\n%s", peer.Transcript())
		}
	})
}

// Several LACs with a secret each, by name and by address: each proves its own, and none that of another.
func TestEachLACHasItsSecret(t *testing.T) {
	inLab(t, func(l *lab) {
		base := l.config.Groups[0]
		base.Authenticate, base.Secret = true, aaa.NewSecret("for everybody else")
		cisco, huawei := base, base
		cisco.Name, cisco.HostNames, cisco.Secret = "cisco", []string{"LAC1"}, aaa.NewSecret("of cisco")
		huawei.Name, huawei.Sources, huawei.Secret = "huawei", []netip.Prefix{netip.MustParsePrefix("198.51.100.2/32")}, aaa.NewSecret("of huawei")
		l.config.Groups = []lns.Group{base, cisco, huawei}
	}, func(l *lab) {
		for _, c := range []struct {
			p      peers.Profile
			secret string
			group  string // empty: refused
		}{
			{peers.CiscoLAC(), "of cisco", "cisco"},
			{peers.HuaweiLAC(), "of huawei", "huawei"}, // the second address
			{peers.XL2TPD(), "for everybody else", "default"},
			{peers.CiscoLAC(), "of huawei", ""},
			{peers.XL2TPD(), "of cisco", ""},
		} {
			peer := l.peer(c.p)
			peer.Login.Secret = c.secret
			peer.Login.Challenge = bytes.Repeat([]byte{3}, 16)
			if c.group == "" {
				peer.Dial()
				peer.Run(3 * time.Second)
				if peer.Up() {
					t.Errorf("%s is in with the secret %q", c.p.Name, c.secret)
				}
				continue
			}
			l.dial(peer)
			found := slices.ContainsFunc(l.server.Tunnels(), func(i lns.TunnelInfo) bool { return i.HostName == hostOf(c.p) && i.Group == c.group })
			if !found {
				t.Errorf("%s is not in group %s", c.p.Name, c.group)
			}
		}
	})
}

func hostOf(p peers.Profile) string { return value(p.Start, 7) }

// RFC 3145 both ways: what the LAC says PPP died of is told, and what the LAC should know is said to it.
func TestRFC3145DisconnectCausesBothWays(t *testing.T) {
	cause := func(code uint16, text string) peers.AVP {
		return peers.AVP{Optional: true, Type: 46, Value: append([]byte{byte(code >> 8), byte(code), 0xc0, 0x21, 2}, text...)}
	}
	inLab(t, nil, func(l *lab) {
		peer := l.connect(peers.CiscoLAC())
		peer.HangUp(peers.AVP{Type: 1, Value: []byte{0, 3, 0, 0}}, cause(7, "line lost"))
		peer.Run(time.Second)
		if log := l.log.String(); !strings.Contains(log, "PPP disconnect cause 7") || !strings.Contains(log, "line lost") {
			t.Errorf("the log does not say so\n%s", peer.Transcript())
		}
	})
	inLab(t, nil, func(l *lab) { // the subscriber stops answering
		peer := l.connect(peers.CiscoLAC())
		peer.OnFrame = func(peers.Frame) bool { return true }
		peer.Run(10 * time.Minute)
		if peer.Closed() == nil || peer.Closed().Type() != peers.CDN {
			t.Fatalf("no CDN\n%s", peer.Transcript())
		}
		if v, said := peer.Closed().Get(46); !said || len(v) < 5 {
			t.Errorf("no disconnect cause: % x", v)
		}
	})
}

// a Cisco LAC drops the link when it is offered a method that it was not set up for. A group of its own offers that alone.
func TestQ49OneMethodForThisPeer(t *testing.T) {
	inLab(t, func(l *lab) {
		l.config.Templates = append(l.config.Templates, lns.Template{Name: "pap", Address: netip.MustParseAddr("10.10.0.2"), MRU: 1460,
			Methods: []aaa.Method{aaa.CHAP}})
		g := l.config.Groups[0]
		g.Name, g.HostNames, g.Template = "lac1", []string{"LAC1"}, "pap"
		l.config.Groups = append(l.config.Groups, g)
		l.config.Templates[0].Methods = []aaa.Method{aaa.EAP, aaa.MSCHAPv2, aaa.CHAP}
	}, func(l *lab) {
		peer := l.peer(peers.CiscoLAC())
		peer.OnFrame = func(f peers.Frame) bool {
			if f.Protocol == peers.LCP && f.Code == peers.ConfigureRequest && !bytes.Contains(f.Data, []byte{3, 5, 0xc2, 0x23, 5}) {
				t.Errorf("another method is offered: %s", f)
			}
			return false
		}
		l.dial(peer)
	})
}

// FF 03 in front of every frame or of none, an MTU of 1500 on its side, and a tunnel that goes with its last session.
func TestQ50CiscoFramingMSSAndIdleTunnel(t *testing.T) {
	for _, head := range []bool{true, false} {
		p := peers.CiscoLAC()
		p.FlagsAndAddress = head
		inLab(t, nil, func(l *lab) {
			peer := l.connect(p)
			if mss := l.path.Specs()[0].MSS; mss != 1420 {
				t.Errorf("MSS %d", mss)
			}
			peer.HangUp(peers.AVP{Type: 1, Value: []byte{0, 1}})
			peer.Run(30 * time.Second)
			l.wantTunnels(1)
			peer.Run(time.Minute)
			if peer.Closed() == nil || peer.Closed().Type() != peers.StopCCN {
				t.Error("the idle tunnel stays")
			}
			peer.Run(time.Minute)
			l.wantTunnels(0)
		})
	}
}

// M bits as it likes, and an AVP at an odd offset behind the Host Name.
func TestQ51WrongMBitsAndOddOffsets(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.connect(peers.HuaweiLAC())
		if got := l.server.Tunnels()[0]; got.HostName != "ME60X" || got.Vendor != "Huawei" {
			t.Errorf("%+v", got)
		}
	})
}

// the SCCCN says again what the SCCRQ said.
func TestQ52SCCCNRepeatsTheSCCRQ(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		peer := l.connect(peers.MPD5())
		if peer.Closed() != nil {
			t.Error(peer.Closed())
		}
	})
}

// messages of an open tunnel with tunnel id 0, where the administrator knows such a router; else they are nobody's.
func TestQ53TunnelIDZero(t *testing.T) {
	inLab(t, func(l *lab) { l.config.Groups[0].Profile = "dlink" }, func(l *lab) {
		peer := l.connect(peers.DLink())
		peer.Run(3 * time.Minute)
		l.wantSessions(1)
		l.understood(peer)
		stranger := l.peer(peers.DLink())
		stranger.Raw(peers.Control{Ns: 9, AVPs: peers.Message(peers.StopCCN, peers.Number(1, 1), peers.Number(9, 7))}.Octets())
		stranger.Run(time.Second)
		l.wantCount("drop_tunnel_zero", 1)
		l.wantSessions(1)
	})
	inLab(t, nil, func(l *lab) {
		peer := l.peer(peers.DLink())
		if err := peer.Connect(10 * time.Second); err == nil {
			t.Error("it is found without a word of the administrator")
		}
	})
}

// AVPs of other vendors whose numbers are those of the RFC. What RFC 5515 says of the line is kept.
func TestQ54AVPsOfOtherVendors(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		p := peers.CiscoLAC()
		p.Call = append(p.Call, peers.Vendor(3561, peers.Number(14, 999)), peers.Vendor(9, peers.Number(1, 2)),
			peers.Vendor(3561, peers.Long(129, 1_000_000)), peers.Vendor(3561, peers.Long(130, 50_000_000)))
		p.Start = append(slices.Clone(p.Start), peers.Vendor(9, peers.Number(9, 4242)))
		peer := l.connect(p)
		if got := l.server.Tunnels()[0].RemoteID; got != peer.Tunnel {
			t.Errorf("tunnel %d", got)
		}
		s := l.wantSessions(1)[0]
		if s.CallingNumber != "4930123" || s.RemoteID != peer.Session || s.CircuitID != "dslam1 atm 3/0/1:1.32" || s.LineID != "line-4711" ||
			s.LineUp != 1_000_000 || s.LineDown != 50_000_000 {
			t.Errorf("%+v", s)
		}
	})
}

// an unknown AVP with the M bit in a message of a call ends the call with 2/8 and leaves the tunnel; a tolerant group
// takes it.
func TestQ55UnknownMandatoryAVP(t *testing.T) {
	p := peers.CiscoLAC()
	p.Call = append(p.Call, peers.AVP{Type: 999, Value: []byte("?")})
	inLab(t, nil, func(l *lab) {
		peer := l.peer(p)
		peer.Dial()
		peer.Run(2 * time.Second)
		if peer.Closed() == nil || peer.Closed().Type() != peers.CDN {
			t.Fatalf("no CDN\n%s", peer.Transcript())
		}
		if result, general, _ := peer.Closed().Result(); result != 2 || general != 8 {
			t.Errorf("%s", peer.Closed())
		}
		l.wantTunnels(1)
	})
	inLab(t, func(l *lab) { l.config.Groups[0].TolerateUnknown = true }, func(l *lab) { l.connect(p) })
}

// no Receive Window Size, or one of 0, means four: never more are under way.
func TestQ56WindowMissingOrZero(t *testing.T) {
	zero := peers.Juniper()
	zero.Start = append(slices.Clone(zero.Start), peers.Number(10, 0))
	for _, p := range []peers.Profile{peers.Juniper(), zero} {
		inLab(t, nil, func(l *lab) {
			peer := l.connect(p)
			for n := range uint16(20) {
				peer.Say(0, peers.ICRQ, nil, peers.Number(14, 100+n), peers.Long(15, uint32(n)))
			}
			peer.Run(20 * time.Second)
			if faults := strings.Join(peer.Faults(), "\n"); strings.Contains(faults, "window") {
				t.Error(faults)
			}
			if got := len(peer.Heard(peers.ICRP)); got < 21 {
				t.Errorf("%d of 21 calls were answered", got)
			}
		})
	}
}

// hidden AVPs with the wrong secret, with a length of 0xFFFF inside, and without a Random Vector or a secret.
func TestQ62Q65HiddenAVPs(t *testing.T) {
	vector := peers.AVP{Type: 36, Value: bytes.Repeat([]byte{9}, 16)}
	hidden := func(value []byte) peers.AVP { return peers.AVP{Type: 9, Hidden: true, Value: value} }
	pad := md5.Sum(slices.Concat([]byte{0, 9}, []byte("tunnel"), vector.Value))
	ffff := []byte{pad[0] ^ 0xff, pad[1] ^ 0xff, pad[2], pad[3]}
	for name, c := range map[string]struct {
		secret string
		avps   []peers.AVP
	}{
		"wrong secret":     {"tunnel", []peers.AVP{vector, hidden(bytes.Repeat([]byte{0x77}, 16))}},
		"length of 0xffff": {"tunnel", []peers.AVP{vector, hidden(ffff)}},
		"one octet":        {"tunnel", []peers.AVP{vector, hidden([]byte{1})}},
		"no vector":        {"tunnel", []peers.AVP{hidden(bytes.Repeat([]byte{1}, 16))}},
		"no secret":        {"", []peers.AVP{vector, hidden(bytes.Repeat([]byte{1}, 16))}},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) { l.config.Groups[0].Secret = aaa.NewSecret(c.secret) }, func(l *lab) {
				p := peers.XL2TPD()
				p.Start = append(slices.Clone(p.Start), c.avps...) // behind one that can be read: the answer has an address
				peer := l.peer(p)
				peer.Dial()
				peer.Run(3 * time.Second)
				if peer.Closed() == nil || peer.Closed().Type() != peers.StopCCN {
					t.Fatalf("no StopCCN\n%s", peer.Transcript())
				}
				if result, _, text := peer.Closed().Result(); result != 2 || text == "" {
					t.Errorf("%s", peer.Closed())
				}
				l.connect(peers.XL2TPD()) // and the server is well
			})
		})
	}
}

// a calling number as long as an AVP can be.
func TestQ63LongestNumber(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		p := peers.CiscoLAC()
		p.Call = []peers.AVP{peers.Text(22, strings.Repeat("7", 1017)), peers.Text(21, strings.Repeat("8", 1017))}
		l.connect(p)
		if n := len(l.wantSessions(1)[0].CallingNumber); n == 0 || n > 1017 {
			t.Errorf("%d octets", n)
		}
	})
}
