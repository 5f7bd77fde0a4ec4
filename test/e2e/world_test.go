package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"lnsgate/test/netns"
)

// Addresses of the usual world.
const (
	clientAddress = "192.0.2.2"
	serverAddress = "192.0.2.1"
	server6       = "fd00::1"
	hqAddress     = "10.20.0.2"
)

// world is the picture of a client-initiated VPN:
//
//	client wan 192.0.2.2, fd00::2 --- wan 192.0.2.1, fd00::1 lns hq 10.20.0.1 --- eth0 10.20.0.2 headquarters
//
// Headquarters has a route to the pools 10.10.0.0/16 through the LNS.
type world struct {
	t               *testing.T
	client, lns, hq *netns.Namespace
	folder          string // files of this test; short, because unix sockets have short names
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := newBareWorld(t)
	must(t, netns.Veth(w.client, "wan", w.lns, "wan"))
	must(t, w.client.Address("wan", clientAddress+"/24"))
	must(t, w.client.Address("wan", "fd00::2/64"))
	must(t, w.lns.Address("wan", serverAddress+"/24"))
	must(t, w.lns.Address("wan", server6+"/64"))
	return w
}

// newBareWorld leaves out the wire between client and LNS.
func newBareWorld(t *testing.T) *world {
	t.Helper()
	netns.RequireTUN(t)
	for _, name := range []string{"ip", "ping"} {
		netns.RequireCommand(t, name)
	}
	folder, err := os.MkdirTemp("", "e2e")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	w := &world{t: t, client: netns.NewTest(t), lns: netns.NewTest(t), hq: netns.NewTest(t), folder: folder}
	must(t, netns.Veth(w.lns, "hq", w.hq, "eth0"))
	must(t, w.lns.Address("hq", "10.20.0.1/24"))
	must(t, w.hq.Address("eth0", hqAddress+"/24"))
	must(t, w.hq.Route("10.10.0.0/16", "10.20.0.1"))
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// file writes a file of this test and returns its path.
func (w *world) file(name, text string) string {
	w.t.Helper()
	path := filepath.Join(w.folder, name)
	must(w.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// in runs a command inside a namespace and returns what it printed.
func (w *world) in(n *netns.Namespace, name string, args ...string) string {
	w.t.Helper()
	output, err := n.Run(name, args...)
	must(w.t, err)
	return string(output)
}

// ping sends five packets and wants an answer to each of them. On a busy machine an answer may take its time, and more
// packets are sent meanwhile: it returns how many.
func (w *world) ping(from *netns.Namespace, to string, options ...string) (sent int) {
	w.t.Helper()
	if strings.Contains(to, ":") {
		eventually(w.t, "the neighbours on the way to "+to+" know each other by IPv6", func() bool {
			_, _, output := w.tryPing(from, to, append(options, "-c", "1", "-w", "1")...)
			return strings.Contains(output, "icmp_seq=1 ttl")
		})
	}
	sent, _, output := w.tryPing(from, to, append(options, "-w", "10")...)
	wantAnswers(w.t, 5, output)
	return sent
}

// wantAnswers looks for the answers to so many packets in what ping has printed.
func wantAnswers(t *testing.T, count int, output string) {
	t.Helper()
	for n := 1; n <= count; n++ {
		if !strings.Contains(output, fmt.Sprintf("icmp_seq=%d ttl", n)) {
			t.Fatalf("ping number %d is not answered:\n%s", n, output)
		}
	}
}

// noPing sends five packets and wants no answer.
func (w *world) noPing(from *netns.Namespace, to string, options ...string) {
	w.t.Helper()
	if sent, received, output := w.tryPing(from, to, append(options, "-W", "1")...); sent == 0 || received != 0 {
		w.t.Fatalf("ping %s: %d of %d answered, but none should be:\n%s", to, received, sent, output)
	}
}

// tryPing sends five packets. Option -w S goes on until five answers are there or the time is over; with -W S ping waits
// that long if there is no answer at all, and else for two round trips.
func (w *world) tryPing(from *netns.Namespace, to string, options ...string) (sent, received int, output string) {
	w.t.Helper()
	args := append([]string{"-n", "-c", "5", "-i", "0.05"}, options...)
	printed, err := from.Run("ping", append(args, to)...)
	return readPing(string(printed) + fmt.Sprint(err))
}

var pingSummary = regexp.MustCompile(`(\d+) packets transmitted, (\d+) received`)

func readPing(output string) (sent, received int, all string) {
	found := pingSummary.FindStringSubmatch(output)
	if found == nil {
		return 0, 0, output
	}
	sent, _ = strconv.Atoi(found[1])
	received, _ = strconv.Atoi(found[2])
	return sent, received, output
}

// unindent takes the margin off a YAML text, so that tests may write it at the depth of their code.
func unindent(text string) string {
	lines := strings.Split(strings.Trim(text, "\n"), "\n")
	margin := len(lines[0]) - len(strings.TrimLeft(lines[0], "\t"))
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, strings.Repeat("\t", margin))
	}
	return strings.Join(lines, "\n") + "\n"
}
