package trace

import "testing"

// The signs are those of the clients of the list of quirks, Q-01 to Q-54.
func TestFingerprint(t *testing.T) {
	for name, c := range map[string]struct {
		signs Signs
		want  string
	}{
		"Q-01 Android": {Signs{HostName: "anonymous", Window: 1, Port: 40000, LCPOptions: []uint8{2, 5, 7, 8}}, "Android"},
		"Q-14 and Q-17 Apple": {Signs{HostName: "annas-mac", Window: 4, Port: 61234, LCPOptions: []uint8{2, 5, 7, 8}},
			"macOS or iOS"},
		"Q-26 Windows before it says more": {Signs{HostName: "PC", Vendor: "Microsoft", Firmware: 0x0a00, Window: 8, Port: 1701},
			"Windows 10 or 11"},
		"Q-26 Windows by its callback": {Signs{Window: 8, LCPOptions: []uint8{1, 5, 7, 8, 13}}, "Windows 10 or 11"},
		"Q-28 Windows by its identification": {Signs{Firmware: 0x0601, Identification: []string{"MSRASV5.20", "MSRAS-0-PC"}},
			"Windows 7"},
		"another Windows":           {Signs{Vendor: "Microsoft", Firmware: 0x0603}, "Windows 8.1"},
		"Q-39 xl2tpd":               {Signs{Vendor: "xelerance.com", Port: 1701, LCPOptions: []uint8{2, 5, 7, 8}}, "xl2tpd"},
		"pppd without a vendor":     {Signs{HostName: "pi", Port: 1701, LCPOptions: []uint8{2, 5, 7, 8}}, "strongSwan/pppd"},
		"Q-45 MikroTik":             {Signs{Vendor: "MikroTik", HostName: "branch"}, "MikroTik RouterOS"},
		"MikroTik by its host name": {Signs{HostName: "MikroTik"}, "MikroTik RouterOS"},
		"Q-50 Cisco":                {Signs{Vendor: "Cisco Systems, Inc."}, "Cisco"},
		"Q-51 Huawei":               {Signs{Vendor: "Huawei Technologies"}, "Huawei"},
		"Q-52 mpd5":                 {Signs{Vendor: "FreeBSD MPD"}, "mpd5"},
		"Q-56 Juniper":              {Signs{Vendor: "Juniper Networks", Window: 4}, "Juniper"},
		"ourselves":                 {Signs{Vendor: "lnsgate", LCPOptions: []uint8{1, 5}}, "lnsgate dial"},
		"ourselves by the name":     {Signs{HostName: "lnsgate-dial", Port: 1701}, "lnsgate dial"},
		"l2tpns":                    {Signs{Vendor: "Linux L2TPNS"}, "l2tpns"},
		"kl2tpd":                    {Signs{Vendor: "Katalix Systems Ltd."}, "OpenL2TP or kl2tpd"},
		"an unknown vendor":         {Signs{Vendor: "Acme", LCPOptions: []uint8{2, 5, 7, 8}}, ""},
		"nothing":                   {Signs{}, ""},
	} {
		if got := Fingerprint(c.signs); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
