package main

import (
	"encoding/pem"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"lnsgate/aaa"
	"lnsgate/configs"
	"lnsgate/lns"
)

// What has not changed keeps its sockets and what it has learnt. A certificate that was renewed is a change.
func TestAReloadReplacesWhatHasChanged(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	c := &configs.Config{RADIUS: []configs.RADIUS{
		{Name: "a", FirstRetry: 1e9, Servers: []configs.RADIUSServer{{Address: "127.0.0.1", TLSPort: 9, Transport: configs.TLS, CAFile: file}}},
		{Name: "b", FirstRetry: 1e9, Servers: []configs.RADIUSServer{{Address: "127.0.0.1", TLSPort: 9, Transport: configs.TLS}}},
	}}
	groups := newRADIUSGroups("lns1", t.TempDir(), slog.New(slog.DiscardHandler))
	defer groups.close()
	reload := func() []*radiusGroup {
		t.Helper()
		next, err := groups.prepare(c)
		if err != nil {
			t.Fatal(err)
		}
		groups.put(next, 0)
		return next
	}
	first := reload()
	if again := reload(); !slices.Equal(first, again) {
		t.Error("a group was replaced though nothing has changed")
	}
	if err := os.WriteFile(file, append(authority, authority...), 0o600); err != nil {
		t.Fatal(err)
	}
	if renewed := reload(); renewed[0] == first[0] || renewed[1] != first[1] {
		t.Error("the group with the renewed certificate is to be replaced, and no other")
	}
}

// Servers know the open sessions by what the group calls this node.
func TestAReloadKeepsWhatServersKnowThisNodeBy(t *testing.T) {
	old := configs.RADIUS{Name: "hq", NASIdentifier: "lns1", AccountingOnOff: true}
	n := &node{log: slog.New(slog.DiscardHandler), config: &configs.Config{RADIUS: []configs.RADIUS{old}}}
	next := &configs.Config{RADIUS: []configs.RADIUS{
		{Name: "new", NASIdentifier: "x"},
		{Name: "hq", NASIdentifier: "lns2", NASAddress: netip.MustParseAddr("192.0.2.1"), Transmissions: 7},
	}}
	n.keepNAS(next)
	if g := next.RADIUS[1]; g.NASIdentifier != "lns1" || g.NASAddress.IsValid() || !g.AccountingOnOff || g.Transmissions != 7 {
		t.Errorf("%+v", g)
	}
	if next.RADIUS[0].NASIdentifier != "x" {
		t.Error("a new group is called as the file says")
	}
}

func TestNoTwoGroupsShareAFile(t *testing.T) {
	seen := make(map[string]string)
	for _, name := range []string{"a.b", "a/b", "a_b", "a%2Eb", "a%2Fb", "..", ".", "ä"} {
		file := fileName(name)
		if filepath.Base("x-"+file+".spool") != "x-"+file+".spool" || seen[file] != "" {
			t.Errorf("%q is %q, as %q", name, file, seen[file])
		}
		seen[file] = name
	}
}

// A server that grants an address or a network in which servers of ours are would cut us off from them, or them from others.
func TestNoPeerGetsWhatIsOurs(t *testing.T) {
	c := &configs.Config{
		Listen:           []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:1701"), netip.MustParseAddrPort("198.51.100.1:1701")},
		VirtualTemplates: []configs.VirtualTemplate{{Name: "vt1", Address: netip.MustParsePrefix("10.30.0.1/24")}, {Name: "vt2"}},
		RADIUS:           []configs.RADIUS{{Name: "hq", Servers: []configs.RADIUSServer{{Address: "203.0.113.9"}, {Address: "aaa.example"}}}},
	}
	possible := content{}.possible(c)
	for address, ok := range map[string]bool{
		"10.30.0.1": false, "198.51.100.1": false, "203.0.113.9": false, "10.30.0.2": true, "203.0.113.10": true,
	} {
		if err := possible(&aaa.Decision{Backend: "hq", Address: netip.MustParseAddr(address)}); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
	if err := possible(&aaa.Decision{Backend: "hq"}); err != nil {
		t.Error(err)
	}
	for network, ok := range map[string]bool{"203.0.113.0/24": false, "198.51.100.0/24": false, "10.30.0.0/16": false, "10.40.0.0/16": true} {
		taken := slices.ContainsFunc(reserved(c), func(r lns.Reserved) bool { return r.Network.Overlaps(netip.MustParsePrefix(network)) })
		if taken == ok {
			t.Errorf("%s is free: %v", network, !taken)
		}
	}
}

// The address that servers know a node by is the same in requests, records and Accounting-On.
func TestTheNASAddressIsTheWayToTheServers(t *testing.T) {
	groups := newRADIUSGroups("lns1", t.TempDir(), slog.New(slog.DiscardHandler))
	server := []configs.RADIUSServer{{Address: "127.0.0.1", AccountingPort: 1813}}
	for want, c := range map[string]configs.RADIUS{
		"127.0.0.1": {Name: "a", Servers: server},
		"192.0.2.1": {Name: "b", Servers: server, NASAddress: netip.MustParseAddr("192.0.2.1")},
	} {
		if got := groups.nasAddress(c).String(); got != want {
			t.Errorf("group %s is seen as %s, want %s", c.Name, got, want)
		}
	}
}
