package wire

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"layeh.com/radius"
	"layeh.com/radius/rfc2865"
)

const secret = "xyzzy5461"

func octets(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func packet(code radius.Code, attributes ...*radius.AVP) *radius.Packet {
	return &radius.Packet{Code: code, Identifier: 7, Authenticator: [16]byte{1, 2, 3, 4, 15: 16}, Secret: []byte(secret),
		Attributes: attributes}
}

func text(kind radius.Type, value string) *radius.AVP {
	return &radius.AVP{Type: kind, Attribute: radius.Attribute(value)}
}

// The example of RFC 2865 section 7.1: a request, and the reply that another implementation made.
func TestRFC2865Section7_1_ResponseAuthenticator(t *testing.T) {
	request := octets(t, "010000380f403f9473978057bd83d5cb98f4227a01066e656d6f02120dbe708d93d413ce3196e43f782a0aee0406c0a8011005060000000"+"3")
	reply := octets(t, "0200002686fe220e7624ba2a1005f6bf9b55e0b20606000000010f06000000000e06c0a80103")
	v, err := NewKey(secret).VerifyReply(reply, [16]byte(request[4:20]))
	if err != nil || v.Signed || v.Code() != radius.CodeAccessAccept {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := NewKey("another").VerifyReply(reply, [16]byte(request[4:20])); !errors.Is(err, ErrAuthenticator) {
		t.Errorf("with another secret: %v", err)
	}
}

// An Access-Request has its Message-Authenticator in front, made over itself with zeroes in that place.
func TestRFC3579Section3_2_AccessRequest(t *testing.T) {
	for _, code := range []radius.Code{radius.CodeAccessRequest, radius.CodeStatusServer} {
		p := packet(code, text(1, "alice"), text(80, "0123456789abcdef"), text(33, "p"))
		got, err := NewKey(secret).AppendRequest([]byte("before"), p)
		if err != nil {
			t.Fatal(err)
		}
		got = got[len("before"):]
		want := append([]byte{byte(code), 7, 0, 20 + 18 + 7 + 3}, p.Authenticator[:]...)
		want = append(append(want, 80, 18), make([]byte, 16)...)
		want = append(want, 1, 7, 'a', 'l', 'i', 'c', 'e', 33, 3, 'p')
		sum := hmac.New(md5.New, []byte(secret))
		sum.Write(want)
		copy(want[22:], sum.Sum(nil))
		if !bytes.Equal(got, want) {
			t.Errorf("%v:\n%x, not\n%x", code, got, want)
		}
		v, err := NewKey(secret).VerifyRequest(got)
		if err != nil || !v.Signed || !v.ProxyState || v.EAP {
			t.Errorf("%+v, %v", v, err)
		}
	}
}

// An Accounting-Request, and those of RFC 5176, have an authenticator made of zeroes, the octets and the secret.
func TestRFC2866Section3_RequestAuthenticator(t *testing.T) {
	for _, code := range []radius.Code{radius.CodeAccountingRequest, radius.CodeCoARequest, radius.CodeDisconnectRequest} {
		for _, signed := range []bool{false, true} {
			p := packet(code, text(44, "session"))
			if signed {
				p.Add(80, nil)
			}
			got, err := NewKey(secret).AppendRequest(nil, p)
			if err != nil {
				t.Fatal(err)
			}
			if !radius.IsAuthenticRequest(got, []byte(secret)) {
				t.Errorf("%v: the other implementation does not take %x", code, got)
			}
			if v, err := NewKey(secret).VerifyRequest(got); err != nil || v.Signed != signed {
				t.Errorf("%v: %+v, %v", code, v, err)
			}
			got[len(got)-1]++
			if _, err := NewKey(secret).VerifyRequest(got); !errors.Is(err, ErrAuthenticator) {
				t.Errorf("%v changed: %v", code, err)
			}
		}
	}
}

func TestReplies(t *testing.T) {
	tests := []struct {
		code   radius.Code
		put    bool // a Message-Authenticator in the packet
		signed bool
	}{
		{radius.CodeAccessAccept, false, true},
		{radius.CodeAccessReject, true, true},
		{radius.CodeAccessChallenge, false, true},
		{CodeProtocolError, false, true},
		{radius.CodeAccountingResponse, false, false},
		{radius.CodeAccountingResponse, true, true},
		{radius.CodeCoAACK, false, false},
		{radius.CodeDisconnectNAK, true, true},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.code, test.put), func(t *testing.T) {
			p := packet(test.code, text(18, "welcome"), text(79, "\x03\x01\x00\x04"))
			if test.put {
				p.Add(80, radius.Attribute("wrong"))
			}
			got, err := NewKey(secret).AppendReply(nil, p)
			if err != nil {
				t.Fatal(err)
			}
			v, err := NewKey(secret).VerifyReply(got, p.Authenticator)
			if err != nil || v.Signed != test.signed || !v.EAP {
				t.Errorf("%+v, %v", v, err)
			}
			request := append(make([]byte, 4), p.Authenticator[:]...)
			if !radius.IsAuthenticResponse(got, request, []byte(secret)) {
				t.Error("the other implementation does not take it")
			}
			if test.signed && got[20] != 80 {
				t.Error("the Message-Authenticator is not in front")
			}
			for i := range got { // each octet counts
				got[i] ^= 1
				if v, err := NewKey(secret).VerifyReply(got, p.Authenticator); err == nil {
					t.Errorf("octet %d changed: %+v", i, v)
				}
				got[i] ^= 1
			}
			padded := append(bytes.Clone(got), "padding"...)
			if v, err := NewKey(secret).VerifyReply(padded, p.Authenticator); err != nil || len(v.Octets) != len(got) {
				t.Errorf("padded: %+v, %v", v, err)
			}
			for n := range got {
				if _, err := NewKey(secret).VerifyReply(got[:n], p.Authenticator); !errors.Is(err, ErrLength) {
					t.Errorf("cut at %d: %v", n, err)
				}
			}
		})
	}
}

