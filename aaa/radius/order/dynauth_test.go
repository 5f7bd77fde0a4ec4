package order

import (
	"context"
	"net/netip"
	"sync"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
	"lnsgate/aaa/radius/client"
	"lnsgate/aaa/radius/dialect"
	"lnsgate/aaa/radius/dynauth"
)

// node is a NAS of ours with one session. It keeps what was done to it.
type node struct {
	mu      sync.Mutex
	match   aaa.Match
	changed aaa.Change
	ended   string
}

// seen is what was done so far.
func (n *node) seen() (aaa.Match, aaa.Change, string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.match, n.changed, n.ended
}

func (n *node) Find(_ context.Context, m aaa.Match) []aaa.Live {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.match = m
	if m.Session != "8100000A" || m.UserName != "" && m.UserName != "alice@hr" || m.Address.IsValid() && m.Address != session().Address {
		return nil
	}
	return []aaa.Live{{Session: m.Session}}
}

func (n *node) Change(_ context.Context, _ []string, c aaa.Change) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.changed = c
	return nil
}

func (n *node) Disconnect(_ context.Context, name, _ string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended = name
	return true
}

// ours runs the NAS half of lnsgate on the loopback address until the test ends.
func ours(t *testing.T, n *node, at string) netip.AddrPort {
	t.Helper()
	server, err := dynauth.Listen(dynauth.Config{
		Listen: []netip.AddrPort{netip.MustParseAddrPort(at)}, Sessions: n, Identifiers: []string{"bras1"},
		Clients: []dynauth.Client{
			{Source: netip.MustParsePrefix("127.0.0.0/8"), Secret: aaa.NewSecret(secret), RequireMessageAuthenticator: true},
			{Source: netip.MustParsePrefix("::1/128"), Secret: aaa.NewSecret(secret), RequireMessageAuthenticator: true},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return server.Addresses()[0]
}

// sender makes a sender with real sockets for a NAS.
func sender(t *testing.T, at netip.AddrPort, nas NAS) *Sender {
	t.Helper()
	nas.Port = int(at.Port())
	s := New(Config{NAS: known(nas), Retry: client.RetryConfig{Initial: 100 * time.Millisecond, Count: 5}})
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestOurOwnNASUnderstands has lnsgate tell lnsgate, over IPv4 and IPv6, in all words that there are.
func TestOurOwnNASUnderstands(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "[::1]:0"} {
		for _, equipment := range []dialect.Equipment{dialect.Standard, dialect.Mikrotik, dialect.WISPr, dialect.Huawei, dialect.Accel} {
			n := &node{}
			at := ours(t, n, listen)
			s := sender(t, at, NAS{Equipment: equipment})
			o, _ := change(equipment)
			o.Session.NAS.Address = at.Addr()
			if equipment == dialect.Standard {
				o.Changed.RateDown = nil
			}
			got := s.Send(background(), o)
			match, changed, _ := n.seen()
			if !got.OK || changed.SessionTimeout == nil || match.Session != "8100000A" {
				t.Errorf("%s: %+v %+v %+v", equipment, got, match, changed)
			}
			if equipment != dialect.Standard && (changed.RateUp == nil || *changed.RateUp != 1e6 || *changed.RateDown != 2e6) {
				t.Errorf("%s: %+v", equipment, changed)
			}
			o.Kind = foreign.Disconnect
			got = s.Send(background(), o)
			if _, _, ended := n.seen(); !got.OK || ended != "8100000A" {
				t.Errorf("%s: %+v %s", equipment, got, ended)
			}
			o.Session.NAS.Session = "8100000B"
			if got := s.Send(background(), o); got.OK || !got.Done || !got.Lost {
				t.Errorf("%s: %+v", equipment, got)
			}
			if stats := s.Stats(); stats.Stranger+stats.Forged+stats.Malformed+stats.Late != 0 || stats.Sent != 3 {
				t.Errorf("%+v", stats)
			}
		}
	}
}

// TestOurOwnNASIsCalledOtherwise has it refuse what is for another.
func TestOurOwnNASIsCalledOtherwise(t *testing.T) {
	at := ours(t, &node{}, "127.0.0.1:0")
	o := disconnect()
	o.Session.NAS.Address, o.Session.NAS.Identifier = at.Addr(), "bras2"
	if got := sender(t, at, NAS{}).Send(background(), o); got.Text != "refused: the NAS is called otherwise (403)" || got.Lost {
		t.Errorf("%+v", got)
	}
}
