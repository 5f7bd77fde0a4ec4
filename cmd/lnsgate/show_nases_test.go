package main

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lnsgate/aaa/radius/dialect"
	"lnsgate/aaa/radiusserver"
	"lnsgate/lns/admin"
)

func TestNASesWithTheirFigures(t *testing.T) {
	source := netip.MustParsePrefix
	var all radiusserver.Counts
	var sum uint64
	for _, o := range radiusserver.Outcomes() {
		all[o] = uint64(o) + 1
		sum += all[o]
	}
	got := nasList([]radiusserver.Client{
		{Name: "wifi", Source: source("2001:db8::/48")}, {Name: "branch", Source: source("192.0.2.1/32"), Equipment: dialect.Mikrotik},
	}, map[string]radiusserver.Counts{"branch": all, "gone": all})
	want := []admin.NAS{{
		Name: "branch", Source: source("192.0.2.1/32"), Type: "mikrotik", Requests: sum, Accepted: all[radiusserver.Accepted], Rejected: all[radiusserver.Rejected],
		Challenged: all[radiusserver.Challenged], Recorded: all[radiusserver.Recorded], Repeated: all[radiusserver.Repeated],
		Dropped: map[string]uint64{
			"pending": all[radiusserver.Pending], "unanswered": all[radiusserver.Unanswered], "superseded": all[radiusserver.Superseded],
			"stranger": all[radiusserver.Stranger], "malformed": all[radiusserver.Malformed], "wrong_code": all[radiusserver.WrongCode],
			"forged": all[radiusserver.Forged], "unsigned": all[radiusserver.Unsigned], "unsigned_proxy": all[radiusserver.UnsignedProxy],
			"unproven": all[radiusserver.Unproven], "busy": all[radiusserver.Busy],
		},
	}, {Name: "wifi", Source: source("2001:db8::/48"), Type: "standard"}}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if got := (*answering)(nil).clients(); got != nil {
		t.Errorf("without a RADIUS server: %v", got)
	}
}
