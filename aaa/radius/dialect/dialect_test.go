package dialect

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

// row is one attribute of a packet that a test makes.
type row struct {
	vendor wire.Vendor
	kind   byte
	value  []byte
}

func s(kind byte, value string) row { return row{0, kind, []byte(value)} }
func n(kind byte, value uint32) row { return row{0, kind, binary.BigEndian.AppendUint32(nil, value)} }
func a(kind byte, value string) row { return row{0, kind, netip.MustParseAddr(value).AsSlice()} }

func (r row) of(v wire.Vendor) row {
	r.vendor = v
	return r
}

func packet(t testing.TB, rows ...row) *radius.Packet {
	t.Helper()
	p := &radius.Packet{Code: radius.CodeAccessAccept}
	for _, r := range rows {
		if r.vendor == 0 {
			p.Add(radius.Type(r.kind), r.value)
		} else if err := wire.AddVendor(p, r.vendor, r.kind, r.value); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func pair4(first, second string) (p [2]netip.Addr) {
	p[0] = netip.MustParseAddr(first)
	if second != "" {
		p[1] = netip.MustParseAddr(second)
	}
	return p
}

func network(text string, metric int) aaa.Route {
	return aaa.Route{Prefix: netip.MustParsePrefix(text), Metric: metric}
}

var equal = cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.EquateEmpty()}

func TestGrantOfEachAttribute(t *testing.T) {
	var v6 = func(change func(*aaa.IPv6)) aaa.Grant {
		var g aaa.Grant
		change(&g.IPv6)
		return g
	}
	const cisco, huawei, mikrotik, ascend, microsoft, wispr = wire.Cisco, wire.Huawei, wire.Mikrotik, wire.Ascend, wire.Microsoft, wire.WISPr
	for _, tc := range []struct {
		name string
		rows []row
		want aaa.Grant
	}{
		{"nothing", nil, aaa.Grant{}},
		{"what nobody knows", []row{s(240, "x"), s(1, "y").of(4711), n(26, 1)}, aaa.Grant{}},
		{"Service-Type Framed, Framed-Protocol PPP", []row{n(6, 2), n(7, 1)}, aaa.Grant{}},
		{"User-Name", []row{s(1, "alice")}, aaa.Grant{UserName: "alice"}},
		{"Framed-IP-Address", []row{a(8, "10.1.2.3")}, aaa.Grant{Address: netip.MustParseAddr("10.1.2.3")}},
		{"Framed-IP-Address: the NAS chooses", []row{a(8, "255.255.255.254")}, aaa.Grant{}},
		{"Framed-IP-Address: the user chooses", []row{a(8, "255.255.255.255")}, aaa.Grant{AddressByPeer: true}},
		{"Framed-IP-Netmask of a network", []row{a(9, "255.255.255.248"), a(8, "10.1.2.3")},
			aaa.Grant{Address: netip.MustParseAddr("10.1.2.3"), Routes: []aaa.Route{{Prefix: netip.MustParsePrefix("10.1.2.0/29"), Implied: true}}}},
		{"Framed-IP-Netmask of a host", []row{a(8, "10.1.2.3"), a(9, "255.255.255.255")}, aaa.Grant{Address: netip.MustParseAddr("10.1.2.3")}},
		{"Framed-IP-Netmask without an address says nothing", []row{a(8, "255.255.255.254"), a(9, "255.255.255.0")}, aaa.Grant{}},
		{"Framed-Route, many", []row{s(22, "192.168.1.0/24 192.168.1.1 1 2 -1 3 400"), s(22, "172.16.0.0/16")},
			aaa.Grant{Routes: []aaa.Route{network("192.168.1.0/24", 1), network("172.16.0.0/16", 0)}}},
		{"Framed-Pool, many", []row{s(88, "staff"), s(88, "spare")}, aaa.Grant{Pools: []string{"staff", "spare"}}},
		{"pool of Cisco", []row{s(1, "ip:addr-pool=staff").of(cisco)}, aaa.Grant{Pools: []string{"staff"}}},
		{"pool of Huawei", []row{s(88, "staff").of(huawei)}, aaa.Grant{Pools: []string{"staff"}}},
		{"pool group of Huawei", []row{s(157, "staff").of(huawei)}, aaa.Grant{Pools: []string{"staff"}}},
		{"pool of Ascend", []row{n(218, 7).of(ascend)}, aaa.Grant{Pools: []string{"7"}}},
		{"the standard's pool counts before a vendor's", []row{s(1, "ip:addr-pool=b").of(cisco), s(88, "a")}, aaa.Grant{Pools: []string{"a"}}},
		{"address of Cisco", []row{s(1, "ip:addr=10.9.9.9").of(cisco)}, aaa.Grant{Address: netip.MustParseAddr("10.9.9.9")}},
		{"address of Huawei", []row{n(30, 0x0a090909).of(huawei)}, aaa.Grant{Address: netip.MustParseAddr("10.9.9.9")}},
		{"timers", []row{n(27, 3600), n(28, 600), n(85, 900), n(29, 1)},
			aaa.Grant{SessionTimeout: time.Hour, IdleTimeout: 10 * time.Minute, Interim: 15 * time.Minute}},
		{"Acct-Interim-Interval under the minimum", []row{n(85, 5)}, aaa.Grant{Interim: time.Minute}},
		{"Acct-Interim-Interval 0", []row{n(85, 0)}, aaa.Grant{}},
		{"Session-Timeout 0 is no limit", []row{n(27, 0)}, aaa.Grant{}},
		{"Class, all and in order", []row{s(25, "b"), s(25, "a\x00"), s(25, "b")}, aaa.Grant{Class: [][]byte{[]byte("b"), []byte("a\x00"), []byte("b")}}},
		{"Chargeable-User-Identity", []row{s(89, "\x01c")}, aaa.Grant{CUI: []byte("\x01c")}},
		{"Filter-Id", []row{s(11, "guests")}, aaa.Grant{Filter: "guests"}},
		{"Filter-Id twice the same", []row{s(11, "guests"), s(11, "guests")}, aaa.Grant{Filter: "guests"}},
		{"Filter-Id with a number alone is a name", []row{s(11, "101")}, aaa.Grant{Filter: "101"}},
		{"Filter-Id of accel-ppp: down/up in kbit/s", []row{s(11, "2000/3000")}, aaa.Grant{RateDown: 2_000_000, RateUp: 3_000_000}},
		{"Filter-Id of accel-ppp in Mbit/s", []row{s(11, "20M/512K")}, aaa.Grant{RateDown: 20_000_000, RateUp: 512_000}},
		{"Filter-Id with both", []row{s(11, "2000/3000"), s(11, "guests")}, aaa.Grant{RateDown: 2_000_000, RateUp: 3_000_000, Filter: "guests"}},
		{"Port-Limit", []row{n(62, 2)}, aaa.Grant{MaxSessions: 2}},
		{"Framed-MTU", []row{n(12, 1400)}, aaa.Grant{MTU: 1400}},
		{"Reply-Message, all", []row{s(18, "hello"), s(18, "world")}, aaa.Grant{Message: "hello\nworld"}},
		{"Tunnel-Type VLAN is for others", []row{n(64, 13)}, aaa.Grant{}},

		{"MS-Primary-DNS-Server and the other three", []row{a(28, "10.0.0.1").of(microsoft), a(29, "10.0.0.2").of(microsoft), a(30, "10.0.0.3").of(microsoft), a(31, "10.0.0.4").of(microsoft)},
			aaa.Grant{DNS: pair4("10.0.0.1", "10.0.0.2"), NBNS: pair4("10.0.0.3", "10.0.0.4")}},
		{"MS-MPPE-Encryption-Policy: allowed", []row{n(7, 1).of(microsoft)}, aaa.Grant{}},
		{"DNS of Cisco", []row{s(1, "ip:dns-servers=10.0.0.1 10.0.0.2").of(cisco), s(1, "ip:wins-servers=10.0.0.3").of(cisco)},
			aaa.Grant{DNS: pair4("10.0.0.1", "10.0.0.2"), NBNS: pair4("10.0.0.3", "")}},
		{"DNS of Huawei", []row{a(135, "10.0.0.1").of(huawei), a(136, "10.0.0.2").of(huawei)}, aaa.Grant{DNS: pair4("10.0.0.1", "10.0.0.2")}},
		{"DNS of Ascend", []row{a(135, "10.0.0.1").of(ascend), a(136, "0.0.0.0").of(ascend)}, aaa.Grant{DNS: pair4("10.0.0.1", "")}},

		// Rates. Up is from the user: rx of MikroTik, input of Cisco and Huawei.
		{"Mikrotik-Rate-Limit rx/tx", []row{s(8, "64k/128M").of(mikrotik)}, aaa.Grant{RateUp: 64_000, RateDown: 128_000_000}},
		{"Mikrotik-Rate-Limit one for both", []row{s(8, "128000").of(mikrotik)}, aaa.Grant{RateUp: 128_000, RateDown: 128_000}},
		{"Mikrotik-Rate-Limit with bursts", []row{s(8, "2M/4M 4M/8M 1M/2M 10/10 8 1M/1M").of(mikrotik)}, aaa.Grant{RateUp: 2_000_000, RateDown: 4_000_000}},
		{"Mikrotik-Rate-Limit in Gbit/s", []row{s(8, "1G").of(mikrotik)}, aaa.Grant{RateUp: 1_000_000_000, RateDown: 1_000_000_000}},
		{"WISPr in bit/s", []row{n(7, 256_000).of(wispr), n(8, 1_024_000).of(wispr)}, aaa.Grant{RateUp: 256_000, RateDown: 1_024_000}},
		{"Ascend, both attributes", []row{n(197, 1000).of(ascend), n(255, 2000).of(ascend)}, aaa.Grant{RateUp: 1000, RateDown: 2000}},
		{"Ascend-Data-Rate twice", []row{n(197, 2000).of(ascend), n(197, 1000).of(ascend)}, aaa.Grant{RateUp: 1000, RateDown: 2000}},
		{"Ascend-Data-Rate once", []row{n(197, 2000).of(ascend)}, aaa.Grant{RateDown: 2000}},
		{"Ascend-Xmit-Rate alone", []row{n(255, 2000).of(ascend)}, aaa.Grant{RateDown: 2000}},
		{"Cisco sub-qos-policy", []row{s(1, "ip:sub-qos-policy-in=5M").of(cisco), s(1, "ip:sub-qos-policy-out=20000000").of(cisco)},
			aaa.Grant{RateUp: 5_000_000, RateDown: 20_000_000}},
		{"Cisco rate-limit", []row{
			s(1, "lcp:interface-config#1=rate-limit input 256000 7500 7500 conform-action continue exceed-action drop").of(cisco),
			s(1, "lcp:interface-config#2=rate-limit output 512000 7500 7500 conform-action continue exceed-action drop").of(cisco)},
			aaa.Grant{RateUp: 256_000, RateDown: 512_000}},
		{"other commands and pairs of Cisco", []row{s(1, "lcp:interface-config=ip unnumbered Loopback0").of(cisco), s(1, "shell:priv-lvl=15").of(cisco), s(1, "junk").of(cisco)}, aaa.Grant{}},
		{"optional pair of Cisco that cannot be had", []row{s(1, "ip:vrf-id*blue").of(cisco)}, aaa.Grant{}},
		{"Huawei average rates in bit/s", []row{n(2, 1_000_000).of(huawei), n(3, 9_000_000).of(huawei), n(5, 2_000_000).of(huawei), n(6, 9_000_000).of(huawei)},
			aaa.Grant{RateUp: 1_000_000, RateDown: 2_000_000}},
		{"Huawei peak rates alone", []row{n(3, 9_000_000).of(huawei), n(6, 8_000_000).of(huawei)}, aaa.Grant{RateUp: 9_000_000, RateDown: 8_000_000}},
		{"Huawei profile with a rate", []row{s(31, "10M/20M").of(huawei)}, aaa.Grant{RateUp: 10_000_000, RateDown: 20_000_000}},
		{"Huawei profile for down", []row{s(182, "30M").of(huawei), s(31, "10M").of(huawei)}, aaa.Grant{RateUp: 10_000_000, RateDown: 30_000_000}},
		{"MikroTik counts before WISPr, WISPr before Filter-Id", []row{s(11, "1/1"), n(7, 7000).of(wispr), n(8, 8000).of(wispr), s(8, "5k").of(mikrotik)},
			aaa.Grant{RateUp: 5000, RateDown: 5000}},
		{"each direction by itself", []row{s(11, "1/2"), n(7, 7000).of(wispr)}, aaa.Grant{RateUp: 7000, RateDown: 1000}},

		{"Framed-Interface-Id", []row{{0, 96, []byte{0, 0, 0, 0, 0, 0, 1, 2}}}, v6(func(v *aaa.IPv6) { v.InterfaceID = 0x102 })},
		{"Framed-IPv6-Prefix, cut after what counts", []row{{0, 97, []byte{0, 64, 0x20, 1, 0xd, 0xb8, 0, 1, 0, 0}}},
			v6(func(v *aaa.IPv6) { v.Prefixes = []netip.Prefix{netip.MustParsePrefix("2001:db8:1::/64")} })},
		{"Framed-IPv6-Prefix with bits behind it", []row{{0, 97, append([]byte{0, 32}, netip.MustParseAddr("2001:db8::1").AsSlice()...)}},
			v6(func(v *aaa.IPv6) { v.Prefixes = []netip.Prefix{netip.MustParsePrefix("2001:db8::/32")} })},
		{"Delegated-IPv6-Prefix", []row{{0, 123, []byte{0, 56, 0x20, 1, 0xd, 0xb8, 0, 1, 1}}},
			v6(func(v *aaa.IPv6) { v.Delegated = []netip.Prefix{netip.MustParsePrefix("2001:db8:1:100::/56")} })},
		{"Route-IPv6-Information", []row{{0, 170, []byte{0, 48, 0x20, 1, 0xd, 0xb8, 0, 9}}},
			v6(func(v *aaa.IPv6) { v.Advertised = []netip.Prefix{netip.MustParsePrefix("2001:db8:9::/48")} })},
		{"Framed-IPv6-Route", []row{s(99, "2001:db8:7::/48 :: 5")}, v6(func(v *aaa.IPv6) { v.Routes = []aaa.Route{network("2001:db8:7::/48", 5)} })},
		{"Framed-IPv6-Address and DNS-Server-IPv6-Address", []row{a(168, "2001:db8::2"), a(169, "2001:db8::53"), a(169, "2001:db8::54")},
			v6(func(v *aaa.IPv6) {
				v.Address = netip.MustParseAddr("2001:db8::2")
				v.DNS = []netip.Addr{netip.MustParseAddr("2001:db8::53"), netip.MustParseAddr("2001:db8::54")}
			})},
		{"pools of IPv6", []row{s(100, "l"), s(171, "d"), s(172, "a"), s(22, "m").of(mikrotik), s(191, "h").of(huawei)},
			v6(func(v *aaa.IPv6) { v.Pool, v.DelegatedPool, v.AddressPool = "l", "d", "a" })},
		{"delegated pool of MikroTik", []row{s(22, "m").of(mikrotik)}, v6(func(v *aaa.IPv6) { v.DelegatedPool = "m" })},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Grant(packet(t, tc.rows...), Options{LeastInterim: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got, equal); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFaultsNameAttributeAndValue(t *testing.T) {
	for _, tc := range []struct {
		row  row
		want string // in the text of the fault
	}{
		{n(6, 1), "Service-Type = 1"},
		{n(7, 2), "Framed-Protocol = 2"},
		{s(27, "abc"), "Session-Timeout = 0x616263: it has 3 octets"},
		{a(8, "0.0.0.0"), "Framed-IP-Address = 0.0.0.0"},
		{a(8, "127.0.0.1"), "Framed-IP-Address = 127.0.0.1"},
		{a(8, "224.0.0.1"), "Framed-IP-Address = 224.0.0.1"},
		{a(8, "2001:db8::1"), "Framed-IP-Address = 2001:db8::1: it has 16 octets, not 4"},
		{a(9, "255.0.255.0"), "Framed-IP-Netmask = 255.0.255.0"},
		{a(9, "0.0.0.0"), "all traffic to one user"},
		{s(22, "10.0.0.0/33"), `Framed-Route = "10.0.0.0/33"`},
		{s(22, "nonsense"), `"nonsense" is not an IPv4 address`},
		{s(22, "0.0.0.0/0 0.0.0.0 1"), "all traffic to one user"},
		{s(22, "10.0.0.0/8 gateway"), `"gateway" is not a gateway`},
		{s(22, "10.0.0.0/8 0.0.0.0 near"), `"near" is not a metric`},
		{s(22, "224.0.0.0/4"), "no network that a user can have"},
		{n(12, 63), "Framed-MTU = 63"},
		{n(29, 2), "Termination-Action = 2"},
		{n(62, 0), "Port-Limit = 0"},
		{n(64, 3), "by L2TP"},
		{n(64, 0x01000003), "by L2TP"},
		{s(96, "short"), "Framed-Interface-Id"},
		{row{0, 97, []byte{0}}, "Framed-IPv6-Prefix = 0x00"},
		{row{0, 97, []byte{0, 129, 1}}, "129 bits does not exist"},
		{row{0, 123, []byte{0, 56, 0x20}}, "does not fit in 1 octets"},
		{s(99, "10.0.0.0/8"), "Framed-IPv6-Route"},
		{a(168, "ff02::1"), "Framed-IPv6-Address = ff02::1"},
		{n(7, 2).of(wire.Microsoft), "MS-MPPE-Encryption-Policy = 2"},
		{a(28, "224.0.0.1").of(wire.Microsoft), "MS-Primary-DNS-Server = 224.0.0.1"},
		{s(8, "fast").of(wire.Mikrotik), `Mikrotik-Rate-Limit = "fast"`},
		{s(8, "10M/").of(wire.Mikrotik), `Mikrotik-Rate-Limit`},
		{s(8, "10M 20M 1 2 3 4 5").of(wire.Mikrotik), `at most five more`},
		{s(8, "99999999999999999999").of(wire.Mikrotik), `Mikrotik-Rate-Limit`},
		{s(8, "9999999999999G").of(wire.Mikrotik), `Mikrotik-Rate-Limit`},
		{s(7, "1").of(wire.WISPr), "WISPr-Bandwidth-Max-Up = 0x31"},
		{s(1, "ip:sub-qos-policy-in=GOLD").of(wire.Cisco), "no policy-maps"},
		{s(1, "lcp:interface-config=rate-limit input access-group 101 1 1 1").of(wire.Cisco), "part of the traffic"},
		{s(1, "lcp:interface-config=rate-limit sideways 1000").of(wire.Cisco), "neither input nor output"},
		{s(1, "lcp:interface-config=rate-limit input").of(wire.Cisco), "it must be rate-limit"},
		{s(1, "lcp:interface-config=ip vrf forwarding blue").of(wire.Cisco), "no VRF"},
		{s(1, "ip:vrf-id=blue").of(wire.Cisco), "no VRF"},
		{s(1, "ip:addr=nowhere").of(wire.Cisco), "not an IPv4 address"},
		{s(1, "ip:dns-servers=10.0.0.1 10.0.0.2 10.0.0.3").of(wire.Cisco), "two servers"},
		{s(94, "blue").of(wire.Huawei), "Huawei-VPN-Instance"},
		{s(92, "deny in ip from any to any"), "name it in Filter-Id"},
		{s(1, "ip:inacl#1=deny ip any any").of(wire.Cisco), "name it in Filter-Id"},
		{s(1, "ip:outacl=101").of(wire.Cisco), "name it in Filter-Id"},
		{s(31, "GOLD").of(wire.Huawei), "no QoS profiles"},
		{s(182, "GOLD").of(wire.Huawei), "no QoS profiles"},
		{n(30, 0).of(wire.Huawei), "Huawei-IP-Address = 0"},
	} {
		_, err := Grant(packet(t, tc.row), Options{})
		var fault *Fault
		if !errors.As(err, &fault) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v %v %q: %v, want a fault with %q", tc.row.vendor, tc.row.kind, tc.row.value, err, tc.want)
		}
	}
	_, err := Grant(packet(t, s(11, "a"), s(11, "b")), Options{})
	if err == nil || !strings.Contains(err.Error(), "one filter") {
		t.Errorf("two filters: %v", err)
	}
}

// TestValuesCutAtEveryOctet: a value that lacks its end is a grant of something else or a fault, never a panic, and numbers and
// addresses that lack one octet are always a fault.
func TestValuesCutAtEveryOctet(t *testing.T) {
	for at, a := range table {
		for _, whole := range []string{"10.0.0.0/8 0.0.0.0 1", "ip:sub-qos-policy-in=10M", "lcp:interface-config#1=rate-limit input 1000 1 1",
			"\x00\x40\x20\x01\x0d\xb8\x00\x00\x00\x00", "2001:db8::/32 :: 1", "10M/20M 1/1 1/1 1/1 8 1/1"} {
			for n := range len(whole) + 1 {
				err := readOne(&offer{}, at, []byte(whole[:n]))
				var fault *Fault
				if err != nil && (!errors.As(err, &fault) || fault.Attribute != a.name) {
					t.Errorf("%s: %v", a.name, err)
				}
			}
		}
	}
	for _, r := range []row{n(27, 1), n(62, 1), a(8, "10.1.2.3"), a(168, "2001:db8::1"), n(7, 1).of(wire.WISPr)} {
		for n := range r.value {
			cut := r
			cut.value = r.value[:n]
			if _, err := Grant(packet(t, cut), Options{}); err == nil {
				t.Errorf("%d with %d octets was taken", r.kind, n)
			}
		}
	}
}

func TestRFC2865Section5_22_FramedRoute(t *testing.T) {
	for _, tc := range []struct {
		text    string
		want    string
		metric  int
		gateway string
	}{
		{"192.168.1.0/24 192.168.1.1 1 2 -1 3 400", "192.168.1.0/24", 1, "192.168.1.1"},
		{"192.168.1.0 192.168.1.1 1", "192.168.1.0/24", 1, "192.168.1.1"}, // class C
		{"172.16.0.0 0.0.0.0 1", "172.16.0.0/16", 1, ""},                  // class B
		{"10.0.0.0 0.0.0.0", "10.0.0.0/8", 0, ""},                         // class A
		{"10.1.2.3/16", "10.1.0.0/16", 0, ""},
		{"10.1.0.0 255.255.0.0 0.0.0.0 3", "10.1.0.0/16", 3, ""},
		{"10.1.0.0/16 0.0.0.0 -1", "10.1.0.0/16", 0, ""},
		{"  10.1.0.0/16\t0.0.0.0  2 ", "10.1.0.0/16", 2, ""},
	} {
		r, err := parseRoute(tc.text)
		if err != nil {
			t.Errorf("%q: %v", tc.text, err)
			continue
		}
		gateway := ""
		if r.gateway.IsValid() {
			gateway = r.gateway.String()
		}
		if r.Prefix.String() != tc.want || r.Metric != tc.metric || gateway != tc.gateway {
			t.Errorf("%q: %v metric %d gateway %q", tc.text, r.Prefix, r.Metric, gateway)
		}
	}
}

func TestARouteMayGoOverTheNAS(t *testing.T) {
	g, err := Grant(packet(t, s(22, "10.0.0.0/8 192.0.2.1")), Options{})
	if err != nil || len(g.Routes) != 1 || g.Routes[0].Gateway.String() != "192.0.2.1" {
		t.Errorf("%v %v", g.Routes, err)
	}
}

func TestARouteMayGoOverTheUsersAddress(t *testing.T) {
	g, err := Grant(packet(t, s(22, "172.16.0.0/16 10.1.2.3 1"), a(8, "10.1.2.3")), Options{})
	if err != nil || len(g.Routes) != 1 {
		t.Errorf("%v %v", g.Routes, err)
	}
}

func TestChange(t *testing.T) {
	d := func(v time.Duration) *time.Duration { return &v }
	u := func(v uint64) *uint64 { return &v }
	f := func(v string) *string { return &v }
	for _, tc := range []struct {
		name string
		rows []row
		want aaa.Change
	}{
		{"nothing", nil, aaa.Change{}},
		{"timers", []row{n(27, 60), n(28, 0), n(85, 5)}, aaa.Change{SessionTimeout: d(time.Minute), IdleTimeout: d(0), Interim: d(time.Minute)}},
		{"no interim any more", []row{n(85, 0)}, aaa.Change{Interim: d(0)}},
		{"filter", []row{s(11, "guests")}, aaa.Change{Filter: f("guests")}},
		{"rates as filter", []row{s(11, "1/2")}, aaa.Change{RateDown: u(1000), RateUp: u(2000)}},
		{"no limit any more", []row{s(8, "0/0").of(wire.Mikrotik)}, aaa.Change{RateUp: u(0), RateDown: u(0)}},
		{"one direction", []row{n(8, 5).of(wire.WISPr)}, aaa.Change{RateDown: u(5)}},
		{"class", []row{s(25, "x"), s(25, "y")}, aaa.Change{Class: [][]byte{[]byte("x"), []byte("y")}}},
	} {
		got, err := Change(packet(t, tc.rows...), Options{LeastInterim: time.Minute})
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s", tc.name, diff)
		}
	}
	if _, err := Change(packet(t, s(8, "fast").of(wire.Mikrotik)), Options{}); err == nil {
		t.Error("a rate that is none was taken")
	}
	if _, err := Change(packet(t, s(11, "a"), s(11, "b")), Options{}); err == nil {
		t.Error("two filters were taken")
	}
}

func TestWhatCanBeChanged(t *testing.T) {
	for _, tc := range []struct {
		vendor wire.Vendor
		kind   byte
		value  string
		want   bool
	}{
		{0, 11, "x", true}, {0, 25, "x", true}, {0, 27, "x", true}, {0, 28, "x", true}, {0, 85, "x", true},
		{wire.Mikrotik, 8, "x", true}, {wire.WISPr, 7, "x", true}, {wire.WISPr, 8, "x", true}, {wire.Huawei, 2, "x", true},
		{wire.Ascend, 255, "x", true}, {0, 8, "x", false}, {0, 88, "x", false}, {0, 12, "x", false}, {0, 240, "x", false},
		{wire.Huawei, 88, "x", false}, {4711, 1, "x", false},
		{wire.Cisco, 1, "ip:sub-qos-policy-in=10M", true}, {wire.Cisco, 1, "lcp:interface-config#1=rate-limit input 1000 1 1", true},
		{wire.Cisco, 1, "lcp:interface-config#1=shutdown", false}, {wire.Cisco, 1, "ip:addr-pool=x", false},
		{wire.Cisco, 1, "subscriber:command=reauthenticate", false}, {wire.Cisco, 1, "sub-qos-policy-up=1", false}, {wire.Cisco, 1, "", false},
	} {
		if Changeable(tc.vendor, tc.kind, []byte(tc.value)) != tc.want {
			t.Errorf("%v %d %q: not %v", tc.vendor, tc.kind, tc.value, tc.want)
		}
	}
}

// FuzzGrant: whatever a server sends, reading ends with a grant or with a fault that names the attribute.
func FuzzGrant(f *testing.F) {
	for at, row := range table {
		for _, value := range []string{"", "\x00", "\x00\x00\x00\x01", "10M/20M 1 2", "ip:addr=10.0.0.1", "10.0.0.0/8 0.0.0.0 1", "\x00\x40\x20\x01\x0d\xb8\x00\x00\x00\x00"} {
			_ = row
			f.Add(uint32(at.vendor), at.kind, []byte(value))
		}
	}
	f.Fuzz(func(t *testing.T, vendor uint32, kind byte, value []byte) {
		p := &radius.Packet{}
		if vendor == 0 {
			p.Add(radius.Type(kind), value)
		} else if wire.AddVendor(p, wire.Vendor(vendor), kind, value) != nil {
			return
		}
		g, err := Grant(p, Options{LeastInterim: time.Minute})
		var fault *Fault
		switch {
		case err != nil && (!errors.As(err, &fault) || fault.Attribute == ""):
			t.Fatalf("no fault: %v", err)
		case err != nil:
			return
		}
		if g.Interim != 0 && g.Interim < time.Minute {
			t.Errorf("interim %v", g.Interim)
		}
		if g.Address.IsValid() && usable(g.Address) != nil {
			t.Errorf("address %v", g.Address)
		}
		for _, r := range append(g.Routes, g.IPv6.Routes...) {
			if !r.Prefix.IsValid() || r.Prefix != r.Prefix.Masked() || r.Prefix.Bits() == 0 || r.Metric < 0 {
				t.Errorf("route %v", r)
			}
		}
		if _, err := Change(p, Options{}); err != nil && !errors.As(err, &fault) {
			t.Errorf("change: %v", err)
		}
	})
}
