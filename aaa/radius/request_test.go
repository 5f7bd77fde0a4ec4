package radius

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"layeh.com/radius"
	"layeh.com/radius/rfc2865"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

// texts are all attributes of a packet but credentials, as a test can compare them.
func texts(p *radius.Packet) map[radius.Type]string {
	m := make(map[radius.Type]string)
	for _, a := range p.Attributes {
		m[a.Type] += "|" + string(a.Attribute)
	}
	return m
}

func num(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }

func ask(t testing.TB, q *aaa.Query, change func(*Config)) *radius.Packet {
	t.Helper()
	group := answers(radius.CodeAccessReject, nil)
	if _, err := newBackend(t, group, change).Authenticate(t.Context(), q); err == nil {
		t.Fatal("a no was taken for a yes")
	}
	return group.last()
}

func TestRequestSaysEverythingOfTheLine(t *testing.T) {
	p := ask(t, query(t, "alice@sales.example", pap("secret")), nil)
	got := texts(p)
	for kind, want := range map[radius.Type]string{
		wire.TypeUserName: "alice@sales.example", wire.TypeAcctSessionID: "0123456789abcdef", wire.TypeNASIdentifier: "lns1",
		wire.TypeNASIPAddress: "\xc0\x00\x02\x01", wire.TypeNASPort: num(17<<16 | 33), wire.TypeNASPortID: "tun 17/4 call 33/9",
		wire.TypeNASPortType: num(5), wire.TypeServiceType: num(2), wire.TypeFramedProtocol: num(1), wire.TypeCallingStationID: "0441",
		wire.TypeCalledStationID: "0800", wire.TypeConnectInfo: "50000000/10000000", wire.TypeFramedMTU: num(1400),
		wire.TypeTunnelType: num(3), wire.TypeTunnelMediumType: num(1), wire.TypeTunnelClientEndpoint: "198.51.100.7",
		wire.TypeTunnelServerEndpoint: "192.0.2.1", wire.TypeTunnelClientAuthID: "lac7", wire.TypeTunnelServerAuthID: "LNS", wire.TypeTunnelAssignmentID: "17",
	} {
		if got[kind] != "|"+want {
			t.Errorf("attribute %d is %q, not %q", kind, got[kind], want)
		}
	}
	for _, never := range []radius.Type{33, wire.TypeState, wire.TypeEAPMessage, wire.TypeCHAPPassword} {
		if got[never] != "" {
			t.Errorf("attribute %d is there", never)
		}
	}
}

func TestRequestLeavesOutWhatIsNotKnown(t *testing.T) {
	q := query(t, "alice", pap("secret"))
	q.Request.Local, q.Request.TunnelName, q.Request.CallingNumber, q.Request.CalledNumber = netip.Addr{}, "", "", ""
	q.Request.TxSpeed, q.Request.RxSpeed, q.Request.MTU = 0, 0, 0
	got := texts(ask(t, q, nil))
	for _, kind := range []radius.Type{wire.TypeNASIPAddress, wire.TypeNASIPv6Address, wire.TypeCalledStationID, wire.TypeConnectInfo, wire.TypeFramedMTU, wire.TypeTunnelClientAuthID, wire.TypeTunnelServerEndpoint} {
		if _, there := got[kind]; there {
			t.Errorf("attribute %d is there: %q", kind, got[kind])
		}
	}
	if got[wire.TypeCallingStationID] != "|198.51.100.7" {
		t.Errorf("without a number the peer's address: %q", got[wire.TypeCallingStationID])
	}
}

func TestRequestOverIPv6(t *testing.T) {
	q := query(t, "alice", pap("secret"))
	q.Request.Peer, q.Request.Local = netip.MustParseAddrPort("[2001:db8::7]:1701"), netip.MustParseAddr("2001:db8::1")
	got := texts(ask(t, q, nil))
	if got[wire.TypeNASIPAddress] != "" || len(got[wire.TypeNASIPv6Address]) != 17 || got[wire.TypeTunnelMediumType] != "|"+num(2) || got[wire.TypeTunnelClientEndpoint] != "|2001:db8::7" {
		t.Errorf("%v", got)
	}
	got = texts(ask(t, q, func(c *Config) { c.NAS.Address = netip.MustParseAddr("192.0.2.9") }))
	if got[wire.TypeNASIPAddress] != "|\xc0\x00\x02\x09" || got[wire.TypeNASIPv6Address] != "" {
		t.Errorf("the address that is set: %v", got)
	}
}

func TestNameForms(t *testing.T) {
	eap := aaa.Proof{Method: aaa.EAP, EAP: []byte{2, 1, 0, 4}}
	for _, tc := range []struct {
		form  NameForm
		name  string
		proof aaa.Proof
		want  string
	}{
		{AsTyped, "alice", pap("x"), "alice"},
		{AsTyped, "Alice@Sales", pap("x"), "Alice@Sales"},
		{AsTyped, `SALES\alice`, pap("x"), `SALES\alice`},
		{WithDomain, "alice", pap("x"), "alice@default"},
		{WithDomain, "alice@sales", pap("x"), "alice@sales"},
		{WithDomain, `SALES\alice`, pap("x"), `SALES\alice`},
		{WithoutDomain, "alice", pap("x"), "alice"},
		{WithoutDomain, "Alice@sales", pap("x"), "Alice"},
		{WithoutDomain, `SALES\alice`, pap("x"), "alice"},
		{WithoutDomain, "alice@sales", eap, "alice@sales"}, // RFC 3579 section 2.1
		{WithDomain, "alice", eap, "alice"},
	} {
		p := ask(t, query(t, tc.name, tc.proof), func(c *Config) { c.Names = tc.form })
		if got := string(p.Get(wire.TypeUserName)); got != tc.want {
			t.Errorf("%s, %s of %q: %q, not %q", tc.form, tc.proof.Method, tc.name, got, tc.want)
		}
	}
}

