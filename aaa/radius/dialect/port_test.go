package dialect

import "testing"

func TestPortIDFitsAndComesBack(t *testing.T) {
	text := PortID(65535, 65534, 65533, 65532)
	if len(text) > 32 {
		t.Errorf("%q has %d octets", text, len(text))
	}
	if tunnel, session, ok := OfPortID(text); !ok || tunnel != 65535 || session != 65533 {
		t.Errorf("%q: %d %d %v", text, tunnel, session, ok)
	}
	for _, bad := range []string{"", "tun 1/2 call 3", "tun 1/2 call 3/4 ", "tun 1/2 call 3/4x", "tun 99999/2 call 3/4", "tun 01/2 call 3/4", "lo0"} {
		if _, _, ok := OfPortID(bad); ok {
			t.Errorf("%q was taken", bad)
		}
	}
	if tunnel, session := OfPort(Port(7, 9)); tunnel != 7 || session != 9 {
		t.Errorf("%d %d", tunnel, session)
	}
}
