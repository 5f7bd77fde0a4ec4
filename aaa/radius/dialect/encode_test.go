package dialect

import (
	"errors"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"layeh.com/radius"
	"pgregory.net/rapid"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

func kinds() []Equipment { return []Equipment{Standard, Mikrotik, Cisco, Huawei, WISPr, Accel} }

func TestEquipmentHasNames(t *testing.T) {
	for _, e := range kinds() {
		if got, err := ParseEquipment(e.String()); err != nil || got != e {
			t.Errorf("%s: %v, %v", e, got, err)
		}
	}
	if _, err := ParseEquipment("Mikrotik"); err == nil || !strings.Contains(err.Error(), "accel") {
		t.Errorf("a wrong name: %v", err)
	}
	if got := equipmentCount.String(); got != "equipment 6" {
		t.Error(got)
	}
}

// sayable is what Grant has to read of a decision in the words of the equipment. The generator draws only rates and times
// that all of them can say exactly.
func sayable(d aaa.Decision, e Equipment) aaa.Grant {
	g := aaa.Grant{
		Address: d.Address, AddressByPeer: d.AddressByPeer && !d.Address.IsValid(), Pools: d.Pools[:min(len(d.Pools), 1)], DNS: d.DNS, NBNS: d.NBNS,
		SessionTimeout: d.SessionTimeout, IdleTimeout: d.IdleTimeout, Interim: d.Interim, MTU: d.MTU, RateUp: d.RateUp, RateDown: d.RateDown,
		MaxSessions: d.MaxSessions, Filter: d.Filter, Routes: d.Routes, UserName: d.UserName, Class: d.Class, CUI: d.CUI, Message: d.Message, IPv6: d.IPv6,
	}
	if d.Address.IsValid() {
		g.Pools = nil // they are not used then
	}
	if e == Standard {
		g.RateUp, g.RateDown = 0, 0
	}
	return g
}

func TestWhatIsSaidIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := rapid.SampledFrom(kinds()).Draw(t, "equipment")
		d := drawDecision(t)
		if e == Accel {
			d.Filter = ""
		}
		p := &radius.Packet{Code: radius.CodeAccessAccept}
		if err := Encode(p, &d, e); err != nil {
			t.Fatal(err)
		}
		got, err := Grant(p, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sayable(d, e), got, equal); diff != "" {
			t.Fatal(diff)
		}
	})
}

