package ppp

import (
	"bytes"
	"testing"
)

// secretText is what no masked packet may have in it.
const secretText = "hunter2-hunter2!"

func TestMaskedPacketsHaveNoSecretInThem(t *testing.T) {
	chap := CHAPValue{Value: []byte(secretText), Name: []byte("alice")}.Append(nil)
	for name, c := range map[string]struct {
		protocol Protocol
		code     Code
		data     []byte
		keeps    string
	}{
		"PAP password":        {PAP, PAPAuthenticateRequest, PAPRequest{Name: []byte("alice"), Password: []byte(secretText)}.Append(nil), "alice"},
		"PAP cut short":       {PAP, PAPAuthenticateRequest, append([]byte{5, 'a', 'l', 'i', 'c', 'e', 99}, secretText...), ""},
		"PAP of another code": {PAP, 9, []byte(secretText), ""},
		"PAP message":         {PAP, PAPAuthenticateNak, AppendPAPMessage(nil, "no"), "no"},
		"CHAP challenge":      {CHAP, CHAPChallenge, chap, "alice"},
		"CHAP response":       {CHAP, CHAPResponse, chap, "alice"},
		"CHAP cut short":      {CHAP, CHAPResponse, append([]byte{99}, secretText...), ""},
		"MS-CHAPv2 success":   {CHAP, CHAPSuccess, []byte("S=" + secretText + " M=Welcome"), "M=Welcome"},
		"MS-CHAPv2 failure":   {CHAP, CHAPFailure, []byte("E=691 R=0 C=" + secretText + " V=3 M=no"), "E=691 R=0 C="},
		"CHAP of another":     {CHAP, 9, []byte(secretText), ""},
		"EAP identity":        {EAP, EAPResponse, append([]byte{EAPIdentity}, "alice"...), "alice"},
		"EAP MD5":             {EAP, EAPResponse, append([]byte{EAPMD5Challenge}, secretText...), "\x04"},
		"EAP token":           {EAP, EAPResponse, append([]byte{6}, secretText...), "\x06"},
		"EAP Nak":             {EAP, EAPResponse, []byte{EAPNak, 25, 21}, "\x03\x19\x15"},
		"EAP question":        {EAP, EAPRequest, append([]byte{EAPNak}, secretText...), ""},
		"LCP echo":            {LCP, EchoRequest, []byte(secretText), ""},
		"LCP unknown":         {LCP, 99, []byte(secretText), ""},
		"protocol reject":     {LCP, ProtocolReject, append([]byte{0xc2, 0x27}, secretText...), "\xc2\x27"},
		"code reject":         {LCP, CodeReject, append([]byte{9, 1, 0, 20}, secretText...), "\x09\x01"},
		"identification":      {LCP, Identification, []byte("\x00\x00\x00\x01MSRASV5.20"), "MSRASV5.20"},
		"options":             {IPCP, ConfigureRequest, Option{Type: IPCPAddress, Value: []byte{10, 1, 2, 3}}.Append(nil), "\x0a\x01\x02\x03"},
		"keys":                {ECP, ConfigureRequest, []byte(secretText), ""},
		"compression reset":   {CCP, 14, []byte(secretText), ""},
		"callback":            {CBCP, 1, []byte(secretText), ""},
		"unknown":             {0xc123, 1, []byte(secretText), ""},
	} {
		packet := Packet{Code: c.code, Identifier: 7, Data: c.data}.Append(nil)
		got := AppendMasked([]byte("before"), c.protocol, append(packet, secretText...))
		if !bytes.HasPrefix(got, []byte("before")) || len(got) != 6+len(packet)+len(secretText) {
			t.Errorf("%s: %q is of another form", name, got)
		}
		if bytes.Contains(got, []byte(secretText)) || !bytes.Contains(got, []byte(c.keeps)) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func FuzzMask(f *testing.F) {
	f.Add(uint16(PAP), PAPRequest{Name: []byte("alice"), Password: []byte("pw")}.Append([]byte{1, 1, 0, 13}))
	f.Add(uint16(CHAP), []byte{2, 1, 0, 9, 2, 1, 1, 'b', 'o'})
	f.Add(uint16(EAP), []byte{2, 1, 0, 6, 3, 25})
	f.Add(uint16(LCP), []byte{8, 1, 0, 6, 0x80, 0xfd})
	f.Fuzz(func(t *testing.T, protocol uint16, packet []byte) {
		p := Protocol(protocol)
		before := bytes.Clone(packet)
		once := AppendMasked(nil, p, packet)
		if len(once) != len(packet) || !bytes.Equal(packet, before) {
			t.Fatalf("%d octets became %d, or the packet was written to", len(packet), len(once))
		}
		if twice := AppendMasked(nil, p, once); !bytes.Equal(once, twice) {
			t.Fatalf("masked again %x becomes %x", once, twice)
		}
		for n := range once {
			Describe(p, once[:n])
		}
	})
}
