package tun

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"lnsgate/test/netns"
)

func TestOpenErrorsSayWhatToDo(t *testing.T) {
	for _, c := range []struct {
		step string
		err  error
		want string
	}{
		{stepOpen, unix.ENOENT, "modprobe tun"},
		{stepOpen, unix.ENODEV, "modprobe tun"},
		{stepOpen, unix.EACCES, "device rules"},
		{stepCreate, unix.EPERM, "CAP_NET_ADMIN"},
		{stepCreate, unix.EBUSY, "another lnsgate"},
		{stepMTU, unix.EINVAL, "set the MTU: invalid argument"},
	} {
		err := error(&OpenError{Interface: "vt1", Step: c.step, Err: c.err})
		if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "vt1") || !errors.Is(err, c.err) {
			t.Errorf("%s, %v: %v", c.step, c.err, err)
		}
	}
}

func TestInterfaceNames(t *testing.T) {
	for name, good := range map[string]bool{
		"vt1": true, "vt-1.100": true, "": false, "a23456789012345": true, "a234567890123456": false,
		"vt/1": false, "vt 1": false, "vt%d": false, "..": false, "vt:1": false,
	} {
		if err := checkName(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestOpenRefusesANameThatIsTaken(t *testing.T) {
	netns.RequireTUN(t)
	host := netns.NewTest(t)
	c := Config{Interface: "vt1", Sender: make(recorder)}
	must(t, host.Do(func() error {
		first, err := New(c)
		if err != nil {
			return err
		}
		defer first.Close()
		if err := first.Open(c); err == nil || !strings.Contains(err.Error(), "open already") {
			t.Errorf("opened twice: %v", err)
		}
		var failed *OpenError
		if _, err := New(c); !errors.As(err, &failed) || !strings.Contains(err.Error(), "another lnsgate") {
			t.Errorf("opened by another: %v", err)
		}
		if _, err := New(Config{Interface: "lo", Sender: c.Sender}); !errors.As(err, &failed) {
			t.Errorf("lo: %v", err)
		}
		return nil
	}))
}

func TestNewMakesAllOrNone(t *testing.T) {
	netns.RequireTUN(t)
	host := netns.NewTest(t)
	good := Config{Interface: "vt1", Sender: make(recorder)}
	for name, bad := range map[string]Config{
		"name":   {Interface: "vt/2", Sender: good.Sender},
		"sender": {Interface: "vt2"},
		"mtu":    {Interface: "vt2", Sender: good.Sender, MTU: 1 << 20},
	} {
		if err := host.Do(func() error { _, err := New(good, bad); return err }); err == nil {
			t.Errorf("%s: no error", name)
		}
		if host.HasLink("vt1") || host.HasLink("vt2") {
			t.Errorf("%s: a device was left", name)
		}
	}
}

func TestOpenWithoutTheCapability(t *testing.T) {
	netns.RequireTUN(t)
	host := netns.NewTest(t)
	err := host.Do(func() error { // on a thread that ends afterwards
		runtime.LockOSThread()
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		if err := unix.Capget(&header, &data[0]); err != nil {
			return err
		}
		data[0].Effective &^= 1 << unix.CAP_NET_ADMIN
		if err := unix.Capset(&header, &data[0]); err != nil {
			return err
		}
		_, err := New(Config{Interface: "vt1", Sender: make(recorder)})
		return err
	})
	if !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "CAP_NET_ADMIN") {
		t.Errorf("got %v", err)
	}
}
