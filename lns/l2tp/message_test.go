package l2tp

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	secret = []byte("s3cret")
	vector = []byte("0123456789abcdef")
)

// everyMessage has each message twice: with every field set and with as few as possible.
func everyMessage() []Message {
	long := strings.Repeat("7", 600)
	return []Message{
		ZLB{},
		Hello{},
		SCCRQ{ProtocolVersion: Version10, HostName: "pc", AssignedTunnel: 1},
		SCCRQ{ProtocolVersion: 0x0102, HostName: "pc.example", Framing: 3, Bearer: 1, TieBreaker: []byte("12345678"),
			Firmware: 0x690, Vendor: "xelerance.com", AssignedTunnel: 0xffff, ReceiveWindow: 4, Challenge: []byte("who?")},
		SCCRP{ProtocolVersion: Version10, HostName: "l", AssignedTunnel: 1},
		SCCRP{ProtocolVersion: Version10, HostName: "lns", Framing: 3, Bearer: 2, Firmware: 1, Vendor: "v", AssignedTunnel: 2,
			ReceiveWindow: 16, Challenge: vector, ChallengeResponse: vector},
		SCCCN{},
		SCCCN{ChallengeResponse: vector},
		StopCCN{AssignedTunnel: 9, Result: ResultCode{Result: StopCCNGeneral}},
		StopCCN{AssignedTunnel: 9, Result: ResultCode{Result: StopCCNError, Error: ErrUnknownMandatory, Message: "attribute 99"}},
		ICRQ{AssignedSession: 1},
		ICRQ{AssignedSession: 0xfffe, CallSerial: 0xdeadbeef, BearerType: 3, PhysicalChannel: 12, CallingNumber: long,
			CalledNumber: "0800", SubAddress: "x", Line: &AccessLine{CircuitID: "dslam 1/2", RemoteID: "r", UpstreamBPS: 1 << 40, DownstreamBPS: 5}},
		ICRP{AssignedSession: 77},
		ICCN{},
		ICCN{TxSpeed: 100, RxSpeed: 50, FramingType: 1, InitialReceivedLCP: []byte{1, 4, 5, 0xdc}, LastSentLCP: []byte{},
			LastReceivedLCP: []byte{3}, PrivateGroup: "sales", SequencingRequired: true,
			ProxyAuth: ProxyAuth{Present: true, Type: ProxyAuthCHAP, Name: "u@d", Challenge: vector, ID: 200, Response: secret}},
		ICCN{ProxyAuth: ProxyAuth{Present: true, Type: ProxyAuthNone}},
		ICCN{ProxyAuth: ProxyAuth{Present: true, Type: ProxyAuthText, Name: "n", Response: []byte("p")}},
		OCRQ{AssignedSession: 3},
		OCRQ{AssignedSession: 3, CallSerial: 1, MinimumBPS: 2, MaximumBPS: 3, BearerType: 1, FramingType: 2, CalledNumber: "110", SubAddress: "s"},
		OCRP{AssignedSession: 4, PhysicalChannel: 5},
		OCCN{TxSpeed: 6, RxSpeed: 7, FramingType: 1, SequencingRequired: true},
		CDN{AssignedSession: 8, Result: ResultCode{Result: CDNAdministrative}},
		CDN{AssignedSession: 8, Result: ResultCode{CDNError, ErrTryAnother, "pool is empty"},
			Q931: &Q931Cause{16, 0x45, "normal"}, DisconnectCause: &PPPDisconnectCause{13, 0xc223, 1, "wrong password"}},
		WEN{1, 2, 3, 4, 5, 0xffffffff},
		SLI{0xa0000, 0xffffffff},
	}
}

func appendOptions() map[string]AppendOptions {
	return map[string]AppendOptions{
		"open":   {},
		"hidden": {Secret: secret, Hide: true, RandomVector: vector},
	}
}

func TestRoundTrip(t *testing.T) {
	for name, o := range appendOptions() {
		for _, m := range everyMessage() {
			b := Append(nil, m, o)
			got, err := Parse(b, o.Secret)
			if err != nil || !cmp.Equal(got, m) {
				t.Errorf("%s %v: %v\n%s", name, m.Type(), err, cmp.Diff(m, got))
			}
			if PeekType(b) != m.Type() {
				t.Errorf("%v is peeked as %v", m.Type(), PeekType(b))
			}
		}
	}
}