func drawDecision(t *rapid.T) aaa.Decision {
	name := func(label string) string {
		return rapid.OneOf(rapid.Just(""), rapid.StringMatching(`[a-zäöü.-]{1,40}`)).Draw(t, label)
	}
	duration := func(label string, least int) time.Duration {
		return time.Duration(rapid.OneOf(rapid.Just(0), rapid.IntRange(least, 1<<20)).Draw(t, label)) * time.Second
	}
	rate := func(label string) uint64 {
		return 8000 * uint64(rapid.OneOf(rapid.Just(0), rapid.IntRange(1, 250_000)).Draw(t, label))
	}
	octets := rapid.SliceOfN(rapid.Byte(), 1, 253)
	d := aaa.Decision{
		Pools: rapid.SliceOfN(rapid.StringMatching(`[a-z0-9]{1,20}`), 0, 3).Draw(t, "pools"), DNS: drawPair(t, "dns"), NBNS: drawPair(t, "nbns"),
		SessionTimeout: duration("session", 1), IdleTimeout: duration("idle", 1), Interim: duration("interim", 60),
		MTU: rapid.OneOf(rapid.Just(0), rapid.IntRange(64, 65535)).Draw(t, "mtu"), RateUp: rate("up"), RateDown: rate("down"),
		MaxSessions: rapid.IntRange(0, 9).Draw(t, "sessions"), Filter: name("filter"), UserName: name("user name"),
		AddressByPeer: rapid.Bool().Draw(t, "by peer"), Class: rapid.SliceOfN(octets, 0, 3).Draw(t, "class"),
		Message: strings.Join(rapid.SliceOfN(rapid.StringMatching(`[a-z ]{1,100}`), 0, 3).Draw(t, "message"), "\n"),
		IPv6:    aaa.IPv6{InterfaceID: rapid.Uint64().Draw(t, "interface id"), Pool: name("pool6"), DelegatedPool: name("delegated pool"), AddressPool: name("address pool")},
	}
	if rapid.Bool().Draw(t, "cui") {
		d.CUI = octets.Draw(t, "cui")
	}
	if rapid.Bool().Draw(t, "fixed") {
		d.Address = drawFour(t, "address")
		if bits := rapid.IntRange(8, 32).Draw(t, "mask"); bits < 32 {
			d.Routes = append(d.Routes, aaa.Route{Prefix: netip.PrefixFrom(d.Address, bits).Masked(), Implied: true})
		}
	}
	for range rapid.IntRange(0, 2).Draw(t, "routes") {
		d.Routes = append(d.Routes, aaa.Route{Prefix: netip.PrefixFrom(drawFour(t, "network"), rapid.IntRange(8, 32).Draw(t, "bits")).Masked(), Metric: rapid.IntRange(0, 9).Draw(t, "metric")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "prefixes") {
		d.IPv6.Prefixes = append(d.IPv6.Prefixes, drawPrefix6(t))
		d.IPv6.Delegated = append(d.IPv6.Delegated, drawPrefix6(t))
		d.IPv6.DNS = append(d.IPv6.DNS, drawPrefix6(t).Addr())
		d.IPv6.Routes = append(d.IPv6.Routes, aaa.Route{Prefix: drawPrefix6(t), Metric: rapid.IntRange(0, 9).Draw(t, "metric")})
		d.IPv6.Address = drawPrefix6(t).Addr()
	}
	return d
}

func drawFour(t *rapid.T, label string) netip.Addr {
	return netip.AddrFrom4([4]byte{10, rapid.Byte().Draw(t, label), rapid.Byte().Draw(t, label), rapid.Byte().Draw(t, label)})
}

func drawPrefix6(t *rapid.T) netip.Prefix {
	b := rapid.SliceOfN(rapid.Byte(), 14, 14).Draw(t, "prefix")
	full := [16]byte{0x20, 0x01}
	copy(full[2:], b)
	return netip.PrefixFrom(netip.AddrFrom16(full), rapid.IntRange(16, 128).Draw(t, "bits")).Masked()
}

func drawPair(t *rapid.T, label string) (pair [2]netip.Addr) {
	for i := range pair {
		if rapid.Bool().Draw(t, label) {
			pair[i] = drawFour(t, label)
		}
	}
	return pair
}

// TestOneProfileEveryDialect shows the same profile in each form, as an administrator would see it on the wire.
func TestOneProfileEveryDialect(t *testing.T) {
	d := aaa.Decision{
		AddressByPeer: true, Pools: []string{"staff", "spare"}, DNS: pair4("10.0.0.53", "10.0.0.54"),
		RateUp: 2_000_000, RateDown: 10_500_000, SessionTimeout: time.Hour + time.Millisecond, Interim: time.Second,
		Routes: []aaa.Route{network("192.168.7.0/24", 0)},
	}
	common := []string{"8=255.255.255.255", "27=3601", "85=60", `22="192.168.7.0/24 0.0.0.0"`}
	microsoft := []string{"Microsoft 28=10.0.0.53", "Microsoft 29=10.0.0.54"}
	for e, own := range map[Equipment][]string{
		Standard: append(microsoft, `88="staff"`),
		Mikrotik: append(microsoft, `88="staff"`, `Mikrotik 8="2M/10500k"`),
		WISPr:    append(microsoft, `88="staff"`, "WISPr 7=2000000", "WISPr 8=10500000"),
		Accel:    append(microsoft, `88="staff"`, `11="10500/2000"`),
		Huawei: {`Huawei 88="staff"`, "Huawei 135=10.0.0.53", "Huawei 136=10.0.0.54",
			"Huawei 2=2000000", "Huawei 3=2000000", "Huawei 5=10500000", "Huawei 6=10500000"},
		Cisco: {`Cisco 1="ip:addr-pool=staff"`, `Cisco 1="ip:dns-servers=10.0.0.53 10.0.0.54"`,
			`Cisco 1="lcp:interface-config#1=rate-limit input 2000000 375000 750000 conform-action transmit exceed-action drop"`,
			`Cisco 1="lcp:interface-config#2=rate-limit output 10496000 1968000 3936000 conform-action transmit exceed-action drop"`},
	} {
		p := &radius.Packet{}
		if err := Encode(p, &d, e); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(slices.Sorted(slices.Values(append(own, common...))), shown(p)); diff != "" {
			t.Errorf("%s: %s", e, diff)
		}
	}
}

// TestRFC6911Section3_IPv6InEveryDialect shows pools and prefixes of IPv6 in each form: a prefix of its own takes the place of a pool.
func TestRFC6911Section3_IPv6InEveryDialect(t *testing.T) {
	d := aaa.Decision{
		IPv6: aaa.IPv6{
			InterfaceID: 0x0102030405060708, AddressPool: "hosts", DNS: []netip.Addr{netip.MustParseAddr("2001:db8::53")},
			Routes: []aaa.Route{{Prefix: netip.MustParsePrefix("2001:db8:9::/48")}},
		},
		IPv6Pools: []string{"links", "spare"}, DelegatedPools: []string{"homes", "spare"},
	}
	own := d
	own.IPv6.Prefixes = []netip.Prefix{netip.MustParsePrefix("2001:db8:1::/64")}
	own.IPv6.Delegated = []netip.Prefix{netip.MustParsePrefix("2001:db8:100::/56")}
	standard := []string{`100="links"`, `171="homes"`}
	for e, pools := range map[Equipment][]string{
		Standard: standard, WISPr: standard, Accel: standard, Cisco: standard,
		Mikrotik: {`100="links"`, `Mikrotik 22="homes"`}, Huawei: {`100="links"`, `Huawei 191="homes"`},
	} {
		for _, c := range []struct {
			decision aaa.Decision
			own      []string
		}{{d, pools}, {own, []string{"97=2001:db8:1::/64", "123=2001:db8:100::/56"}}} {
			p := &radius.Packet{}
			if err := Encode(p, &c.decision, e); err != nil {
				t.Fatal(err)
			}
			common := []string{"96=0x0102030405060708", `172="hosts"`, "169=2001:db8::53", `99="2001:db8:9::/48 ::"`}
			if diff := cmp.Diff(slices.Sorted(slices.Values(append(common, c.own...))), shown(p)); diff != "" {
				t.Errorf("%s: %s", e, diff)
			}
		}
	}
}

// shown are the attributes of a packet in words.
func shown(p *radius.Packet) []string {
	var list []string
	for _, a := range p.Attributes {
		if a.Type != typeVendorSpecific {
			list = append(list, strconv.Itoa(int(a.Type))+"="+table[key{0, byte(a.Type)}].show(a.Attribute))
		}
	}
	for a := range wire.VendorAttributes(p) {
		list = append(list, a.Vendor.String()+" "+strconv.Itoa(int(a.Type))+"="+table[key{a.Vendor, a.Type}].show(a.Value))
	}
	slices.Sort(list)
	return list
}

func TestRatesAreMadeOnesThatTheEquipmentCanHave(t *testing.T) {
	for _, tc := range []struct {
		equipment  Equipment
		up, down   uint64
		wantUp     uint64
		wantDown   uint64
		attributes int
	}{
		{WISPr, 10_000_000_000, 1, math.MaxUint32, 1, 2},
		{WISPr, 0, 5, 0, 5, 1},
		{Huawei, 10_000_000_000, 0, math.MaxUint32, 0, 2},
		{Cisco, 1, 10_000_000_000, 8000, 2_000_000_000, 2},
		{Cisco, 15_999, 0, 8000, 0, 1},
		{Accel, 1, 1999, 1000, 1000, 1},
		{Accel, 0, 5_000_000, 0, 5_000_000, 1},
		{Mikrotik, 0, 1_234_567, 0, 1_234_567, 1},
		{Mikrotik, 0, 0, 0, 0, 0},
	} {
		p := &radius.Packet{}
		if err := Encode(p, &aaa.Decision{RateUp: tc.up, RateDown: tc.down}, tc.equipment); err != nil {
			t.Fatal(err)
		}
		g, err := Grant(p, Options{})
		if err != nil || g.RateUp != tc.wantUp || g.RateDown != tc.wantDown || len(p.Attributes) != tc.attributes {
			t.Errorf("%s %d/%d: %d/%d in %v, %v", tc.equipment, tc.up, tc.down, g.RateUp, g.RateDown, shown(p), err)
		}
	}
}

func TestWhatCannotBeSaidIsAFault(t *testing.T) {
	long := strings.Repeat("x", 254)
	for name, d := range map[string]aaa.Decision{
		"Framed-Pool": {Pools: []string{long}}, "Filter-Id": {Filter: long}, "Class": {Class: [][]byte{[]byte(long)}}, "User-Name": {UserName: long},
	} {
		var fault *Fault
		if err := Encode(&radius.Packet{}, &d, Standard); !errors.As(err, &fault) || fault.Attribute != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	for e, want := range map[Equipment]string{Cisco: "Cisco-AVPair", Huawei: "Huawei-Framed-Pool"} {
		var fault *Fault
		if err := Encode(&radius.Packet{}, &aaa.Decision{Pools: []string{long}}, e); !errors.As(err, &fault) || fault.Attribute != want {
			t.Errorf("%s: %v", e, err)
		}
	}
	if err := Encode(&radius.Packet{}, &aaa.Decision{Filter: "guests", RateUp: 5}, Accel); err == nil || !strings.Contains(err.Error(), "accel-ppp") {
		t.Errorf("a filter for accel-ppp: %v", err)
	}
}
