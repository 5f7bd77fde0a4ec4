package host

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"lnsgate/test/netns"
)

// victimState makes this test binary the process that is going to be killed; its value is the state directory.
const victimState = "LNSGATE_TEST_VICTIM"

// squatter makes this test binary a process that takes the name of the claim.
const squatter = "LNSGATE_TEST_SQUATTER"

func TestMain(m *testing.M) {
	if state := os.Getenv(victimState); state != "" {
		err := victim(state)
		fmt.Println("ready", err)
		select {}
	}
	if os.Getenv(squatter) != "" {
		if _, err := net.Listen("unix", claimName); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("taken")
		select {}
	}
	os.Exit(m.Run())
}

// victim does to the host what a serving process does.
func victim(state string) error {
	h, err := New(Config{StateDir: state})
	if err != nil {
		return err
	}
	if _, err := h.CleanUp("vt1"); err != nil {
		return err
	}
	attributes := netlink.NewLinkAttrs()
	attributes.Name = "vt1"
	tun := &netlink.Tuntap{LinkAttrs: attributes, Mode: netlink.TUNTAP_MODE_TUN, NonPersist: true, Queues: 1}
	links, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	if err := links.LinkAdd(tun); err != nil {
		return err
	}
	proxy, err := h.NewProxy("hq0")
	if err != nil {
		return err
	}
	return errors.Join(h.EnableForwarding(),
		h.Configure(VirtualTemplate{Name: "vt1", Address: netip.MustParsePrefix("10.10.0.1/32"), Routes: prefixes("192.168.1.128/25")}),
		proxy.AddProxy(netip.MustParseAddr("192.168.1.130")),
		h.AddRoutes("vt1", []Route{{Prefix: netip.MustParsePrefix("10.20.5.0/24")}, {Prefix: netip.MustParsePrefix("10.20.6.0/24"), Metric: 7}}))
}

func TestNothingIsLeftAfterAKillAndARestart(t *testing.T) {
	netns.RequireTUN(t)
	netns.RequireCommand(t, "ip")
	gateway, segment := netns.NewTest(t), netns.NewTest(t)
	must(t, netns.Veth(gateway, "hq0", segment, "eth0"))
	must(t, gateway.Address("hq0", "192.168.1.1/24"))
	before, state := snapshot(t, gateway), t.TempDir()

	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), victimState+"="+state)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	must(t, err)
	must(t, gateway.Start(command))
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "ready <nil>\n" {
		t.Errorf("the victim said %q, %v", line, err)
	}
	if during := snapshot(t, gateway); during == before {
		t.Error("the victim changed nothing")
	}
	next := newHost(t, gateway, state)
	clean := func() error { _, err := next.CleanUp("vt1"); return err }
	if err := gateway.Do(clean); !errors.Is(err, ErrRunning) {
		t.Errorf("while it was running: %v", err)
	}
	must(t, command.Process.Kill())
	_ = command.Wait() // says that it was killed
	must(t, gateway.Do(clean))
	if after := snapshot(t, gateway); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}
