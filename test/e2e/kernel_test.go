package e2e

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"lnsgate/test/netns"
)

// inKernel is the usual table, carried by BPF programs.
var inKernel = strings.Replace(usual, "mru: 1460", "mru: 1460, datapath: ebpf", 1)

// wires makes packets on their way to the LNS what they are on a wire: as long as its MTU, with complete checksums.
func (w *world) wires() {
	w.t.Helper()
	must(w.t, netns.WireLike(w.client, "wan"))
	must(w.t, netns.WireLike(w.hq, "eth0"))
	must(w.t, netns.WireLike(w.lns, "wan"))
	must(w.t, netns.WireLike(w.lns, "hq"))
}

// counted reads a counter of nftables.
func (w *world) counted(name string) (packets, octets uint64) {
	w.t.Helper()
	said := w.in(w.lns, "nft", "list", "counter", "inet", "t", name)
	m := regexp.MustCompile(`packets (\d+) bytes (\d+)`).FindStringSubmatch(said)
	if m == nil {
		w.t.Fatalf("nft says %s", said)
	}
	packets, _ = strconv.ParseUint(m[1], 10, 64)
	octets, _ = strconv.ParseUint(m[2], 10, 64)
	return packets, octets
}

// Packets that BPF programs carry are seen by the rules for the virtual template, can be dropped there, and are in the records of the
// session with their very octets.
func TestPacketsCarriedInTheKernelAreSeenAndRecorded(t *testing.T) {
	t.Parallel()
	netns.RequireCommand(t, "nft")
	c := newCompany(t)
	w := newWorld(t)
	w.wires()
	s := w.serve(fmt.Sprintf("database: {url: %q}\n", c.url) + unindent(strings.Replace(inKernel, "pools: [pool1]", "accounting: [postgres], pools: [pool1]", 1)))
	s.says("BPF programs in the kernel carry user packets", "interfaces", "vt1")
	w.in(w.client, "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6")
	call, up := w.online("l2tpuser", "Admin@123")
	if templates, sessions := s.counter("ebpf_templates"), s.counter("ebpf_sessions"); templates != 1 || sessions != 1 {
		t.Errorf("the kernel carries %d sessions on %d virtual templates", sessions, templates)
	}
	w.in(w.lns, "nft", "add table inet t; add counter inet t up; add counter inet t down; "+
		"add chain inet t f { type filter hook forward priority 0; }; "+
		"add rule inet t f iifname vt1 oifname hq counter name up; add rule inet t f iifname hq oifname vt1 counter name down")

	heard, said := s.counter("udp_rx_datagrams"), s.counter("udp_tx_datagrams")
	sent := blast(t, w.client, w.hq, hqAddress, 300, 1000)
	received := blast(t, w.hq, w.client, up.Address.String(), 200, 700)
	heard, said = s.counter("udp_rx_datagrams")-heard, s.counter("udp_tx_datagrams")-said
	if heard > 100 || said > 100 {
		t.Errorf("of 300 and 200 packets %d and %d went through user space", heard, said)
	}
	if packets, octets := w.counted("up"); packets != 300 || octets != sent {
		t.Errorf("nftables has seen %d packets of %d octets up, not 300 of %d", packets, octets, sent)
	}
	if packets, octets := w.counted("down"); packets != 200 || octets != received {
		t.Errorf("nftables has seen %d packets of %d octets down, not 200 of %d", packets, octets, received)
	}
	view := s.session("l2tpuser")
	if view.RxPackets != 300 || view.RxOctets != sent || view.TxPackets != 200 || view.TxOctets != received || view.Drops != 0 {
		t.Errorf("the session has %d packets of %d octets up and %d of %d down, and %d drops",
			view.RxPackets, view.RxOctets, view.TxPackets, view.TxOctets, view.Drops)
	}
	w.in(w.lns, "nft", "add rule inet t f iifname vt1 drop")
	w.noPing(w.client, hqAddress)
	w.in(w.lns, "nft", "delete table inet t")
	w.ping(w.client, hqAddress)

	view = s.session("l2tpuser")
	call.hangUp()
	s.empty()
	c.becomes("1", `SELECT count(*) FROM accounting WHERE session = $1 AND octets_up = $2 AND octets_down = $3`,
		view.Record, view.RxOctets, view.TxOctets)
	s.stop()
}

// A server that is killed leaves no program, and the next one carries packets in the kernel as before.
func TestKilledServerLeavesNothingInTheKernel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.wires()
	clean := w.snapshot()
	config := strings.Replace(inKernel, "10.10.1.10-10.10.1.250", "10.20.0.200-10.20.0.220", 1)
	s := w.serve(config)
	c, _ := w.online("l2tpuser", "Admin@123")
	w.ping(w.client, hqAddress)
	s.signal(syscall.SIGKILL)
	s.ended()
	c.signal(syscall.SIGKILL)
	c.ended()

	s = w.serve(config)
	s.says("removed what a killed predecessor left")
	c, up := w.online("l2tpuser", "Admin@123")
	heard := s.counter("udp_rx_datagrams")
	w.ping(w.client, hqAddress)
	w.ping(w.hq, up.Address.String())
	blast(t, w.client, w.hq, hqAddress, 200, 1000)
	if heard = s.counter("udp_rx_datagrams") - heard; heard > 100 || s.counter("ebpf_sessions") != 1 {
		t.Errorf("after the restart %d of 200 packets came to user space, with %d sessions in the kernel", heard, s.counter("ebpf_sessions"))
	}
	c.hangUp()
	s.stop()
	checkSnapshot(t, clean, w.snapshot())
}

// without makes a command that lacks capabilities, and cannot get them.
func without(capabilities string, command ...string) *exec.Cmd {
	return exec.Command("setpriv", append([]string{"--inh-caps=" + capabilities, "--bounding-set=" + capabilities}, command...)...)
}

// Where the kernel lets no programs in, "ebpf" does not start and says why; "auto" starts, says so, and carries in user space.
func TestWithoutTheRightToLoadPrograms(t *testing.T) {
	t.Parallel()
	netns.RequireCommand(t, "setpriv")
	const rights = "-bpf,-perfmon,-sys_admin"
	w := newWorld(t)
	clean := w.snapshot()
	s := w.prepare(inKernel)
	p := w.start(w.lns, without(rights, program, "serve", "-c", s.config))
	code, said := p.ended(), p.err.String()
	if code == 0 || !slices.ContainsFunc(strings.Split(said, "\n"), func(line string) bool {
		return strings.HasPrefix(line, "lnsgate: ") && strings.Contains(line, `virtual template vt1 has "datapath: ebpf"`) && strings.Contains(line, "CAP_BPF")
	}) {
		t.Errorf("with \"datapath: ebpf\" the server ends with code %d and says: %s", code, said)
	}
	checkSnapshot(t, clean, w.snapshot())

	s.write(strings.Replace(inKernel, "datapath: ebpf", "datapath: auto", 1))
	s.launch(without(rights, program, "serve", "-c", s.config))
	s.says("user space carries user packets, because BPF programs cannot", "interfaces", "vt1", "cause", "CAP_BPF")
	if output, code := s.command("show", "counters"); code != 0 || !regexp.MustCompile(`ebpf_templates_refused +1\n`).MatchString(output) {
		t.Errorf("show counters: exit code %d\n%s", code, output)
	}
	c, _ := w.online("l2tpuser", "Admin@123")
	w.ping(w.client, hqAddress)
	c.hangUp()
	s.stop()
	checkSnapshot(t, clean, w.snapshot())
}
