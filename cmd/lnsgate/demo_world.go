package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"lnsgate/configs"
	"lnsgate/lns/host/netns"
)

// The picture. The networks are those that RFC 5737 and RFC 1918 keep free for such use; nothing of them is seen outside of
// the namespaces.
const (
	demoFolder = "/run/lnsgate-demo" // below a folder that only root may write to

	demoClientName       = "lnsgate-demo-client"
	demoLNSName          = "lnsgate-demo-lns"
	demoHeadquartersName = "lnsgate-demo-hq"

	demoClient       = "203.0.113.20"
	demoLNS          = "203.0.113.1"
	demoGateway      = "10.20.0.1"
	demoHeadquarters = "10.20.0.2"
	demoNetwork      = "10.20.0.0/24"
	demoURL          = "http://" + demoHeadquarters + "/"

	demoDevice = "vpn0"

	// The account of the smallest configuration.
	demoUser          = "l2tpuser"
	demoPassword      = "Admin@123"
	demoWrongPassword = "admin@123"
)

var demoNames = []string{demoClientName, demoLNSName, demoHeadquartersName}

// demoPossible says in a sentence what this process or this machine lacks.
func demoPossible() error {
	if missing := netns.Missing(); missing != "" {
		return fmt.Errorf("the demo builds network namespaces, which needs root (%s): run it as sudo lnsgate demo", missing)
	}
	device, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("the demo needs /dev/net/tun for its network interfaces (%w): load it with modprobe tun; "+
			"in a container, start that with --device /dev/net/tun", err)
	}
	return device.Close()
}

// demoWorld is the three machines and the folder with the files of the demo.
type demoWorld struct {
	lock                      *os.File // the folder, held as long as this demo runs
	client, lns, headquarters *netns.Namespace
	site                      *demoSite
}

// newDemoWorld makes it all, or nothing. What a killed demo left is removed first.
func newDemoWorld() (_ *demoWorld, err error) {
	w := &demoWorld{}
	if w.lock, err = lockDemoFolder(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if err := errors.Join(emptyFolder(demoFolder), removeDemoNamespaces()); err != nil {
		return nil, fmt.Errorf("remove what an earlier demo left: %w", err)
	}
	for i, machine := range []**netns.Namespace{&w.client, &w.lns, &w.headquarters} {
		if *machine, err = netns.New(demoNames[i]); err != nil {
			return nil, explainNoNamespaces(err)
		}
	}
	if err := w.connect(); err != nil {
		return nil, err
	}
	if w.site, err = openDemoSite(w.headquarters); err != nil {
		return nil, err
	}
	// The configuration goes in as it is delivered.
	return w, os.WriteFile(demoFile("lnsgate.yaml"), configs.Minimal(), 0o600)
}

func explainNoNamespaces(err error) error {
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w: this machine lets root make no network namespaces; in a container, start that with --privileged", err)
	}
	return err
}

// connect lays the cables. Headquarters sends everything to its LNS; the client knows nothing but the internet.
func (w *demoWorld) connect() error {
	for _, cable := range []struct {
		machine                           *netns.Namespace
		plug, address, socket, lnsAddress string
	}{
		{w.client, "internet", demoClient, "internet", demoLNS},
		{w.headquarters, "office", demoHeadquarters, "headquarters", demoGateway},
	} {
		if err := netns.Veth(cable.machine, cable.plug, w.lns, cable.socket); err != nil {
			return explainNoVeth(err)
		}
		err := errors.Join(cable.machine.Address(cable.plug, cable.address+"/24"), w.lns.Address(cable.socket, cable.lnsAddress+"/24"))
		if err != nil {
			return err
		}
	}
	return w.headquarters.Route("default", demoGateway)
}

func explainNoVeth(err error) error {
	if errors.Is(err, syscall.EOPNOTSUPP) {
		return fmt.Errorf("%w: this kernel has no veth interfaces; load them with modprobe veth", err)
	}
	return err
}

// demoFile is the path of a file of the demo.
func demoFile(name string) string { return filepath.Join(demoFolder, name) }

// close takes everything away. The processes in the machines must have ended.
func (w *demoWorld) close() error {
	var faults []error
	if w.site != nil {
		faults = append(faults, w.site.close())
	}
	for _, machine := range []*netns.Namespace{w.client, w.headquarters, w.lns} {
		if machine != nil {
			faults = append(faults, machine.Close())
		}
	}
	faults = append(faults, os.RemoveAll(demoFolder), w.lock.Close())
	return errors.Join(faults...)
}

// lockDemoFolder makes the folder and takes it for this process. The kernel gives it back when the process ends, in
// whatever way.
func lockDemoFolder() (*os.File, error) {
	if err := os.MkdirAll(demoFolder, 0o700); err != nil {
		return nil, err
	}
	folder, err := os.Open(demoFolder)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another lnsgate demo runs on this machine (it holds %s): end that first", demoFolder),
			folder.Close())
	}
	return folder, nil
}

func emptyFolder(folder string) error {
	entries, err := os.ReadDir(folder)
	faults := []error{err}
	for _, e := range entries {
		faults = append(faults, os.RemoveAll(filepath.Join(folder, e.Name())))
	}
	return errors.Join(faults...)
}

func removeDemoNamespaces() error {
	var faults []error
	for _, name := range demoNames {
		faults = append(faults, netns.Remove(name))
	}
	return errors.Join(faults...)
}
