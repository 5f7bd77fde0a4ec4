package datapath

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestValidateNamesEveryFault(t *testing.T) {
	good := Spec{
		Key: Key{1, 2}, Path: Path{Remote: netip.MustParseAddrPort("198.51.100.7:1701")}, PeerTunnel: 3, PeerSession: 4,
		Interface: "vt1", Address: netip.MustParseAddr("10.10.1.10"), MSS: 1360,
	}
	if err := good.Validate(); err != nil {
		t.Errorf("a good spec: %v", err)
	}
	bad := Spec{PeerMRU: 10, MSS: -1, Routes: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8")}}
	err := bad.Validate()
	var fault *SpecError
	if !errors.As(err, &fault) {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"our tunnel", "peer's tunnel", "port", "interface", "address", "PeerMRU", "MSS", "10.0.0.1/8"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing from: %v", want, err)
		}
	}
	mapped := good
	mapped.Address, mapped.Path.Remote = netip.MustParseAddr("::ffff:10.0.0.1"), netip.MustParseAddrPort("[::ffff:10.0.0.1]:1701")
	if err := mapped.Validate(); err == nil || strings.Count(err.Error(), "IPv6") != 2 {
		t.Errorf("mapped addresses: %v", err)
	}
}

// They become labels of metrics and words of scripts.
func TestReasonsAreDistinctWordsInSnakeCase(t *testing.T) {
	seen := map[string]bool{"": true, "unknown_reason": true}
	for r := range Reasons {
		if seen[r.String()] || strings.Trim(r.String(), "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			t.Errorf("%d is %q", r, r)
		}
		seen[r.String()] = true
	}
	if Reasons.String() != "unknown_reason" {
		t.Error("there is a reason too many")
	}
}
