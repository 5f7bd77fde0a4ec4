package peers_test

import (
	"bytes"
	"context"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/test/peers"
)

// routed is a server whose domain tells its clients two networks and a suffix.
func routed(l *lab) { l.deps.AAA = decorated{l.logins} }

type decorated struct{ aaa.Authenticator }

func (d decorated) Authenticate(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	decision, err := d.Authenticator.Authenticate(ctx, r)
	decision.ClientRoutes = []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16")}
	decision.DNSSuffix = "corp.example"
	decision.Routes = []aaa.Route{{Prefix: netip.MustParsePrefix("10.30.0.0/16"), Gateway: netip.MustParseAddr("10.10.0.1")}}
	return decision, err
}

// asked sends a question, and gives the answer.
func asked(t *testing.T, peer *peers.Peer, packet []byte) []byte {
	t.Helper()
	var answer []byte
	peer.OnFrame = func(f peers.Frame) bool {
		if f.Protocol == peers.IPv4 {
			answer = f.Data
		}
		return false
	}
	peer.Frame(peers.Frame{Protocol: peers.IPv4, Data: packet})
	peer.Run(time.Second)
	return answer
}

// Windows and macOS ask for routes and suffix when they have their address. A route of RADIUS over our own
// address is told with those of the domain.
func TestQ21Q37RoutesAndSuffixByDHCPINFORM(t *testing.T) {
	for _, c := range []struct {
		p       peers.Profile
		options []byte
	}{{peers.Apple(), peers.AppleInform}, {peers.Windows(), peers.WindowsInform}} {
		inLab(t, routed, func(l *lab) {
			peer := l.connect(c.p)
			answer := asked(t, peer, peers.Inform(peer.Address, c.options...))
			if len(answer) < 268 {
				t.Fatalf("no answer\n%s", peer.Transcript())
			}
			routes := []byte{249, 14, 16, 10, 20, 10, 10, 0, 1, 16, 10, 30, 10, 10, 0, 1}
			for _, want := range [][]byte{routes, append([]byte{121}, routes[1:]...), append([]byte{15, 12}, "corp.example"...),
				{6, 8, 10, 1, 1, 53, 10, 1, 2, 53}, {54, 4, 10, 10, 0, 1}} {
				if !bytes.Contains(answer[268:], want) {
					t.Errorf("% x is not in the answer % x", want, answer[268:])
				}
			}
			readByTshark(t, answer)
			if routes := l.wantSessions(1)[0].Routes; len(routes) != 0 {
				t.Errorf("%v are behind the peer", routes)
			}
		})
	}
}

// whoever asks for ever is not answered for ever, and nobody gets another's answer, or an address.
func TestQ21QuestionsAreBounded(t *testing.T) {
	inLab(t, routed, func(l *lab) {
		peer := l.connect(peers.Apple())
		for i := range 100 {
			peer.Frame(peers.Frame{Protocol: peers.IPv4, Data: peers.Inform(peer.Address, peers.AppleInform...)})
			if i%4 == 3 { // few of them wait at a time: otherwise they are dropped before anybody reads them
				peer.Run(time.Millisecond)
			}
		}
		peer.Run(time.Second)
		l.wantCount("dhcp_informs_answered", 8)
		l.wantCount("drop_dhcp_question", 92)
		peer.Run(20 * time.Second)
		discover := peers.Inform(peer.Address, 255)
		discover[28+242] = 1
		if asked(t, peer, discover) != nil || asked(t, peer, peers.Inform(netip.MustParseAddr("10.10.1.99"), 255)) != nil {
			t.Error("it was answered")
		}
		if asked(t, peer, peers.Inform(peer.Address, 255)) == nil {
			t.Error("it is not answered any more")
		}
	})
	inLab(t, routed, func(l *lab) { // before the session is open
		peer := l.peer(peers.Apple())
		peer.Dial()
		peer.Until(time.Second, func() bool { return peer.ServerSession != 0 })
		if asked(t, peer, peers.Inform(netip.MustParseAddr("10.10.1.10"), 255)) != nil {
			t.Error("it was answered before the login")
		}
	})
}

// A RADIUS server that leads a network over somebody else made a mistake.
func TestFramedRouteOverAStrangerIsRefused(t *testing.T) {
	inLab(t, func(l *lab) { l.deps.AAA = misled{l.logins} }, func(l *lab) {
		peer := l.peer(peers.Apple())
		peer.Dial()
		peer.Run(5 * time.Second)
		if peer.Up() || !strings.Contains(l.log.String(), "10.99.0.1") {
			t.Error("it is not told")
		}
	})
}

type misled struct{ aaa.Authenticator }

func (m misled) Authenticate(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	d, err := m.Authenticator.Authenticate(ctx, r)
	d.Routes = []aaa.Route{{Prefix: netip.MustParsePrefix("10.30.0.0/16"), Gateway: netip.MustParseAddr("10.99.0.1")}}
	return d, err
}

// readByTshark has tshark read the answer, as a second opinion.
func readByTshark(t *testing.T, packet []byte) {
	t.Helper()
	path, err := exec.LookPath("tshark")
	if err != nil {
		missing(t, "tshark is not installed")
		return
	}
	file := capture(t, packet)
	out, err := exec.Command(path, "-r", file, "-V", "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE").CombinedOutput()
	text := string(out)
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, text)
	}
	for _, want := range []string{"DHCP Message Type (ACK)", "10.20.0.0/16-10.10.0.1", "10.30.0.0/16-10.10.0.1", "corp.example", "Private/Classless Static Route (Microsoft)"} {
		if !strings.Contains(text, want) {
			t.Errorf("tshark does not read %q\n%s", want, text)
		}
	}
	for _, bad := range []string{"Malformed", "Checksum Status: Bad", "[Expert Info (Error"} {
		if strings.Contains(text, bad) {
			t.Errorf("tshark says %q\n%s", bad, text)
		}
	}
}
