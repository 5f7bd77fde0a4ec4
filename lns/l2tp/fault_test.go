package l2tp

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// raw appends an AVP bit by bit.
func raw(b []byte, flags, vendor uint16, a Attribute, value string) []byte {
	b = binary.BigEndian.AppendUint16(b, flags|uint16(avpHeaderLen+len(value)))
	b = binary.BigEndian.AppendUint16(b, vendor)
	b = binary.BigEndian.AppendUint16(b, uint16(a))
	return append(b, value...)
}

const m = avpMandatory

func sccrq() []byte {
	return Append(nil, SCCRQ{HostName: "pc", AssignedTunnel: 7}, AppendOptions{})
}

func icrq() []byte { return Append(nil, ICRQ{AssignedSession: 9}, AppendOptions{}) }

func wantFault(t *testing.T, b, secret []byte, scope Scope, code uint16, text string) *MessageError {
	t.Helper()
	msg, err := Parse(b, secret)
	var e *MessageError
	if !errors.As(err, &e) {
		t.Fatalf("no fault: %+v %v", msg, err)
	}
	if e.Scope != scope || e.Result.Result != 2 || e.Result.Error != code || !strings.Contains(e.Error(), text) {
		t.Errorf("got %v, result %v; want %v, error %d, %q", e.Scope, e.Result, scope, code, text)
	}
	return e
}

func parse[T Message](t *testing.T, b []byte) T {
	t.Helper()
	msg, err := Parse(b, nil)
	got, ok := msg.(T)
	if err != nil || !ok {
		t.Fatalf("%+v %v", msg, err)
	}
	return got
}

func TestRFC2661Section4_2_UnknownMandatoryAVP(t *testing.T) {
	e := wantFault(t, raw(sccrq(), m, 0, 99, ""), nil, ScopeTunnel, ErrUnknownMandatory, "attribute 99")
	if e.PeerTunnel != 7 || e.Type != TypeSCCRQ {
		t.Errorf("%+v", e)
	}
	e = wantFault(t, raw(icrq(), m, 9, 3, "x"), nil, ScopeSession, ErrUnknownMandatory, "attribute 3 of vendor 9")
	if e.PeerSession != 9 {
		t.Errorf("%+v", e)
	}
	parse[SCCRQ](t, raw(sccrq(), 0, 0, 99, "anything"))
	parse[ICRQ](t, raw(icrq(), 0, 9, 3, "anything"))
}

func TestQ55UnknownMandatoryAVPTolerated(t *testing.T) {
	for _, b := range [][]byte{raw(sccrq(), m, 0, 99, ""), raw(icrq(), m, 9, 3, "x")} {
		if _, err := ParseWith(b, ParseOptions{TolerateUnknownMandatory: true}); err != nil {
			t.Error(err)
		}
	}
}

func TestRFC2661Section4_1_ReservedBitsMakeAnAVPUnknown(t *testing.T) {
	wantFault(t, raw(sccrq(), m|0x0400, 0, attrVendorName, "v"), nil, ScopeTunnel, ErrUnknownMandatory, "Vendor Name")
	if got := parse[SCCRQ](t, raw(sccrq(), 0x0400, 0, attrVendorName, "v")); got.Vendor != "" {
		t.Errorf("vendor %q", got.Vendor)
	}
}

func TestRFC2661Section4_4_1_UnknownMessageType(t *testing.T) {
	wantFault(t, raw(nil, m, 0, attrMessageType, "\x00\x63"), nil, ScopeTunnel, ErrUnknownMandatory, "message type 99")
	wantFault(t, raw(nil, 0, 0, attrMessageType, "\x00\x63"), nil, ScopeIgnore, ErrUnknownMandatory, "message type 99")
}

func TestRFC2661Section4_4_1_MessageTypeComesFirst(t *testing.T) {
	for name, b := range map[string][]byte{
		"other first": raw(nil, m, 0, attrHostName, "pc"),
		"hidden":      raw(nil, m|avpHidden, 0, attrMessageType, "\x00\x01"),
		"too long":    raw(nil, m, 0, attrMessageType, "\x00\x01\x00"),
		"of a vendor": raw(nil, m, 9, attrMessageType, "\x00\x01"),
		"cut":         {0x80},
	} {
		t.Run(name, func(t *testing.T) {
			wantFault(t, b, nil, ScopeTunnel, ErrOutOfRange, "Message Type")
			if PeekType(b) != TypeZLB {
				t.Error("peeked")
			}
		})
	}
}

