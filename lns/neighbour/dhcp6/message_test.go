package dhcp6

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var full = Message{
	Type: Reply, Transaction: [3]byte{1, 2, 3}, Client: []byte{0, 3, 0, 1, 1, 2, 3, 4, 5, 6}, Server: []byte{0, 2, 0, 0, 0, 9, 7},
	Addresses: []Identity{{ID: [4]byte{1}, T1: time.Hour, T2: 2 * time.Hour, Grants: []Grant{{netip.MustParsePrefix("2001:db8::5/128"), time.Minute, time.Hour}}}},
	Prefixes: []Identity{
		{ID: [4]byte{2}, T1: time.Hour, T2: 2 * time.Hour, Grants: []Grant{{netip.MustParsePrefix("2001:db8:100::/56"), time.Minute, time.Hour}}},
		{ID: [4]byte{3}, Status: NoPrefixAvail, Text: "none left"},
	},
	RapidCommit: true, DNS: []netip.Addr{netip.MustParseAddr("2001:db8::53"), netip.MustParseAddr("2001:db8::54")},
	Status: NotOnLink, Text: "elsewhere",
}

func TestRFC8415Section8_MessagesReadBackAsWritten(t *testing.T) {
	for _, m := range []Message{full, {Type: InformationRequest, Transaction: [3]byte{9}}, {Type: Solicit, Client: []byte{0, 3, 0, 1, 2}, RapidCommit: true}} {
		got, err := Parse(m.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(m, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
			t.Error(d)
		}
	}
}

func TestRelayedMessagesAreNotOurs(t *testing.T) {
	for _, kind := range []byte{0, 12, 13, 200} {
		if _, err := Parse(append([]byte{kind}, make([]byte, 40)...)); err == nil {
			t.Errorf("type %d is read", kind)
		}
	}
}

func TestMessageCutAtEveryOctet(t *testing.T) {
	whole := full.Bytes()
	for n := range whole {
		if m, err := Parse(whole[:n]); err == nil && n < 4 {
			t.Errorf("%d octets read as %+v", n, m)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(full.Bytes())
	f.Add([]byte{1, 0, 0, 1})
	f.Add([]byte{1, 0, 0, 1, 0, 25, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		if again, err := Parse(m.Bytes()); err == nil && (again.Type != m.Type || again.Transaction != m.Transaction) {
			t.Fatalf("%+v, again %+v", m, again)
		}
	})
}
