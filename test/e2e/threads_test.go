package e2e

import (
	"regexp"
	"strings"
	"testing"

	"lnsgate/test/netns"
)

// onThreads is the usual table, where threads of the kernel carry what subscribers send.
var onThreads = strings.Replace(usual, "mru: 1460", "mru: 1460, queues: 2, kernel_threads: true", 1)

// refusedToTemplates reads how many virtual templates this host refuses what would make them faster, as an operator and as
// Prometheus see it.
func (s *server) refusedToTemplates() (counters, metrics string) {
	s.t.Helper()
	var shown, scraped []string
	output, code := s.command("show", "counters")
	for _, name := range []string{"tun_threads_refused", "tun_steering_refused"} {
		if m := regexp.MustCompile(name + `_now +(\d+)\n`).FindStringSubmatch(output); m != nil && code == 0 {
			shown = append(shown, m[1])
		}
		if m := regexp.MustCompile(`\nlnsgate_` + name + ` (\d+)\n`).FindStringSubmatch(s.metrics()); m != nil {
			scraped = append(scraped, m[1])
		}
	}
	return strings.Join(shown, " "), strings.Join(scraped, " ")
}

// carriesExactly sends through a session both ways, and wants the very octets in its figures.
func (w *world) carriesExactly(s *server) {
	w.t.Helper()
	w.in(w.client, "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6")
	c, up := w.online("l2tpuser", "Admin@123")
	sent := blast(w.t, w.client, w.hq, hqAddress, 300, 1000)
	received := blast(w.t, w.hq, w.client, up.Address.String(), 200, 700)
	if v := s.session("l2tpuser"); v.RxPackets != 300 || v.RxOctets != sent || v.TxPackets != 200 || v.TxOctets != received || v.Drops != 0 {
		w.t.Errorf("the session has %d packets of %d octets up and %d of %d down, and %d drops; not 300 of %d and 200 of %d",
			v.RxPackets, v.RxOctets, v.TxPackets, v.TxOctets, v.Drops, sent, received)
	}
	c.hangUp()
	s.empty()
}

func TestThreadsOfTheKernelCarryWhatSubscribersSend(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	clean := w.snapshot()
	s := w.serve(onThreads)
	if counters, metrics := s.refusedToTemplates(); counters != "0 0" || metrics != "0 0" {
		t.Errorf("refused: %q, for Prometheus %q", counters, metrics)
	}
	threaded := w.in(w.lns, "unshare", "-m", "sh", "-c", "mount -t sysfs none /sys && cat /sys/class/net/vt1/threaded")
	if strings.TrimSpace(threaded) != "1" {
		t.Errorf("threaded is %q", threaded)
	}
	w.carriesExactly(s)
	s.stop()
	checkSnapshot(t, clean, w.snapshot())
}

// A server that may do little more than networking has neither threads of the kernel nor a program that chooses queues; it says
// so, counts it, and carries the same packets.
func TestWithoutTheRightToThreadsAndSteering(t *testing.T) {
	t.Parallel()
	netns.RequireCommand(t, "setpriv")
	w := newWorld(t)
	s := w.prepare(onThreads)
	s.launch(without("-bpf,-perfmon,-sys_admin", program, "serve", "-c", s.config))
	s.says("virtual template: packets from peers get no threads of the kernel, the readers carry them through the stack themselves",
		"interface", "vt1")
	s.says("virtual template: this host takes no BPF program to choose queues, so it remembers flows itself", "interface", "vt1")
	if counters, metrics := s.refusedToTemplates(); counters != "1 1" || metrics != "1 1" {
		t.Errorf("refused: %q, for Prometheus %q", counters, metrics)
	}
	w.carriesExactly(s)
	s.stop()
}
