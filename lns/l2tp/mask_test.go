package l2tp

import (
	"bytes"
	"testing"
)

// maskedSecret is what no masked message may have in it.
const maskedSecret = "hunter2-hunter2!"

func TestMaskedMessagesHaveNoSecretInThem(t *testing.T) {
	vector := AppendOptions{Secret: Secret("tunnel secret"), Hide: true, RandomVector: []byte("0123456789abcdef")}
	proxy := ICCN{ProxyAuth: ProxyAuth{Present: true, Type: 1, Name: "alice", Challenge: []byte(maskedSecret), Response: []byte(maskedSecret)}}
	for name, c := range map[string]struct {
		payload []byte
		keeps   string
	}{
		"challenge":          {Append(nil, SCCRQ{HostName: "home", AssignedTunnel: 7, Challenge: []byte(maskedSecret)}, AppendOptions{}), "home"},
		"challenge response": {rawAVP(0x8016, 0, 13, maskedSecret), ""},
		"handed on":          {Append(nil, proxy, AppendOptions{}), "alice"},
		"unknown":            {rawAVP(0x0016, 0, 999, maskedSecret), ""},
		"unknown vendor":     {rawAVP(0x0016, 9, 7, maskedSecret), ""},
		"line":               {rawAVP(0x000a, VendorBroadbandForum, 1, "port"), "port"},
		"no line":            {rawAVP(0x0016, VendorBroadbandForum, 99, maskedSecret), ""},
		"cut short":          {rawAVP(0x00ff, 0, 7, maskedSecret), ""},
		"hidden":             {Append(nil, ICRQ{AssignedSession: 9, CallingNumber: maskedSecret}, vector), ""},
	} {
		got := AppendMasked([]byte("before"), c.payload)
		if !bytes.HasPrefix(got, []byte("before")) || len(got) != 6+len(c.payload) {
			t.Errorf("%s: %q is of another form", name, got)
		}
		if bytes.Contains(got, []byte(maskedSecret)) || !bytes.Contains(got, []byte(c.keeps)) {
			t.Errorf("%s: %q", name, got)
		}
		for rest := got[6:]; name == "hidden" && len(rest) > 0; {
			a, behind, ok := cutAVP(rest)
			if !ok || a.hidden && !bytes.Equal(a.value, make([]byte, len(a.value))) {
				t.Fatalf("a hidden value is left: %x", rest)
			}
			rest = behind
		}
	}
}

func TestPeekAssigned(t *testing.T) {
	hidden := AppendOptions{Secret: Secret("s"), Hide: true, RandomVector: []byte("0123456789abcdef")}
	for name, c := range map[string]struct {
		payload []byte
		tunnel  TunnelID
		session SessionID
	}{
		"SCCRP":  {Append(nil, SCCRP{HostName: "LNS", AssignedTunnel: 12}, AppendOptions{}), 12, 0},
		"ICRP":   {Append(nil, ICRP{AssignedSession: 34}, AppendOptions{}), 0, 34},
		"hidden": {Append(nil, ICRP{AssignedSession: 34}, hidden), 0, 0},
		"none":   {nil, 0, 0},
		"short":  {rawAVP(0x8007, 0, 9, "x"), 0, 0},
	} {
		if tunnel, session := PeekAssigned(c.payload); tunnel != c.tunnel || session != c.session {
			t.Errorf("%s: %d and %d", name, tunnel, session)
		}
	}
}

func rawAVP(flagsAndLength, vendor, attribute uint16, value string) []byte {
	return append([]byte{byte(flagsAndLength >> 8), byte(flagsAndLength), byte(vendor >> 8), byte(vendor), byte(attribute >> 8), byte(attribute)}, value...)
}

func FuzzMask(f *testing.F) {
	f.Add(Append(nil, SCCRQ{HostName: "home", AssignedTunnel: 7, Challenge: []byte("challenge")}, AppendOptions{}))
	f.Add(rawAVP(0x8016, 0, 13, maskedSecret))
	f.Add([]byte{0x80, 0x05, 0})
	f.Fuzz(func(t *testing.T, payload []byte) {
		before := bytes.Clone(payload)
		once := AppendMasked(nil, payload)
		if len(once) != len(payload) || !bytes.Equal(payload, before) {
			t.Fatalf("%d octets became %d, or the message was written to", len(payload), len(once))
		}
		if twice := AppendMasked(nil, once); !bytes.Equal(once, twice) {
			t.Fatalf("masked again %x becomes %x", once, twice)
		}
		PeekAssigned(payload)
	})
}
