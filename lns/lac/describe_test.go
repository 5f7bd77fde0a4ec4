package lac

import (
	"net/netip"
	"strings"
	"testing"

	"lnsgate/lns/ppp"
)

func TestDetailOf(t *testing.T) {
	opt := func(o ...ppp.Option) []byte {
		var b []byte
		for _, o := range o {
			b = o.Append(b)
		}
		return b
	}
	for _, c := range []struct {
		protocol ppp.Protocol
		code     ppp.Code
		data     []byte
		want     string
	}{
		{ppp.LCP, ppp.ConfigureRequest, nil, "no options"},
		{ppp.LCP, ppp.ConfigureRequest, ppp.AppendMRU(ppp.AppendMagic(nil, 0x1a2b), 1400), "magic 00001a2b, MRU 1400"},
		{ppp.LCP, ppp.ConfigureRequest, ppp.AppendAuthentication(nil, ppp.PAP, 0), "authentication PAP"},
		{ppp.LCP, ppp.ConfigureNak, ppp.AppendAuthentication(nil, ppp.CHAP, ppp.AlgorithmMSCHAPv2), "authentication MS-CHAPv2"},
		{ppp.LCP, ppp.ConfigureNak, ppp.AppendAuthentication(nil, ppp.CHAP, ppp.AlgorithmMSCHAP), "authentication MS-CHAPv1"},
		{ppp.LCP, ppp.ConfigureNak, ppp.AppendAuthentication(nil, ppp.CHAP, 6), "authentication CHAP with algorithm 6"},
		{ppp.LCP, ppp.ConfigureReject, opt(ppp.Option{Type: ppp.LCPCallback, Value: []byte{6}}, ppp.Option{Type: ppp.LCPPFC},
			ppp.Option{Type: ppp.LCPACFC}, ppp.Option{Type: ppp.LCPMRRU}, ppp.Option{Type: ppp.LCPEndpointDiscriminator},
			ppp.Option{Type: ppp.LCPACCM, Value: make([]byte, 4)}, ppp.Option{Type: 99}),
			"callback, short protocol, short header, multilink, endpoint, async map, option 99"},
		{ppp.LCP, ppp.ConfigureRequest, opt(ppp.Option{Type: ppp.LCPMRU, Value: []byte{1}}), "option 1"},
		{ppp.LCP, ppp.TerminateRequest, []byte("bye\x1b[2J"), `"bye.[2J"`},
		{ppp.LCP, ppp.ProtocolReject, []byte{0x80, 0xfd, 1}, "CCP"},
		{ppp.LCP, ppp.ProtocolReject, []byte{0x80}, ""},
		{ppp.LCP, ppp.Identification, []byte("\x00\x00\x00\x01MSRASV5.20"), `"MSRASV5.20"`},
		{ppp.LCP, ppp.Identification, nil, ""},
		{ppp.LCP, ppp.EchoRequest, []byte{1, 2, 3, 4}, ""},
		{ppp.IPCP, ppp.ConfigureNak, ppp.AppendAddress(ppp.AppendAddress(nil, ppp.IPCPAddress,
			netip.MustParseAddr("10.0.0.1")), ppp.IPCPNBNS1, netip.Addr{}), "address 10.0.0.1, first NBNS (any)"},
		{ppp.IPCP, ppp.ConfigureRequest, opt(ppp.Option{Type: ppp.IPCPCompression, Value: []byte{0, 0x2d}}), "option 2"},
		{ppp.CCP, ppp.ConfigureRequest, opt(ppp.Option{Type: 18, Value: make([]byte, 4)}), "option 18"},
		{ppp.PAP, ppp.PAPAuthenticateRequest, ppp.PAPRequest{Name: []byte("alice"), Password: []byte("secret")}.Append(nil),
			"name alice, password ****"},
		{ppp.PAP, ppp.PAPAuthenticateRequest, []byte{9}, "unreadable"},
		{ppp.PAP, ppp.PAPAuthenticateNak, ppp.AppendPAPMessage(nil, "no"), `"no"`},
		{ppp.PAP, ppp.PAPAuthenticateNak, []byte{9}, "unreadable"},
		{ppp.CHAP, ppp.CHAPChallenge, ppp.CHAPValue{Value: make([]byte, 16), Name: []byte("LNS")}.Append(nil), "name LNS, 16 octets"},
		{ppp.CHAP, ppp.CHAPResponse, []byte{9}, "unreadable"},
		{ppp.CHAP, ppp.CHAPSuccess, []byte("S=00 M=Welcome"), `"S=00 M=Welcome"`},
	} {
		if got := detailOf(c.protocol, ppp.Packet{Code: c.code, Data: c.data}); got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.protocol, c.code, got, c.want)
		}
	}
}

func TestPrintableBoundsWhatAPeerCanMakeUsPrint(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "trailing\x00": "trailing", "a\nb\x1bc": "a.b.c", "caf\u00e9": "caf\u00e9", "\xff\xfe": "..", "": "",
		"dot.": "dot.",
	} {
		if got := printable([]byte(in)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := printable([]byte(strings.Repeat("x", 10_000))); len(got) > maxText {
		t.Errorf("%d characters", len(got))
	}
}

func TestVerdictWords(t *testing.T) {
	for in, want := range map[string]string{
		"Authentication failed":               "Authentication failed",
		"E=691 R=0 C=00112233 V=3 M=Bad luck": "error 691 (name or password wrong): Bad luck",
		"E=648 R=0 C=00112233 V=3":            "error 648 (password expired)",
		"E=999":                               "error 999",
		"":                                    "",
	} {
		if got := verdictWords(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestEveryStageAndCauseHasItsOwnWords(t *testing.T) {
	seen := map[string]bool{}
	check := func(words string, text []byte, err error) {
		if words == "" || seen[words] || string(text) != words || err != nil {
			t.Errorf("%q is empty, used twice, or %q as text (%v)", words, text, err)
		}
		seen[words] = true
	}
	for s := range stageCount {
		text, err := s.MarshalText()
		check(s.String(), text, err)
	}
	for c := range causeCount {
		text, err := c.MarshalText()
		check(c.String(), text, err)
	}
	for _, unknown := range []string{stageCount.String(), causeCount.String()} {
		check(unknown, []byte(unknown), nil)
	}
	for cause, sentence := range linkSentences {
		if sentence == "" || seen[sentence] {
			t.Errorf("cause %s: sentence %q", cause, sentence)
		}
	}
}