func TestRFC2865Section5_2_PAPPassword(t *testing.T) {
	for _, password := range []string{"", "secret", strings.Repeat("x", 16), strings.Repeat("ü", 64)} {
		p := ask(t, query(t, "alice", pap(password)), nil)
		if got := rfc2865.UserPassword_GetString(p); got != password {
			t.Errorf("%q, not %q", got, password)
		}
	}
}

func TestRFC2865Section5_3_CHAPHasItsChallenge(t *testing.T) {
	response := bytes.Repeat([]byte{7}, 16)
	p := ask(t, query(t, "alice", aaa.Proof{Method: aaa.CHAP, Identifier: 9, Challenge: []byte("0123456789abcdefgh"), Response: response}), nil)
	if got := p.Get(wire.TypeCHAPPassword); got[0] != 9 || !bytes.Equal(got[1:], response) {
		t.Errorf("CHAP-Password %x", got)
	}
	if got := p.Get(wire.TypeCHAPChallenge); string(got) != "0123456789abcdefgh" {
		t.Errorf("CHAP-Challenge %q", got)
	}
}

func TestRFC2548Section2_3_2_MSCHAPv2(t *testing.T) {
	value := make([]byte, 49)
	for i := range value {
		value[i] = byte(i)
	}
	challenge := []byte("0123456789abcdef")
	p := ask(t, query(t, "alice", aaa.Proof{Method: aaa.MSCHAPv2, Identifier: 9, Challenge: challenge, Response: value}), nil)
	if got, _ := wire.LookupVendor(p, wire.Microsoft, wire.MSCHAPChallenge); !bytes.Equal(got, challenge) {
		t.Errorf("MS-CHAP-Challenge %x", got)
	}
	got, _ := wire.LookupVendor(p, wire.Microsoft, wire.MSCHAP2Response)
	if len(got) != 50 || got[0] != 9 || got[1] != 48 || !bytes.Equal(got[2:], value[:48]) {
		t.Errorf("MS-CHAP2-Response %x", got)
	}
}

func TestRFC3579Section3_1_EAPInOrder(t *testing.T) {
	packet := make([]byte, 1200)
	packet[0], packet[2], packet[3] = 2, 1200>>8, 1200&0xff
	for i := range packet[4:] {
		packet[4+i] = byte(i * 7)
	}
	p := ask(t, query(t, "alice", aaa.Proof{Method: aaa.EAP, EAP: packet}), nil)
	if got := wire.All(p, wire.TypeEAPMessage); len(got) != 5 || !bytes.Equal(bytes.Join(got, nil), packet) {
		t.Errorf("%d attributes", len(got))
	}
	first, last := -1, -1
	for i, a := range p.Attributes {
		if a.Type == wire.TypeEAPMessage {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if last-first != 4 {
		t.Errorf("they stand at %d to %d", first, last)
	}
}

func TestProofsThatDoNotFit(t *testing.T) {
	group := answers(radius.CodeAccessAccept, nil)
	b := newBackend(t, group, nil)
	for _, tc := range []struct {
		proof aaa.Proof
		want  aaa.Cause
	}{
		{aaa.Proof{}, aaa.MethodNotAllowed},
		{aaa.Proof{Method: 99}, aaa.MethodNotAllowed},
		{pap(strings.Repeat("x", 129)), aaa.MalformedProof},
		{aaa.Proof{Method: aaa.CHAP, Challenge: []byte("x"), Response: make([]byte, 15)}, aaa.MalformedProof},
		{aaa.Proof{Method: aaa.CHAP, Response: make([]byte, 16)}, aaa.MalformedProof},
		{aaa.Proof{Method: aaa.CHAP, Challenge: make([]byte, 254), Response: make([]byte, 16)}, aaa.MalformedProof},
		{aaa.Proof{Method: aaa.MSCHAPv2, Challenge: make([]byte, 16), Response: make([]byte, 48)}, aaa.MalformedProof},
		{aaa.Proof{Method: aaa.MSCHAPv2, Challenge: make([]byte, 15), Response: make([]byte, 49)}, aaa.MalformedProof},
		{aaa.Proof{Method: aaa.EAP, EAP: []byte{2, 1, 0}}, aaa.MalformedProof},
		{aaa.Proof{Method: aaa.EAP, EAP: []byte{2, 1, 0, 4}, State: []byte{9, 'x'}}, aaa.MalformedProof},
	} {
		_, err := b.Authenticate(t.Context(), query(t, "alice", tc.proof))
		var r *aaa.Rejection
		if !errors.As(err, &r) || r.Cause != tc.want {
			t.Errorf("%s: %v, not %v", tc.proof.Method, err, tc.want)
		}
	}
	if len(group.asked) != 0 {
		t.Error("a server was asked")
	}
}

func TestTunnelTextThatBeginsLikeATag(t *testing.T) {
	q := query(t, "alice", pap("x"))
	q.Request.TunnelName = "\x05lac"
	if got := ask(t, q, nil).Get(wire.TypeTunnelClientAuthID); string(got) != "\x00\x05lac" {
		t.Errorf("%q", got)
	}
}

func TestConnectInfo(t *testing.T) {
	for _, tc := range []struct {
		tx, rx uint64
		want   string
	}{{0, 0, ""}, {64000, 0, "64000"}, {64000, 64000, "64000"}, {64000, 32000, "64000/32000"}} {
		if got := connectInfo(tc.tx, tc.rx); got != tc.want {
			t.Errorf("%d %d: %q", tc.tx, tc.rx, got)
		}
	}
}