// The Message-Authenticator may stand anywhere: only its value counts.
func TestMessageAuthenticatorAnywhere(t *testing.T) {
	for at := range 3 {
		request := packet(radius.CodeAccessRequest, text(1, "alice"), text(4, "\x7f\x00\x00\x01"))
		list := append(radius.Attributes{}, request.Attributes[:at]...)
		list = append(append(list, text(80, string(make([]byte, 16)))), request.Attributes[at:]...)
		request.Attributes = list
		b, err := request.Encode()
		if err != nil {
			t.Fatal(err)
		}
		sum := hmac.New(md5.New, []byte(secret))
		sum.Write(b)
		request.Set(80, sum.Sum(nil))
		if b, err = request.Encode(); err != nil {
			t.Fatal(err)
		}
		if v, err := NewKey(secret).VerifyRequest(b); err != nil || !v.Signed {
			t.Errorf("at %d: %+v, %v", at, v, err)
		}
		if _, err := NewKey("other").VerifyRequest(b); !errors.Is(err, ErrMessageAuthenticator) {
			t.Errorf("at %d with another secret: %v", at, err)
		}
	}
}

func TestMalformed(t *testing.T) {
	good, err := NewKey(secret).AppendRequest(nil, packet(radius.CodeAccountingRequest, text(1, "a"), text(2, "b")))
	if err != nil {
		t.Fatal(err)
	}
	change := func(at int, value byte) []byte {
		b := bytes.Clone(good)
		b[at] = value
		return b
	}
	tests := []struct {
		name string
		in   []byte
		want error
	}{
		{"nothing", nil, ErrLength},
		{"longer than it is", change(3, byte(len(good)+1)), ErrLength},
		{"shorter than a header", change(3, 19), ErrLength},
		{"longer than a packet may be", change(2, 0x10), ErrLength},
		{"attribute of no length", change(21, 0), ErrAttributes},
		{"attribute of length 1", change(21, 1), ErrAttributes},
		{"attribute beyond the end", change(21, 200), ErrAttributes},
		{"half an attribute at the end", change(24, 2), ErrAttributes},
		{"Message-Authenticator of a wrong length", change(20, 80), ErrMessageAuthenticator},
		{"other octets", change(22, 'c'), ErrAuthenticator},
	}
	for _, test := range tests {
		if _, err := NewKey(secret).VerifyRequest(test.in); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, not %v", test.name, err, test.want)
		}
	}
}

