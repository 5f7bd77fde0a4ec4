package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"lnsgate/lns/admin"
	"lnsgate/test/netns"
	"lnsgate/test/radtest"
)

// lacSecret is shared by lnsgate and the l2tpns that is a LAC in front of it.
const lacSecret = "0c4f1b7a9e2d4c63"

// forwarding has l2tpns hand the calls of a domain to the lnsgate at headquarters by its own file, without RADIUS.
const forwarding = `setforward "@far.example" ` + hqAddress + ` 1701 "` + lacSecret + `"`

// forwardedByRADIUS is the same of FreeRADIUS (RFC 2868). It lets everybody through: the password is a matter of the LNS.
const forwardedByRADIUS = `DEFAULT Auth-Type := Accept
	Tunnel-Type:1 = L2TP,
	Tunnel-Medium-Type:1 = IPv4,
	Tunnel-Server-Endpoint:1 = "` + hqAddress + `",
	Tunnel-Password:1 = "` + lacSecret + `",
	Tunnel-Assignment-Id:1 = "lnsgate"
`

// startLAC starts the l2tpns of Debian as a LAC where the LNS of this world would be. It speaks LCP with who calls, asks for
// a name, and hands over the call of whom it does not know itself. What it cannot do, as of 2.4.1:
//   - it tells its LNS nothing of what it has heard: neither proxy AVPs nor numbers, nor Bearer Capabilities;
//   - it asks for the name by PAP or CHAP alone, so that nobody gets as far as the LNS who wants MS-CHAPv2 or EAP;
//   - it gives up a call for which there is no tunnel yet: the caller must say his name again, which CHAP brings about within
//     a second (it challenges anew), and PAP when the caller repeats himself;
//   - it answers our challenge with its one l2tp_secret, and not with that of the LNS, so that both must be the same;
//   - it has no tunnel to an LNS without the secret: an SCCRP that has no Challenge Response is not answered.
//
// Its load generator (test/generateload.c, and test/bounce.c, which only answers packets) is in its source and in no package of
// Debian's; it sends M clear in all AVPs, and calls with PAP over one tunnel, as test/bench does.
func (w *world) startLAC(authentication, more string) *process {
	w.t.Helper()
	netns.RequireCommand(w.t, "l2tpns")
	log := w.folder + "/l2tpns.log"
	config := w.file("l2tpns.conf", fmt.Sprintf(`set debug 3
set log_file "%s"
set pid_file "%s/l2tpns.pid"
set l2tp_secret "%s"
set bind_address %s
set iftun_address 10.30.0.1
set tundevicename l2tpns0
set radius_accounting no
set radius_authtypes "%s"
set cli_bind_address 127.0.0.1
set send_garp no
set cluster_interface wan
set cluster_hb_timeout 5
%s
`, log, w.folder, lacSecret, serverAddress, authentication, more))
	command := exec.Command("l2tpns", "-c", config, "-h", "l2tpns")
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // when it ends, it ends all of its group
	p := w.start(w.lns, command)
	w.t.Cleanup(func() {
		if w.t.Failed() {
			w.t.Logf("l2tpns:\n%s", w.in(w.lns, "tail", "-n", "200", log))
		}
	})
	eventually(w.t, "l2tpns serves: it has found no other of its cluster", func() bool {
		said, _ := os.ReadFile(log)
		return strings.Contains(string(said), "declaring myself the master")
	})
	return p
}

// behindLAC is lnsgate at headquarters: whoever calls through the LAC is checked by it alone.
const behindLAC = `
	listen: [10.20.0.2:1701]
	virtual_templates:
	  - {name: vt1, address: 10.10.0.1/32, mru: 1400, ppp_authentication: [%s]}
	l2tp_groups:
	  - {name: lac, tunnel_names: [l2tpns], virtual_template: vt1, tunnel_name: LNS, tunnel_authentication: true, tunnel_secret: ` + lacSecret + `}
	default_domain: far.example
	domains:
	  - {name: far.example, authentication: [local], pools: [far], dns: [10.20.0.9]}
	pools:
	  - {name: far, ranges: [10.10.1.10-10.10.1.250]}
	users:
	  - {name: anna@far.example, password: "Anna@1234"}
	  - {name: bert@far.example, password: "Bert@1234"}
	`

