package order

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
	"lnsgate/aaa/radius/dialect"
	"lnsgate/aaa/radius/wire"
)

// kinds lists the types of the attributes, in order.
func kinds(p *radius.Packet) string {
	var all []string
	for _, a := range p.Attributes {
		all = append(all, fmt.Sprint(int(a.Type)))
	}
	return strings.Join(all, " ")
}

// TestRFC5176Section3_ASessionIsNamedInTheWordsOfItsNAS is the table of the package: 44 Acct-Session-Id, 1 User-Name, 8
// Framed-IP-Address, 31 Calling-Station-Id, 32 NAS-Identifier, 4 and 95 the address of the NAS, 55 Event-Timestamp, 80
// Message-Authenticator.
func TestRFC5176Section3_ASessionIsNamedInTheWordsOfItsNAS(t *testing.T) {
	proxy := netip.MustParseAddr("198.51.100.1")
	for _, test := range []struct {
		equipment dialect.Equipment
		address   netip.Addr // of the client
		change    func(r *aaa.Record)
		naming    naming
		want      string
	}{
		{dialect.Standard, netip.Addr{}, nil, fully, "44 32 1 8 55 80"},
		{dialect.Accel, netip.Addr{}, nil, fully, "44 32 1 8 55 80"},
		{dialect.WISPr, netip.Addr{}, nil, fully, "44 32 1 31 55 80"},
		{dialect.Mikrotik, netip.Addr{}, nil, fully, "44 1 8 55 80"},
		{dialect.Cisco, netip.Addr{}, nil, fully, "44 1 8 55 80"},
		{dialect.Huawei, netip.Addr{}, nil, fully, "44 1 8 55 80"},
		{dialect.Standard, netip.Addr{}, nil, briefly, "44 55 80"},
		{dialect.Standard, there.Addr(), nil, fully, "44 32 1 8 55 80"},
		{dialect.Mikrotik, proxy, nil, fully, "44 32 4 1 8 55 80"},
		{dialect.Mikrotik, proxy, nil, briefly, "44 32 4 55 80"},
		{dialect.Mikrotik, proxy, func(r *aaa.Record) { r.NAS.Address = netip.MustParseAddr("2001:db8::1") }, fully, "44 32 95 1 8 55 80"},
		{dialect.Standard, netip.Addr{}, func(r *aaa.Record) { r.Address, r.NAS.Identifier = netip.Addr{}, "" }, fully, "44 1 55 80"},
		{dialect.Standard, netip.Addr{}, func(r *aaa.Record) { r.Name = strings.Repeat("x", 254) }, fully, "44 32 8 55 80"},
		{dialect.WISPr, netip.Addr{}, func(r *aaa.Record) { r.CallingNumber = "" }, fully, "44 32 1 55 80"},
	} {
		o := disconnect()
		if test.change != nil {
			test.change(&o.Session)
		}
		p, err := requestOf(&o, &NAS{Equipment: test.equipment, Address: test.address}, test.naming, time.Now())
		if err != nil || p.Code != radius.CodeDisconnectRequest || kinds(p) != test.want {
			t.Errorf("%s: %s instead of %s, %v", test.equipment, kinds(p), test.want, err)
		}
	}
}

func TestWhatARequestSays(t *testing.T) {
	o, nas := change(dialect.Mikrotik)
	now := time.Unix(1_700_000_000, 0)
	p, err := requestOf(&o, &nas, fully, now)
	if err != nil || p.Code != radius.CodeCoARequest {
		t.Fatal(p, err)
	}
	rate, _ := wire.LookupVendor(p, wire.Mikrotik, wire.MikrotikRateLimit)
	for kind, want := range map[radius.Type]string{
		typeAcctSessionID: "8100000A", typeUserName: "alice@hr", typeFramedIPAddress: "\x0a\x01\x00\x01", typeEventTimestamp: "\x65\x53\xf1\x00",
		27: "\x00\x00\x0e\x10",
	} {
		if got := string(p.Get(kind)); got != want {
			t.Errorf("attribute %d is %q instead of %q", kind, got, want)
		}
	}
	if string(rate) != "1M/2M" {
		t.Errorf("rate %q", rate)
	}
}

// A NAS knows its session by the octets that it has made up, whatever they are.
func TestASessionWithoutATextForANameIsNamedByItsOctets(t *testing.T) {
	for _, octets := range []string{"\xff\x00\x01\x02", "0x12", "0xff", "hex:ff", "8100000A"} {
		o := disconnect()
		o.Session.NAS.Session = wire.NameText([]byte(octets))
		p, err := requestOf(&o, &NAS{}, fully, time.Now())
		if err != nil || string(p.Get(typeAcctSessionID)) != octets {
			t.Errorf("%q is called %q, %v", octets, p.Get(typeAcctSessionID), err)
		}
	}
}

// TestRFC5176Section3_3_NoProxyStateAndNoSecrets keeps out what has no place in a request.
func TestRFC5176Section3_3_NoProxyStateAndNoSecrets(t *testing.T) {
	for e := range dialect.Accel + 1 {
		o, nas := change(e)
		for _, kind := range []foreign.OrderKind{foreign.Disconnect, foreign.Change} {
			o.Kind = kind
			p, err := requestOf(&o, &nas, fully, time.Now())
			if err != nil {
				continue
			}
			for _, a := range p.Attributes {
				if kind == foreign.Disconnect && !slices.Contains([]radius.Type{44, 32, 1, 8, 31, 55, 80}, a.Type) || a.Type == 33 || a.Type == 25 {
					t.Errorf("%s %s has attribute %d", e, kind, a.Type)
				}
			}
		}
	}
}
