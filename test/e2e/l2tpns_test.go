package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"lnsgate/test/netns"
)

// nasSecret is shared by lnsgate and the NASes that ask it.
const nasSecret = "5d8c0b7e6f1a49d3b2c4e7f8a1063d95"

// askedByL2TPNS is lnsgate as the RADIUS server of the l2tpns at the other end of the wire of headquarters.
const askedByL2TPNS = `
radius_server:
  listen: [10.20.0.2:1812]
  accounting_listen: [10.20.0.2:1813]
  clients:
    - {name: l2tpns, source: 10.20.0.1/32, secret: ` + nasSecret + `}
default_domain: sales.example
domains:
  - {name: sales.example, pools: [sales], max_account_sessions: 1, session_policy: replace, accounting_interval: 60s}
pools:
  - {name: sales, ranges: [10.10.1.10-10.10.1.250]}
users:
  - {name: anna@sales.example, password: "Anna@1234"}
  - {name: bert@sales.example, password: "Bert@1234"%s}
`

// startL2TPNS starts the l2tpns of Debian as the LNS of this world, with lnsgate at headquarters as its RADIUS server.
func (w *world) startL2TPNS() *process {
	w.t.Helper()
	netns.RequireCommand(w.t, "l2tpns")
	log := w.folder + "/l2tpns.log"
	config := w.file("l2tpns.conf", fmt.Sprintf(`set debug 3
set log_file "%s"
set pid_file "%s/l2tpns.pid"
set l2tp_secret "secret"
set bind_address %s
set iftun_address 10.10.0.1
set tundevicename l2tpns0
set primary_radius 10.20.0.2
set primary_radius_port 1812
set radius_secret "%s"
set radius_accounting yes
set radius_interim 60
set radius_authtypes "chap,pap"
set radius_dae_port 3799
set cli_bind_address 127.0.0.1
set send_garp no
set cluster_interface wan
set cluster_hb_timeout 5
`, log, w.folder, serverAddress, nasSecret))
	command := exec.Command("l2tpns", "-c", config, "-h", "l2tpns")
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // when it ends, it ends all of its group
	p := w.start(w.lns, command)
	w.t.Cleanup(func() {
		if w.t.Failed() {
			w.t.Logf("l2tpns:\n%s", w.in(w.lns, "tail", "-n", "100", log))
		}
	})
	w.in(w.lns, "sysctl", "-qw", "net.ipv4.ip_forward=1")
	eventually(w.t, "l2tpns serves: it has found no other of its cluster", func() bool {
		said, _ := os.ReadFile(log)
		return strings.Contains(string(said), "declaring myself the master")
	})
	return p
}

// An l2tpns that lnsgate does not run has its users checked, numbered, counted and ended by lnsgate.
func TestL2TPNSAsksLnsgate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.prepare(fmt.Sprintf(askedByL2TPNS, ""))
	s.in = w.hq
	s.launch(exec.Command(program, "serve", "-c", s.config))
	nas := w.startL2TPNS()

	anna := w.dial(w.client, "anna@sales.example", "Anna@1234", "--tun", "vpn0", "--route", "10.20.0.0/24")
	address := anna.up().Address
	if !netip.MustParsePrefix("10.10.1.0/24").Contains(address) {
		t.Errorf("anna has %v", address)
	}
	w.ping(w.client, hqAddress)
	bert := w.dial(w.client, "bert@sales.example", "Bert@1234")
	if other := bert.up().Address; other == address {
		t.Errorf("both have %s", other)
	}
	eventually(t, "both sessions are shown", func() bool { return len(s.sessions()) == 2 })
	if shown := s.session("anna@sales.example"); shown.NAS != "l2tpns" || shown.Address != address || shown.Pool != "sales" {
		t.Errorf("%+v", shown)
	}
	if end, code := w.dial(w.client, "bert@sales.example", "Bert@1235", "--once").gone(); code == 0 || end.Step != "authentication" {
		t.Errorf("a wrong password: %+v", end)
	}

	// A changed file reaches the NAS: bert may not any more.
	s.reload(fmt.Sprintf(askedByL2TPNS, ", disabled: true"))
	bert.gone()
	eventually(t, "bert is gone", func() bool { return len(s.sessions()) == 1 })

	// lnsgate kick ends a session of the NAS.
	if output, code := s.command("kick", "anna@sales.example"); code != 0 {
		t.Errorf("kick: %d, %s", code, output)
	}
	anna.gone()
	s.empty()
	eventually(t, "the addresses rest", func() bool { return s.pools()[0].Quarantined == 2 && s.pools()[0].Leased == 0 })
	nas.signal(syscall.SIGTERM)
	s.stop()
}
