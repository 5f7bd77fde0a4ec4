package e2e

import (
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"lnsgate/lns/l2tp"
	"lnsgate/test/netns"

	"github.com/google/go-cmp/cmp"
)

// inSegment has the pool inside the headquarters' segment, which needs the most of the host: device, addresses, routes,
// proxy ARP entries and sysctls.
var inSegment = strings.Replace(usual, "10.10.1.10-10.10.1.250", "10.20.0.200-10.20.0.220", 1)

// snapshot is what the LNS's host looks like.
func (w *world) snapshot() []string {
	w.t.Helper()
	return snapshot(w.t, w.lns)
}

// snapshot is what a host looks like, without IPv6, whose link-local addresses come when they like.
func snapshot(t *testing.T, n *netns.Namespace) []string {
	t.Helper()
	var all []string
	for _, command := range []string{
		"ip -o link show | cut -d: -f2",
		"ip -4 -j -p address show",
		"ip -4 -j -p route show table all",
		"ip -j -p neigh show proxy",
		"ip -4 -j -p rule show",
		"grep -r . /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf | sort",
	} {
		output, err := n.Run("sh", "-c", command)
		must(t, err)
		all = append(all, strings.Split(string(output), "\n")...)
	}
	return all
}

func checkSnapshot(t *testing.T, clean, now []string) {
	t.Helper()
	if diff := cmp.Diff(clean, now); diff != "" {
		t.Errorf("the host is not as it was before the start:\n%s", diff)
	}
}

func TestKilledServerLeavesNothingInTheWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	clean := w.snapshot()
	s := w.serve(inSegment)
	c, _ := w.online("l2tpuser", "Admin@123")
	w.ping(w.hq, s.session("l2tpuser").Address.String())
	s.signal(syscall.SIGKILL)
	s.ended()
	c.signal(syscall.SIGKILL)
	c.ended()
	if slices.Equal(w.snapshot(), clean) {
		t.Fatal("a killed server leaves nothing behind: the test shows nothing")
	}

	s = w.serve(inSegment)
	s.says("removed what a killed predecessor left")
	if left := w.proxies(); len(left) != 0 {
		t.Errorf("proxy ARP entries of the dead server are still there: %v", left)
	}
	c, up := w.online("l2tpuser", "Admin@123")
	w.ping(w.client, hqAddress)
	w.ping(w.hq, up.Address.String())
	c.hangUp()
	s.stop()
	checkSnapshot(t, clean, w.snapshot())
}

func TestStopSaysGoodbyeAndLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	clean := w.snapshot()
	s := w.serve(inSegment)
	wire := w.listen(w.client, "wan")
	c, _ := w.online("l2tpuser", "Admin@123")
	if slices.Equal(w.snapshot(), clean) {
		t.Fatal("a running server changes nothing: the snapshot is blind")
	}
	began := time.Now()
	s.stop()
	took := time.Since(began)
	t.Logf("stopping took %s", took)
	if took > 4*time.Second {
		t.Errorf("with a peer that answers, stopping takes %s", took)
	}
	end, code := c.gone()
	if code == 0 || !end.ByServer {
		t.Errorf("dial ends with code %d, %+v", code, end)
	}
	wire.stop()
	if said := wire.messages(false); len(said) == 0 || said[len(said)-1] != l2tp.TypeStopCCN {
		t.Errorf("the server's last words are %v, not StopCCN", said)
	}
	s.says("session closed", "user", "l2tpuser", "cause", "lnsgate is stopping")
	checkSnapshot(t, clean, w.snapshot())
}

func TestStopDoesNotWaitForTheDead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(usual)
	c, _ := w.online("l2tpuser", "Admin@123")
	c.signal(syscall.SIGKILL)
	c.ended()
	began := time.Now()
	s.stop()
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("with a peer that is gone, stopping takes %s", took)
	}
}

func TestSecondServerIsSentAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(usual)
	w.online("l2tpuser", "Admin@123")
	second := w.start(w.lns, exec.Command(program, "serve", "-c", s.config))
	if code := second.ended(); code == 0 || !strings.Contains(second.err.String(), s.socket) {
		t.Errorf("a second server ends with code %d and says: %s", code, &second.err)
	}
	w.ping(w.client, hqAddress)
	if n := len(s.sessions()); n != 1 {
		t.Errorf("the first server has %d sessions", n)
	}
}

// A service manager is told when the server is ready, reloads and stops, each when it is true.
func TestServiceManagerIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := filepath.Join(w.folder, "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	must(t, err)
	defer socket.Close()
	var told transcript
	read := make(chan struct{})
	go func() {
		defer close(read)
		for b := make([]byte, 4096); ; {
			n, err := socket.Read(b)
			if err != nil {
				return
			}
			told.Write([]byte(strings.ReplaceAll(string(b[:n]), "\n", " ") + "\n"))
		}
	}()
	states := func(n int) []string {
		t.Helper()
		eventually(t, "the service manager is told the next state", func() bool { return len(told.lines()) >= n })
		var list []string
		for _, l := range told.lines() {
			word, _, _ := strings.Cut(string(l), " ") // what follows is a clock reading
			list = append(list, word)
		}
		return list
	}
	s := w.serve(usual, "NOTIFY_SOCKET="+path)
	if got := states(1); !slices.Equal(got, []string{"READY=1"}) {
		t.Errorf("after the start: %v", got)
	}
	w.online("l2tpuser", "Admin@123")
	s.signal(syscall.SIGHUP)
	if got := states(3); !slices.Equal(got, []string{"READY=1", "RELOADING=1", "READY=1"}) {
		t.Errorf("after SIGHUP: %v", got)
	}
	s.stop()
	if got := states(4); !slices.Equal(got, []string{"READY=1", "RELOADING=1", "READY=1", "STOPPING=1"}) {
		t.Errorf("after SIGTERM: %v", got)
	}
	socket.Close()
	<-read
}