func TestRFC2661Section7_1_BrokenAVP(t *testing.T) {
	wantFault(t, raw(sccrq(), m, 0, attrReceiveWindow, "\x04"), nil, ScopeTunnel, ErrWrongLength, "Receive Window Size")
	wantFault(t, raw(icrq(), m, 0, attrBearerType, "12345"), nil, ScopeSession, ErrWrongLength, "Bearer Type")
	wantFault(t, raw(sccrq(), m, 0, attrChallenge, ""), nil, ScopeTunnel, ErrWrongLength, "Challenge")
	wantFault(t, raw(sccrq(), m, 0, attrAssignedTunnel, "\x00\x00"), nil, ScopeTunnel, ErrOutOfRange, "Assigned Tunnel ID")
	wantFault(t, raw(icrq(), m, 0, attrAssignedSession, "\x00\x00"), nil, ScopeSession, ErrOutOfRange, "Assigned Session ID")
	wantFault(t, append(sccrq(), 0x80, 0x05), nil, ScopeTunnel, ErrWrongLength, "length")
	wantFault(t, append(icrq(), 0x80, 0x20, 0, 0, 0, 9), nil, ScopeSession, ErrWrongLength, "length")
	// The RFC's own example: Rx Connect Speed in 2 octets, the M bit clear.
	iccn := Append(nil, ICCN{TxSpeed: 5}, AppendOptions{})
	if got := parse[ICCN](t, raw(iccn, 0, 0, attrRxSpeed, "\x01\x02")); got.RxSpeed != 0 {
		t.Errorf("%+v", got)
	}
}

func TestRFC2661Section6_MissingAVP(t *testing.T) {
	mt := func(t MessageType) []byte { return raw(nil, m, 0, attrMessageType, string([]byte{0, byte(t)})) }
	for _, kind := range []MessageType{TypeSCCRQ, TypeSCCRP} {
		b := mt(kind)
		wantFault(t, b, nil, ScopeTunnel, ErrOutOfRange, "Assigned Tunnel ID")
		b = raw(b, m, 0, attrAssignedTunnel, "\x00\x01")
		wantFault(t, b, nil, ScopeTunnel, ErrOutOfRange, "Protocol Version")
		b = raw(b, m, 0, attrProtocolVersion, "\x01\x00")
		wantFault(t, b, nil, ScopeTunnel, ErrOutOfRange, "Host Name")
		if _, err := Parse(raw(b, m, 0, attrHostName, "h"), nil); err != nil {
			t.Error(err)
		}
	}
	for _, kind := range []MessageType{TypeICRQ, TypeICRP, TypeOCRQ, TypeOCRP} {
		wantFault(t, mt(kind), nil, ScopeSession, ErrOutOfRange, "Assigned Session ID")
	}
	for _, kind := range []MessageType{TypeSCCCN, TypeHello, TypeICCN, TypeOCCN, TypeStopCCN, TypeCDN, TypeWEN, TypeSLI} {
		if _, err := Parse(mt(kind), nil); err != nil {
			t.Errorf("%v: %v", kind, err)
		}
	}
}

// Android's whole SCCRQ: nothing but what the RFC demands, and a window of 1.
func TestQ01AndroidSCCRQ(t *testing.T) {
	b := raw(nil, m, 0, attrMessageType, "\x00\x01")
	b = raw(b, m, 0, attrProtocolVersion, "\x01\x00")
	b = raw(b, m, 0, attrHostName, "anonymous")
	b = raw(b, m, 0, attrFramingCaps, "\x00\x00\x00\x03")
	b = raw(b, m, 0, attrAssignedTunnel, "\x12\x34")
	b = raw(b, m, 0, attrReceiveWindow, "\x00\x01")
	got := parse[SCCRQ](t, b)
	if got.HostName != "anonymous" || got.ReceiveWindow != 1 || got.AssignedTunnel != 0x1234 || got.Framing != 3 {
		t.Errorf("%+v", got)
	}
	if host, id, ok := PeekSCCRQ(b); host != "anonymous" || id != 0x1234 || !ok {
		t.Errorf("peeked %q %d %v", host, id, ok)
	}
	if _, _, ok := PeekSCCRQ(icrq()); ok {
		t.Error("an ICRQ is peeked as SCCRQ")
	}
}