func TestTooLong(t *testing.T) {
	long := packet(radius.CodeAccessRequest, text(18, string(make([]byte, 254))))
	if _, err := NewKey(secret).AppendRequest(nil, long); !errors.Is(err, ErrTooLong) {
		t.Errorf("value of 254 octets: %v", err)
	}
	for size, want := range map[int]error{4096: nil, 4097: ErrTooLong} {
		p := packet(radius.CodeAccessRequest)
		for left := size - HeaderLength - 18; left > 0; {
			n := min(left, 200)
			p.Add(18, make([]byte, n-2))
			left -= n
		}
		if got, err := NewKey(secret).AppendRequest(nil, p); !errors.Is(err, want) || err == nil && len(got) != size {
			t.Errorf("packet of %d octets: %d octets, %v", size, len(got), err)
		}
	}
	p := packet(radius.CodeAccessRequest, text(256, "no such type"), text(-1, "nor this"))
	if got, err := NewKey(secret).AppendRequest(nil, p); err != nil || len(got) != HeaderLength+18 {
		t.Errorf("types that do not exist: %d octets, %v", len(got), err)
	}
}

func TestParseHasNoPartOfTheDatagram(t *testing.T) {
	datagram, err := NewKey(secret).AppendReply(nil, packet(radius.CodeAccessAccept, text(18, "one"), text(18, ""), text(25, "class")))
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewKey(secret).VerifyReply(datagram, [16]byte{1, 2, 3, 4, 15: 16})
	if err != nil {
		t.Fatal(err)
	}
	p := NewKey(secret).Parse(v)
	clear(datagram)
	_ = append(p.Attributes[1].Attribute, "must not reach the next one"...)
	if got := rfc2865.Class_GetString(p); got != "class" || rfc2865.ReplyMessage_GetString(p) != "one" || len(p.Attributes) != 4 {
		t.Errorf("%q, %+v", got, p)
	}
	if p.Code != radius.CodeAccessAccept || p.Identifier != 7 || string(p.Secret) != secret {
		t.Errorf("%+v", p)
	}
}

func TestKeyPrintsStars(t *testing.T) {
	for _, format := range []string{"%v", "%+v", "%s", "%#v"} {
		if got := fmt.Sprintf(format, NewKey(secret)); got != "********" {
			t.Errorf("%s prints %s", format, got)
		}
	}
}

func FuzzVerify(f *testing.F) {
	key := NewKey(secret)
	for _, p := range []*radius.Packet{
		packet(radius.CodeAccessAccept, text(18, "welcome"), text(79, "eap")), packet(radius.CodeAccountingResponse),
		packet(radius.CodeCoAACK, text(80, ""), text(33, "p"), text(26, "\x00\x00\x00\x09\x01\x06abcd")),
	} {
		b, err := key.AppendReply(nil, p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		b, err = key.AppendRequest(nil, packet(radius.CodeCoARequest, p.Attributes...))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		request := [16]byte{1, 2, 3, 4, 15: 16}
		a, err := key.VerifyReply(in, request)
		if _, _, scanErr := scan(in); err == nil && scanErr != nil {
			t.Error("what is malformed was taken")
		}
		if err == nil && !radius.IsAuthenticResponse(a.Octets, append(make([]byte, 4), request[:]...), []byte(secret)) {
			t.Error("the other implementation does not take it")
		}
		b, _ := key.VerifyRequest(in)
		for _, v := range []Verified{a, b} {
			if v.Octets == nil {
				continue
			}
			p := key.Parse(v)
			other, err := radius.Parse(v.Octets, []byte(secret))
			if err != nil || len(other.Attributes) != len(p.Attributes) {
				t.Fatalf("the other implementation reads %v, %v", other, err)
			}
			for i := range p.Attributes {
				if p.Attributes[i].Type != other.Attributes[i].Type || !bytes.Equal(p.Attributes[i].Attribute, other.Attributes[i].Attribute) {
					t.Errorf("attribute %d: %v, not %v", i, p.Attributes[i], other.Attributes[i])
				}
			}
			for a := range VendorAttributes(p) {
				_ = a.Name()
			}
		}
		if !bytes.Equal(before, in) {
			t.Error("the datagram was changed")
		}
	})
}
