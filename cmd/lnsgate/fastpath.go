package main

import (
	"errors"
	"fmt"

	"lnsgate/configs"
	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/ebpf"
)

// fastPath is the data path in the kernel.
type fastPath struct {
	*ebpf.DataPath     // nil: everything is carried in user space
	refused        int // virtual templates that would be carried in the kernel, if it could
}

// figures say what the kernel carries. Nobody is told of it who has not asked for it.
func (f fastPath) figures() map[string]uint64 {
	all := make(map[string]uint64)
	if f.refused > 0 {
		all["ebpf_templates"], all["ebpf_templates_refused"] = 0, uint64(f.refused)
	}
	if f.DataPath != nil {
		all["ebpf_templates"], all["ebpf_templates_refused"] = uint64(f.Templates()), 0
		all["ebpf_sessions"], all["ebpf_sessions_long_filter"] = uint64(f.Carried()), uint64(f.Unfit())
	}
	return all
}

// openFastPath puts the path in the kernel over the one in user space, for the virtual templates that ask for it.
func (n *node) openFastPath(c *configs.Config) error {
	templates, demanded := inKernel(c)
	if len(templates) == 0 {
		n.onClose(n.path.Close)
		return nil
	}
	port, err := onePort(c)
	if err == nil {
		n.fast.DataPath, err = ebpf.New(ebpf.Config{Under: n.path, Templates: templates, ByTheStack: byTheStack(c), Port: port, Log: n.log})
	}
	switch {
	case err == nil:
		n.log.Info("BPF programs in the kernel carry user packets", "interfaces", templates)
		n.onClose(n.fast.Close)
		return nil
	case demanded != "":
		return errors.Join(fmt.Errorf("virtual template %s has \"datapath: ebpf\", which is not to be had: %w", demanded, err), n.path.Close())
	}
	n.fast = fastPath{refused: len(templates)}
	n.log.Info("user space carries user packets, because BPF programs cannot", "interfaces", templates, "cause", err)
	n.onClose(n.path.Close)
	return nil
}

// carrier is the data path that the engine uses.
func (n *node) carrier() datapath.DataPath {
	if n.fast.DataPath != nil {
		return n.fast.DataPath
	}
	return n.path
}

// inKernel lists the virtual templates that ask for the path in the kernel, and one that demands it.
func inKernel(c *configs.Config) (names []string, demanded string) {
	for _, t := range c.VirtualTemplates {
		if t.DataPath != configs.DataPathTUN {
			names = append(names, t.Name)
		}
		if t.DataPath == configs.DataPathEBPF {
			demanded = t.Name
		}
	}
	return names, demanded
}

// byTheStack lists the virtual templates whose packets are all to pass the host's stack.
func byTheStack(c *configs.Config) (names []string) {
	for _, t := range c.VirtualTemplates {
		if t.Stack == configs.StackAlways {
			names = append(names, t.Name)
		}
	}
	return names
}

// carriesInKernel says that the path in the kernel is asked for, and is to be had.
func carriesInKernel(c *configs.Config) bool {
	names, _ := inKernel(c)
	return len(names) > 0 && ebpf.Probe() == nil
}

// onePort is the port on which all sockets listen: the programs know one.
func onePort(c *configs.Config) (port uint16, err error) {
	for _, address := range c.Listen {
		if port != 0 && port != address.Port() {
			return 0, fmt.Errorf("lnsgate listens on the ports %d and %d, and the programs know only one", port, address.Port())
		}
		port = address.Port()
	}
	return port, nil
}