func TestQ08Q45ResultCodeWithoutErrorCode(t *testing.T) {
	for _, kind := range []MessageType{TypeStopCCN, TypeCDN} {
		b := raw(nil, m, 0, attrMessageType, string([]byte{0, byte(kind)}))
		for value, want := range map[string]ResultCode{
			"\x00\x06":                       {Result: 6},
			"\x00\x02\x00":                   {Result: 2},
			"\x00\x02\x00\x07":               {Result: 2, Error: 7},
			"\x00\x02\x00\x04full\x00":       {Result: 2, Error: 4, Message: "full"},
			"\x00\x02\x00\x04\xff\xfe octet": {Result: 2, Error: 4, Message: "\ufffd octet"},
		} {
			msg, err := Parse(raw(b, m, 0, attrResultCode, value), nil)
			if got := resultOf(msg); err != nil || got != want {
				t.Errorf("%v %x: %+v %v", kind, value, got, err)
			}
		}
	}
}

func resultOf(m Message) ResultCode {
	switch m := m.(type) {
	case StopCCN:
		return m.Result
	case CDN:
		return m.Result
	}
	return ResultCode{}
}

func TestQ10HostNameWithNUL(t *testing.T) {
	b := raw(sccrq(), m, 0, attrHostName, "Johns-iPhone\x00")
	if got := parse[SCCRQ](t, b); got.HostName != "Johns-iPhone" {
		t.Errorf("%q", got.HostName)
	}
	if host, _, _ := PeekSCCRQ(b); host != "Johns-iPhone" {
		t.Errorf("peeked %q", host)
	}
	wantFault(t, raw(sccrq(), m, 0, attrHostName, "\x00"), nil, ScopeTunnel, ErrOutOfRange, "Host Name")
}

func TestQ13ResultCodeInHostByteOrder(t *testing.T) {
	for _, kind := range []MessageType{TypeStopCCN, TypeCDN} {
		b := raw(nil, m, 0, attrMessageType, string([]byte{0, byte(kind)}))
		msg, err := Parse(raw(b, m, 0, attrResultCode, "\x01\x00\xde\xad\xbe\xef\x55\x66"), nil)
		if got := resultOf(msg); err != nil || got != (ResultCode{Result: 1}) {
			t.Errorf("%v: %+v %v", kind, got, err)
		}
	}
}

// Huawei sets the M bit where it must not be, and puts the next AVP right behind an odd Host Name.
func TestQ51WrongMBitsAndUnpaddedHostName(t *testing.T) {
	b := raw(nil, 0, 0, attrMessageType, "\x00\x01")
	b = raw(b, 0, 0, attrHostName, "odd")
	b = raw(b, 0, 0, attrAssignedTunnel, "\x00\x05")
	b = raw(b, 0, 0, attrProtocolVersion, "\x01\x00")
	b = raw(b, m, 0, attrFirmware, "\x01")
	b = raw(b, m, 0, attrTieBreaker, "short")
	if got := parse[SCCRQ](t, b); got.HostName != "odd" || got.AssignedTunnel != 5 || got.Firmware != 0 || got.TieBreaker != nil {
		t.Errorf("%+v", got)
	}
}

func TestQ52SCCCNRepeatsAVPs(t *testing.T) {
	b := append(Append(nil, SCCCN{}, AppendOptions{}), sccrq()[8:]...)
	b = raw(b, m, 0, attrBearerCaps, "\x00\x00\x00\x03")
	b = raw(b, m, 0, attrReceiveWindow, "\x00\x08")
	parse[SCCCN](t, b)
}

func TestQ54VendorAVPWithABaseNumber(t *testing.T) {
	b := raw(icrq(), 0, 9, attrAssignedSession, "\xff\xff")
	b = raw(b, 0, VendorBroadbandForum, attrResultCode, "dslam 1/1:100.7")
	b = raw(b, 0, VendorBroadbandForum, attrProtocolVersion, "remote")
	b = raw(b, 0, VendorBroadbandForum, 129, "\x00\x00\x00\x00\x00\x00\x10\x00")
	b = raw(b, 0, VendorBroadbandForum, 130, "\x00\x01\x00\x00")
	b = raw(b, 0, VendorBroadbandForum, 131, "\x00\x01\x00\x00")
	got := parse[ICRQ](t, b)
	want := AccessLine{"dslam 1/1:100.7", "remote", 4096, 65536}
	if got.AssignedSession != 9 || got.Line == nil || *got.Line != want {
		t.Errorf("%+v %+v", got, got.Line)
	}
	if got := parse[SCCRQ](t, raw(sccrq(), 0, VendorBroadbandForum, attrProtocolVersion, "x")); got.ProtocolVersion != Version10 {
		t.Errorf("%+v", got)
	}
}

func TestQ56WindowAbsentOrZero(t *testing.T) {
	for _, b := range [][]byte{sccrq(), raw(sccrq(), m, 0, attrReceiveWindow, "\x00\x00")} {
		if got := parse[SCCRQ](t, b); got.ReceiveWindow != 0 {
			t.Errorf("%+v", got)
		}
	}
}

