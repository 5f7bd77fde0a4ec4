package peers_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"lnsgate/lns/quirk"
	"lnsgate/lns/trace"
	"lnsgate/test/peers"
)

// signs are what a profile shows of its maker.
func signs(p peers.Profile) trace.Signs {
	s := trace.Signs{Vendor: value(p.Start, 8), HostName: strings.TrimRight(value(p.Start, 7), "\x00"), Window: p.Window, Port: p.Port,
		Identification: p.Identify}
	if f := value(p.Start, 6); f != "" {
		s.Firmware = binary.BigEndian.Uint16([]byte(f))
	}
	if b := value(p.Start, 4); b != "" {
		s.Bearer = binary.BigEndian.Uint32([]byte(b)) != 0
	}
	if s.Port == 0 {
		s.Port = 50000
	}
	for _, o := range p.Link {
		s.LCPOptions = append(s.LCPOptions, o.Type)
		if o.Type == 1 {
			s.MRU = binary.BigEndian.Uint16(o.Value)
		}
	}
	return s
}

// What people are told that a client looks like, and what it is treated as, is what it is.
func TestTheClientsOfTheLabAreRecognised(t *testing.T) {
	for name, want := range map[string]struct {
		looks   string
		profile quirk.Profile
	}{
		"windows":    {"Windows 10 or 11", quirk.Windows},
		"macos":      {"macOS or iOS", quirk.Apple},
		"android":    {"Android", quirk.Android},
		"mikrotik":   {"MikroTik RouterOS", quirk.MikroTik},
		"xl2tpd":     {"xl2tpd", quirk.XL2TPD},
		"cisco-lac":  {"Cisco", quirk.LAC},
		"huawei-lac": {"Huawei", quirk.LAC},
		"juniper":    {"Juniper", quirk.LAC},
		"mpd5":       {"mpd5", quirk.None},
	} {
		found := false
		for _, p := range peers.All() {
			if p.Name != name {
				continue
			}
			found = true
			if got := trace.Fingerprint(signs(p)); got != want.looks {
				t.Errorf("%s looks like %q, want %q", name, got, want.looks)
			}
			if got := quirk.Recognise(signs(p)); got != want.profile {
				t.Errorf("%s is treated as %s, want %s", name, got, want.profile)
			}
		}
		if !found {
			t.Errorf("there is no %s in the lab", name)
		}
	}
}