func (w *world) serveBehindLAC(method string) *server {
	w.t.Helper()
	s := w.prepare(fmt.Sprintf(behindLAC, method))
	s.in = w.hq
	s.launch(exec.Command(program, "serve", "-c", s.config))
	return s
}

// People who call an l2tpns, which knows none of them, log in at the lnsgate behind it, have addresses of its pool, and reach
// it: LCP is negotiated twice, and they do not mind.
func TestL2TPNSIsALACOfLnsgate(t *testing.T) {
	for _, method := range []string{"chap", "pap"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := w.serveBehindLAC(method)
			lac := w.startLAC(method, w.handOver(method))
			wire := w.listen(w.lns, "hq")

			anna := w.dial(w.client, "anna@far.example", "Anna@1234", "--auth", method, "--tun", "vpn0", "--route", "10.10.0.0/24")
			up := anna.up()
			if !netip.MustParsePrefix("10.10.1.0/24").Contains(up.Address) || up.Peer.String() != "10.10.0.1" || len(up.DNS) != 1 {
				t.Errorf("anna has %+v", up)
			}
			w.ping(w.client, "10.10.0.1", "-s", "1000")
			bert := w.dial(w.client, "bert@far.example", "Bert@1234", "--auth", method)
			bert.up()
			checkLAC(t, s, method)

			if end, code := w.dial(w.client, "bert@far.example", "Bert@1235", "--auth", method, "--once").gone(); code == 0 || end.Step != "authentication" {
				t.Errorf("a wrong password: %+v", end)
			}
			s.says("session not opened", "user", "bert@far.example", "host", "l2tpns")
			if output, code := s.command("kick", "bert@far.example"); code != 0 {
				t.Errorf("kick: %d, %s", code, output)
			}
			bert.gone() // l2tpns has passed on that the call is over
			anna.hangUp()
			eventually(t, "l2tpns has passed on that anna hung up", func() bool { return len(s.sessions()) == 0 })

			lac.signal(syscall.SIGQUIT) // it says goodbye to its LNS too
			s.empty()
			s.stop()
			checkLACsWire(t, wire, w.folder)
		})
	}
}

// handOver is the setting by which l2tpns hands over all calls: its own for CHAP, and FreeRADIUS's for PAP.
func (w *world) handOver(method string) string {
	if method == "chap" {
		return forwarding
	}
	radius := radtest.Start(w.t, radtest.Options{Users: forwardedByRADIUS, Namespace: w.lns})
	return fmt.Sprintf("set primary_radius %s\nset primary_radius_port %d\nset radius_secret \"%s\"",
		radius.Auth().Addr(), radius.Auth().Port(), radius.Secret())
}

// checkLAC looks at what the LNS knows of its LAC and of who came through it.
func checkLAC(t *testing.T, s *server, method string) {
	t.Helper()
	open := s.tunnels()
	open = slices.DeleteFunc(open, func(t admin.Tunnel) bool { return t.State != "established" })
	if len(open) != 1 || open[0].RemoteName != "l2tpns" || open[0].Sessions != 2 {
		t.Errorf("the tunnels are %+v, not one with two sessions", open)
	}
	if anna := s.session("anna@far.example"); anna.Method != method || anna.RxPackets < 5 || anna.TxPackets < 5 {
		t.Errorf("anna is shown as %+v", anna)
	}
}

// checkLACsWire wants each message between the two understood, by tshark and by them: nothing of it was said again and again,
// and nobody ended the tunnel but in peace.
func checkLACsWire(t *testing.T, wire *capture, folder string) {
	t.Helper()
	file := wire.pcap(folder)
	if bad := tshark(t, file, "-Y", "_ws.malformed or _ws.expert.severity == error", "-V"); bad != nil {
		t.Errorf("tshark finds fault with:\n%s", strings.Join(bad, "\n"))
	}
	types := tshark(t, file, "-Y", "l2tp.avp.message_type", "-T", "fields", "-e", "l2tp.avp.message_type")
	if start := []string{"1", "2", "3", "10", "11", "12", "10", "11", "12"}; len(types) < len(start) || !slices.Equal(types[:len(start)], start) {
		t.Errorf("the control messages are %v, and not at first %v", types, start)
	}
	if stops := tshark(t, file, "-Y", "l2tp.avp.message_type == 4", "-T", "fields", "-e", "l2tp.result_code"); len(stops) > 1 {
		t.Errorf("the tunnel was ended by %q", stops)
	}
}