// A message cut anywhere is an error or a shorter message, never a panic; its parts are read from it alone.
func TestCutAtEveryOctet(t *testing.T) {
	for _, o := range appendOptions() {
		for _, m := range everyMessage() {
			b := Append(nil, m, o)
			for cut := range b {
				got, err := Parse(bytes.Clone(b[:cut]), o.Secret)
				var e *MessageError
				switch {
				case err != nil && !errors.As(err, &e):
					t.Fatalf("%v cut at %d: %v is no MessageError", m.Type(), cut, err)
				case err == nil && got == nil:
					t.Fatalf("%v cut at %d: neither message nor error", m.Type(), cut)
				}
				PeekSCCRQ(b[:cut])
			}
		}
	}
}

// A message must outlive the datagram it came in: transports use their buffers again.
func TestMessageSharesNoMemory(t *testing.T) {
	for _, m := range everyMessage() {
		b := Append(nil, m, AppendOptions{})
		got, _ := Parse(b, nil)
		for i := range b {
			b[i] = 0x55
		}
		if !cmp.Equal(got, m) {
			t.Errorf("%v changed with its datagram", m.Type())
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, m := range everyMessage() {
		f.Add(Append(nil, m, AppendOptions{}), false)
		f.Add(Append(nil, m, AppendOptions{Secret: secret, Hide: true, RandomVector: vector}), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, tolerate bool) {
		PeekType(b)
		PeekSCCRQ(b)
		m, err := ParseWith(b, ParseOptions{Secret: secret, TolerateUnknownMandatory: tolerate})
		if err != nil {
			var e *MessageError
			if !errors.As(err, &e) || m != nil {
				t.Fatalf("%v %v", m, err)
			}
			return
		}
		m = normal(m)
		for name, o := range appendOptions() {
			again, err := Parse(Append(nil, m, o), o.Secret)
			if err != nil || !cmp.Equal(again, m) {
				t.Fatalf("%s: %v\n%s", name, err, cmp.Diff(m, again))
			}
		}
	})
}

// normal takes out of a message what Append does not write on purpose, and what does not fit once hidden.
func normal(m Message) Message {
	short := func(b []byte) []byte { return b[:min(len(b), maxValue-hiddenLengthLen)] }
	text := func(s string) string {
		if len(s) > 900 {
			s = strings.ToValidUTF8(s[:900], "")
		}
		return strings.TrimRight(s, "\x00")
	}
	switch m := m.(type) {
	case SCCRQ:
		m.Challenge, m.Vendor = short(m.Challenge), text(m.Vendor)
		return m
	case SCCRP:
		m.Challenge, m.Vendor = short(m.Challenge), text(m.Vendor)
		return m
	case ICRQ:
		m.CallingNumber, m.CalledNumber, m.SubAddress = text(m.CallingNumber), text(m.CalledNumber), text(m.SubAddress)
		if m.Line != nil {
			m.Line.CircuitID, m.Line.RemoteID = text(m.Line.CircuitID), text(m.Line.RemoteID)
		}
		return m
	case OCRQ:
		m.CalledNumber, m.SubAddress = text(m.CalledNumber), text(m.SubAddress)
		return m
	case OCCN:
		m.RxSpeed = speed(m.TxSpeed, m.RxSpeed)
		return m
	case ICCN:
		m.RxSpeed = speed(m.TxSpeed, m.RxSpeed)
		m.InitialReceivedLCP, m.LastSentLCP = short(m.InitialReceivedLCP), short(m.LastSentLCP)
		m.LastReceivedLCP, m.PrivateGroup = short(m.LastReceivedLCP), text(m.PrivateGroup)
		p := &m.ProxyAuth
		switch {
		case !p.Present:
			*p = ProxyAuth{}
		case p.Type == ProxyAuthNone:
			*p = ProxyAuth{Present: true, Type: p.Type}
		case p.Type == ProxyAuthText:
			p.ID = 0
		}
		p.Name = string(short([]byte(p.Name)))
		p.Challenge, p.Response = short(p.Challenge), short(p.Response)
		return m
	case StopCCN:
		m.Result = normalResult(m.Result, text)
		return m
	case CDN:
		m.Result = normalResult(m.Result, text)
		if m.Q931 != nil {
			m.Q931.Advisory = text(m.Q931.Advisory)
		}
		if m.DisconnectCause != nil {
			m.DisconnectCause.Message = text(m.DisconnectCause.Message)
		}
		return m
	}
	return m
}

func normalResult(r ResultCode, text func(string) string) ResultCode {
	r.Message = text(r.Message)
	if r.Result > 0xff && r.Result&0xff == 0 {
		r = ResultCode{Result: r.Result >> 8}
	}
	return r
}

func speed(tx, rx uint32) uint32 {
	if tx == rx {
		return 0
	}
	return rx
}
