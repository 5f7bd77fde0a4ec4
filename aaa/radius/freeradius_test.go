package radius

import (
	"context"
	"crypto/md5"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/aaa/secret"
	"lnsgate/test/radtest"
)

const realUsers = `alice@sales.example Cleartext-Password := "secret"
	Service-Type = Framed-User,
	Framed-Protocol = PPP,
	Framed-IP-Address = 10.1.2.3,
	Framed-IP-Netmask = 255.255.255.248,
	Framed-Route += "172.16.7.0/24 0.0.0.0 3",
	Framed-Route += "172.16.8.0/24",
	Framed-Pool = "staff",
	Session-Timeout = 3600,
	Idle-Timeout = 600,
	Acct-Interim-Interval = 5,
	Class += 0x00ff10,
	Class += "second",
	Filter-Id = "guests",
	Port-Limit = 2,
	Reply-Message += "welcome",
	Reply-Message += "alice",
	User-Name = "alice-4711",
	MS-Primary-DNS-Server = 10.0.0.53,
	MS-Secondary-DNS-Server = 10.0.0.54,
	MS-Primary-NBNS-Server = 10.0.0.55,
	Mikrotik-Rate-Limit = "2M/10M",
	Chargeable-User-Identity = "cui-1",
	Framed-IPv6-Prefix = 2001:db8:1::/64,
	Delegated-IPv6-Prefix = 2001:db8:2::/48

bob@sales.example Cleartext-Password := "secret"
	Framed-IP-Address = 255.255.255.254,
	Cisco-AVPair += "ip:addr-pool=spare",
	WISPr-Bandwidth-Max-Up = 256000,
	WISPr-Bandwidth-Max-Down = 1024000

carol@sales.example Cleartext-Password := "secret"
	Service-Type = Login-User

dave@sales.example Cleartext-Password := "secret"
	Framed-IP-Address = 255.255.255.255,
	Huawei-Input-Average-Rate = 1000000,
	Huawei-Output-Average-Rate = 2000000

eve@sales.example Auth-Type := Reject
	Reply-Message = "go away"
`

func realBackend(t *testing.T) *Backend {
	s := radtest.Start(t, radtest.Options{Users: realUsers})
	return newBackend(t, dial(t, s.Auth(), s.Secret()), nil)
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestFreeRADIUSLogsIn(t *testing.T) {
	b := realBackend(t)
	for _, method := range []aaa.Method{aaa.PAP, aaa.CHAP, aaa.MSCHAPv1, aaa.MSCHAPv2} {
		for _, user := range []string{"alice@sales.example", "bob@sales.example"} {
			g, err := b.Authenticate(within(t), query(t, user, aaatest.NewProof(method, user, "secret")))
			if err != nil {
				t.Errorf("%s of %s: %v", method, user, err)
				continue
			}
			if method == aaa.MSCHAPv2 {
				answerer := secret.NewAnswerer(user, aaa.NewSecret("secret"), [16]byte{0: 0x21, 5: 0x40, 15: 0x5e})
				answerer.MSCHAPv2(aaatest.Challenge())
				if !answerer.VerifyMSCHAPv2(g.Reply) {
					t.Errorf("the peer does not believe %q", g.Reply)
				}
			}
		}
		_, err := b.Authenticate(within(t), query(t, "alice@sales.example", aaatest.NewProof(method, "alice@sales.example", "sesame")))
		r := rejection(t, err, aaa.Refused)
		if method == aaa.MSCHAPv2 && (len(r.Reply) < 5 || r.Reply[:5] != "E=691") {
			t.Errorf("MS-CHAP-Error %q", r.Reply)
		}
	}
}

func TestFreeRADIUSGrants(t *testing.T) {
	b := realBackend(t)
	address := netip.MustParseAddr
	want := map[string]aaa.Grant{
		"alice@sales.example": {
			Address: address("10.1.2.3"), Pools: []string{"staff"}, SessionTimeout: time.Hour, IdleTimeout: 10 * time.Minute,
			Interim: time.Minute, Class: [][]byte{{0, 0xff, 0x10}, []byte("second")}, Filter: "guests", MaxSessions: 2,
			Message: "welcome\nalice", UserName: "alice-4711", DNS: [2]netip.Addr{address("10.0.0.53"), address("10.0.0.54")},
			NBNS: [2]netip.Addr{address("10.0.0.55")}, RateUp: 2_000_000, RateDown: 10_000_000, CUI: []byte("cui-1"),
			Routes: []aaa.Route{
				{Prefix: netip.MustParsePrefix("10.1.2.0/29"), Implied: true},
				{Prefix: netip.MustParsePrefix("172.16.7.0/24"), Metric: 3},
				{Prefix: netip.MustParsePrefix("172.16.8.0/24")},
			},
			IPv6: aaa.IPv6{
				Prefixes:  []netip.Prefix{netip.MustParsePrefix("2001:db8:1::/64")},
				Delegated: []netip.Prefix{netip.MustParsePrefix("2001:db8:2::/48")},
			},
		},
		"bob@sales.example":  {Pools: []string{"spare"}, RateUp: 256_000, RateDown: 1_024_000},
		"dave@sales.example": {AddressByPeer: true, RateUp: 1_000_000, RateDown: 2_000_000},
	}
	for user, grant := range want {
		got, err := b.Authenticate(within(t), query(t, user, pap("secret")))
		if err != nil {
			t.Errorf("%s: %v", user, err)
			continue
		}
		if diff := cmp.Diff(grant, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", user, diff)
		}
	}
	_, err := b.Authenticate(within(t), query(t, "carol@sales.example", pap("secret")))
	rejection(t, err, aaa.Misconfigured)
	_, err = b.Authenticate(within(t), query(t, "eve@sales.example", pap("secret")))
	if r := rejection(t, err, aaa.Refused); r.Reply != "go away" {
		t.Errorf("Reply-Message %q", r.Reply)
	}
}

// TestFreeRADIUSLeadsEAP has EAP-MD5 (RFC 3748 section 5.4), which needs nothing but a digest of the peer.
func TestFreeRADIUSLeadsEAP(t *testing.T) {
	b := realBackend(t)
	for password, right := range map[string]bool{"secret": true, "sesame": false} {
		const user = "alice@sales.example"
		identity := append([]byte{2, 1, 0, byte(5 + len(user)), 1}, user...)
		_, err := b.Authenticate(within(t), query(t, user, aaa.Proof{Method: aaa.EAP, EAP: identity}))
		var c *aaa.Challenge
		if !errors.As(err, &c) || len(c.Packet) < 22 || c.Packet[4] != 4 {
			t.Fatalf("no EAP-MD5 challenge: %v %+v", err, c)
		}
		sum := md5.Sum(append(append([]byte{c.Packet[1]}, password...), c.Packet[6:6+c.Packet[5]]...))
		response := append([]byte{2, c.Packet[1], 0, 22, 4, 16}, sum[:]...)
		g, err := b.Authenticate(within(t), query(t, user, aaa.Proof{Method: aaa.EAP, EAP: response, State: c.State}))
		switch {
		case right && (err != nil || !eapIs(g.Packet, eapSuccess)):
			t.Errorf("right password: %v", err)
		case !right:
			if r := rejection(t, err, aaa.Refused); !eapIs(r.Packet, eapFailure) {
				t.Errorf("Failure %x", r.Packet)
			}
		}
	}
}
