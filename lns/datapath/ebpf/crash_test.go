package ebpf

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"lnsgate/lns/datapath/tun"
	"lnsgate/test/netns"
)

// A child of this test binary takes the part of a server that is killed.
const childVariable = "LNSGATE_TEST_EBPF_CHILD"

func TestMain(m *testing.M) {
	template := os.Getenv(childVariable)
	if template == "" {
		os.Exit(m.Run())
	}
	fmt.Println(serveAsChild(template))
	select {}
}

// serveAsChild opens the data path for a virtual template and tells the number of one of its maps.
func serveAsChild(template string) string {
	under, err := tun.New(tun.Config{Interface: template, Sender: wireSender{}})
	if err != nil {
		return err.Error()
	}
	path, err := New(Config{Under: under, Templates: []string{template}, Port: 1701})
	if err != nil {
		return err.Error()
	}
	info, err := path.objects.Sessions.Info()
	if err != nil {
		return err.Error()
	}
	id, _ := info.ID()
	return fmt.Sprint("map ", id)
}

func TestNothingIsLeftBehindByAKill(t *testing.T) {
	netns.RequireTUN(t)
	host, peer := netns.NewTest(t), netns.NewTest(t)
	must(t, netns.Veth(host, "wan", peer, "wan"))
	child, line := startChild(t, host)
	var id ebpf.MapID
	if _, err := fmt.Sscanf(line, "map %d", &id); err != nil {
		t.Fatalf("the child says %q", line)
	}
	if !exists(id) {
		t.Error("the child has no map")
	}
	if n := attached(t, host, "wan"); n != 1 {
		t.Errorf("%d programs are attached while it runs", n)
	}
	must(t, child.Process.Kill())
	_ = child.Wait()
	for end := time.Now().Add(patience); attached(t, host, "wan") > 0 || host.HasLink("vt1") || exists(id); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("a program, a map or the virtual template is still there")
		}
	}
}

// startChild returns what the child says when it has opened the data path.
func startChild(t *testing.T, host *netns.Namespace) (*exec.Cmd, string) {
	return startChildOn(t, host, "vt1")
}

// startChildOn does so with a virtual template of that name.
func startChildOn(t *testing.T, host *netns.Namespace, template string) (*exec.Cmd, string) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childVariable+"="+template)
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, host.Start(child))
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	return child, line
}

func exists(id ebpf.MapID) bool {
	m, err := ebpf.NewMapFromID(id)
	if err != nil {
		return false
	}
	m.Close()
	return true
}

// attached counts what is attached to the entrance of an interface.
func attached(t *testing.T, n *netns.Namespace, name string) (count int) {
	t.Helper()
	must(t, n.Do(func() error {
		i, err := net.InterfaceByName(name)
		if err != nil {
			return err
		}
		r, err := link.QueryPrograms(link.QueryOptions{Target: i.Index, Attach: ebpf.AttachTCXIngress})
		if err != nil {
			return err
		}
		count = len(r.Programs)
		return nil
	}))
	return count
}
