package e2e

import (
	"slices"
	"strings"
	"testing"

	"lnsgate/lns/l2tp"
)

// A whole life of a session passes the eyes of tshark: login, traffic, farewell.
func TestTsharkUnderstandsEveryPacket(t *testing.T) {
	secret := strings.Replace(usual, "tunnel_name: LNS",
		`tunnel_name: LNS, tunnel_authentication: true, tunnel_secret: "s3cret", hide_avps: true`, 1)
	for _, c := range []struct {
		name, config string
		options      []string
		ppp          []string // what tshark must find of PPP
	}{
		{"chap", usual, []string{"--auth", "chap"}, []string{"chap"}},
		{"pap", usual, []string{"--auth", "pap"}, []string{"pap"}},
		{"tunnel authentication and hidden AVPs", secret,
			[]string{"--auth", "mschapv2", "--tunnel-secret", "s3cret", "--hide-avps"}, []string{"chap"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := w.serve(c.config)
			wire := w.listen(w.client, "wan")
			call, _ := w.online("l2tpuser", "Admin@123", c.options...)
			w.ping(w.client, hqAddress)
			call.hangUp()
			s.empty()
			checkDecoded(t, wire, w.folder, c.ppp)
			hidden := len(tshark(t, wire.pcap(w.folder), "-Y", "l2tp.avp.hidden == 1")) > 0
			if want := strings.Contains(c.config, "hide_avps"); hidden != want {
				t.Errorf("hidden AVPs on the wire: %v, want %v", hidden, want)
			}
		})
	}
}

func checkDecoded(t *testing.T, wire *capture, folder string, methods []string) {
	t.Helper()
	file := wire.pcap(folder)
	if bad := tshark(t, file, "-Y", "_ws.malformed or _ws.expert.severity == error", "-V"); bad != nil {
		t.Errorf("tshark finds fault with:\n%s", strings.Join(bad, "\n"))
	}
	types := tshark(t, file, "-Y", "l2tp.avp.message_type", "-T", "fields", "-e", "l2tp.avp.message_type")
	// SCCRQ SCCRP SCCCN ICRQ ICRP ICCN, and at the end CDN StopCCN. ICRQ may overtake nothing, but a Hello may come between.
	if want := []string{"1", "2", "3", "10", "11", "12", "14", "4"}; !slices.Equal(types, want) {
		t.Errorf("control messages %v, want %v", types, want)
	}
	for _, protocol := range append([]string{"lcp", "ipcp", "icmp"}, methods...) {
		if tshark(t, file, "-Y", "l2tp and "+protocol) == nil {
			t.Errorf("tshark sees no %s in the tunnel", protocol)
		}
	}
}

// The two ends and tshark must agree on the wrong secret too: no tunnel, and a word about why.
func TestWrongTunnelSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(strings.Replace(usual, "tunnel_name: LNS",
		`tunnel_name: LNS, tunnel_authentication: true, tunnel_secret: "s3cret"`, 1))
	for _, options := range [][]string{{"--tunnel-secret", "other"}, nil} {
		wire := w.listen(w.client, "wan")
		end, code := w.dial(w.client, "l2tpuser", "Admin@123", options...).gone()
		if code == 0 || end.OK || end.Step != "tunnel" {
			t.Errorf("dial %v ends with code %d, %+v", options, code, end)
		}
		wire.stop()
		if slices.Contains(wire.messages(true), l2tp.TypeICRQ) {
			t.Errorf("dial %v placed a call in a tunnel that nobody authenticated", options)
		}
	}
	if len(s.sessions()) != 0 || s.logged("tunnel open") != nil {
		t.Error("a tunnel came up without the secret")
	}
}
