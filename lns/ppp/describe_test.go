package ppp

import (
	"net/netip"
	"strings"
	"testing"
)

func TestDetailOf(t *testing.T) {
	opt := func(o ...Option) []byte {
		var b []byte
		for _, o := range o {
			b = o.Append(b)
		}
		return b
	}
	for _, c := range []struct {
		protocol Protocol
		code     Code
		data     []byte
		want     string
	}{
		{LCP, ConfigureRequest, nil, "no options"},
		{LCP, ConfigureRequest, AppendMRU(AppendMagic(nil, 0x1a2b), 1400), "magic 00001a2b, MRU 1400"},
		{LCP, ConfigureRequest, AppendAuthentication(nil, PAP, 0), "authentication PAP"},
		{LCP, ConfigureNak, AppendAuthentication(nil, CHAP, AlgorithmMSCHAPv2), "authentication MS-CHAPv2"},
		{LCP, ConfigureNak, AppendAuthentication(nil, CHAP, AlgorithmMSCHAP), "authentication MS-CHAPv1"},
		{LCP, ConfigureNak, AppendAuthentication(nil, CHAP, 6), "authentication CHAP with algorithm 6"},
		{LCP, ConfigureReject, opt(Option{Type: LCPCallback, Value: []byte{6}}, Option{Type: LCPPFC},
			Option{Type: LCPACFC}, Option{Type: LCPMRRU}, Option{Type: LCPEndpointDiscriminator},
			Option{Type: LCPACCM, Value: make([]byte, 4)}, Option{Type: 99}),
			"callback, short protocol, short header, multilink, endpoint, async map, option 99"},
		{LCP, ConfigureRequest, opt(Option{Type: LCPMRU, Value: []byte{1}}), "option 1"},
		{LCP, TerminateRequest, []byte("bye\x1b[2J"), `"bye.[2J"`},
		{LCP, ProtocolReject, []byte{0x80, 0xfd, 1}, "CCP"},
		{LCP, ProtocolReject, []byte{0x80}, ""},
		{LCP, Identification, []byte("\x00\x00\x00\x01MSRASV5.20"), `"MSRASV5.20"`},
		{LCP, Identification, nil, ""},
		{LCP, EchoRequest, []byte{1, 2, 3, 4}, ""},
		{IPCP, ConfigureNak, AppendAddress(AppendAddress(nil, IPCPAddress,
			netip.MustParseAddr("10.0.0.1")), IPCPNBNS1, netip.Addr{}), "address 10.0.0.1, first NBNS (any)"},
		{IPCP, ConfigureRequest, opt(Option{Type: IPCPCompression, Value: []byte{0, 0x2d}}), "option 2"},
		{CCP, ConfigureRequest, opt(Option{Type: 18, Value: make([]byte, 4)}), "MPPE"},
		{EAP, EAPResponse, []byte{EAPNak, 25, 99}, "wants PEAP or type 99"},
		{EAP, EAPResponse, []byte("\x01bob"), "identity bob"},
		{EAP, EAPRequest, []byte{13, 1, 2}, "EAP-TLS, 2 octets"},
		{EAP, EAPSuccess, nil, ""},
		{IPv6CP, ConfigureRequest, AppendInterfaceID(nil, [8]byte{1}), "interface 0100000000000000"},
		{PAP, PAPAuthenticateRequest, PAPRequest{Name: []byte("alice"), Password: []byte("secret")}.Append(nil),
			"name alice, password ****"},
		{PAP, PAPAuthenticateRequest, []byte{9}, "unreadable"},
		{PAP, PAPAuthenticateNak, AppendPAPMessage(nil, "no"), `"no"`},
		{PAP, PAPAuthenticateNak, []byte{9}, "unreadable"},
		{CHAP, CHAPChallenge, CHAPValue{Value: make([]byte, 16), Name: []byte("LNS")}.Append(nil), "name LNS, 16 octets"},
		{CHAP, CHAPResponse, []byte{9}, "unreadable"},
		{CHAP, CHAPSuccess, []byte("S=00 M=Welcome"), `"S=00 M=Welcome"`},
	} {
		if got := (Packet{Code: c.code, Data: c.data}).Detail(c.protocol); got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.protocol, c.code, got, c.want)
		}
	}
}

func TestPrintableBoundsWhatAPeerCanMakeUsPrint(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "trailing\x00": "trailing", "a\nb\x1bc": "a.b.c", "caf\u00e9": "caf\u00e9", "\xff\xfe": "..", "": "",
		"dot.": "dot.",
	} {
		if got := Printable([]byte(in)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := Printable([]byte(strings.Repeat("x", 10_000))); len(got) > maxText {
		t.Errorf("%d characters", len(got))
	}
}