func TestQ62HiddenAVPWithWrongSecret(t *testing.T) {
	hidden := Append(nil, ICRQ{AssignedSession: 5, CallSerial: 6}, AppendOptions{Secret: secret, Hide: true, RandomVector: vector})
	wantFault(t, hidden, []byte("other"), ScopeSession, ErrWrongLength, "does not decipher")
	// One block that deciphers to the length 0xffff, and one too short for a length.
	b := raw(icrq(), m, 0, attrRandomVector, string(vector))
	h := appendHidden(nil, attrCalledNumber, secret, vector, make([]byte, 14))
	h[0], h[1] = h[0]^0xff, h[1]^0xff^14
	wantFault(t, raw(b, m|avpHidden, 0, attrCalledNumber, string(h)), secret, ScopeSession, ErrWrongLength, "Called Number")
	wantFault(t, raw(b, m|avpHidden, 0, attrCalledNumber, "x"), secret, ScopeSession, ErrWrongLength, "Called Number")
}

func TestQ63LongestCallingNumber(t *testing.T) {
	long := strings.Repeat("9", maxValue)
	if got := parse[ICRQ](t, raw(icrq(), m, 0, attrCallingNumber, long)); got.CallingNumber != long {
		t.Errorf("%d octets", len(got.CallingNumber))
	}
	if got := parse[ICRQ](t, Append(nil, ICRQ{AssignedSession: 1, CallingNumber: long + "8"}, AppendOptions{})); got.CallingNumber != long {
		t.Errorf("%d octets", len(got.CallingNumber))
	}
}

func TestQ64RxSpeedOnlyIfItDiffers(t *testing.T) {
	if n := len(Append(nil, ICCN{TxSpeed: 5, RxSpeed: 5}, AppendOptions{})) - len(Append(nil, ICCN{TxSpeed: 5}, AppendOptions{})); n != 0 {
		t.Errorf("%d octets more", n)
	}
}

func TestQ65HiddenAVPWithoutVectorOrSecret(t *testing.T) {
	hidden := Append(nil, ICRQ{AssignedSession: 5}, AppendOptions{Secret: secret, Hide: true, RandomVector: vector})
	wantFault(t, hidden, nil, ScopeTunnel, ErrOutOfRange, "no tunnel secret")
	h := appendHidden(nil, attrCalledNumber, secret, vector, []byte("1"))
	wantFault(t, raw(icrq(), m|avpHidden, 0, attrCalledNumber, string(h)), secret, ScopeTunnel, ErrOutOfRange, "Random Vector")
	// One that is optional is skipped like any other broken one.
	h = appendHidden(nil, attrVendorName, secret, vector, []byte("v"))
	if got := parse[SCCRQ](t, raw(sccrq(), avpHidden, 0, attrVendorName, string(h))); got.Vendor != "" {
		t.Errorf("%+v", got)
	}
	if _, err := Parse(raw(icrq(), avpHidden, VendorBroadbandForum, lineCircuitID, "zzz"), nil); err != nil {
		t.Error(err)
	}
}

// Whoever closes is not argued with.
func TestClosingMessagesAreAlwaysReadable(t *testing.T) {
	for _, kind := range []MessageType{TypeStopCCN, TypeCDN} {
		b := raw(nil, m, 0, attrMessageType, string([]byte{0, byte(kind)}))
		b = raw(b, m, 0, attrResultCode, "\x00\x03")
		b = raw(b, m, 77, 1, "unknown")
		b = raw(b, m, 0, attrResultCode, "\x05")
		b = append(b, 0x80, 0x03)
		if msg, err := Parse(b, nil); err != nil || resultOf(msg).Result != 3 {
			t.Errorf("%v: %+v %v", kind, msg, err)
		}
	}
}

func TestRFC3145DisconnectCause(t *testing.T) {
	b := Append(nil, CDN{AssignedSession: 1}, AppendOptions{})
	b = raw(b, 0, 0, attrDisconnectCause, "\x00\x0d\xc2\x23\x02no")
	got := parse[CDN](t, b)
	if want := (PPPDisconnectCause{13, 0xc223, 2, "no"}); got.DisconnectCause == nil || *got.DisconnectCause != want {
		t.Errorf("%+v", got.DisconnectCause)
	}
	b = raw(Append(nil, CDN{}, AppendOptions{}), 0, 0, attrDisconnectCause, "\x00\x0d\xc2\x23")
	if got := parse[CDN](t, b); got.DisconnectCause != nil {
		t.Errorf("%+v", got.DisconnectCause)
	}
}
