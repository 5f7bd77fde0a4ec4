package e2e

import (
	"strings"
	"testing"
)

// Whatever the settings and the path, octets arrive as they were sent, and few of them twice.
func TestTransferUnderEverySetting(t *testing.T) {
	replace := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(usual) }
	for _, c := range []struct {
		name, config string
		mtu          int // of the path between client and server
	}{
		{"no offload on the interface", replace("mru: 1460", "mru: 1460, offload: off"), 1500},
		{"no offload on the sockets", replace("listen:", "udp: {gso: off, gro: off}\n\tlisten:"), 1500},
		{"no offload at all", replace("mru: 1460", "mru: 1460, offload: off", "listen:", "udp: {gso: off, gro: off}\n\tlisten:"), 1500},
		{"one queue, one socket", replace("mru: 1460", "mru: 1460, queues: 1", "listen:", "udp: {sockets: 1}\n\tlisten:"), 1500},
		{"four queues, four sockets", replace("mru: 1460", "mru: 1460, queues: 4", "listen:", "udp: {sockets: 4}\n\tlisten:"), 1500},
		{"numbered data", replace("tunnel_name: LNS", "tunnel_name: LNS, data_sequencing: always"), 1500},
		{"segments left alone", replace("mru: 1460", "mru: 1460, tcp_mss: off"), 1500},
		{"a path narrower than the tunnel", usual, 1400},
		{"a path as narrow as PPPoE", usual, 1492},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			must(t, w.client.SetMTU("wan", c.mtu))
			must(t, w.lns.SetMTU("wan", c.mtu))
			s := w.serve(c.config)
			_, up := w.online("l2tpuser", "Admin@123")
			w.ping(w.client, hqAddress, "-s", "1432", "-M", "do") // the largest packet that the link promises
			w.ping(w.hq, up.Address.String(), "-s", "1432", "-M", "do")
			transfer(t, w.client, w.hq, hqAddress, 32<<20)
			transfer(t, w.hq, w.client, up.Address.String(), 32<<20)
			for _, name := range []string{"old_sequence_number", "l2tp_header_malformed", "ppp_header_malformed",
				"ip_header_malformed", "too_big", "interface_write"} {
				if n := s.counter("data_" + name); n > 0 {
					t.Errorf("%d packets dropped: %s", n, name)
				}
			}
		})
	}
}
