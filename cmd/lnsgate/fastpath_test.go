package main

import (
	"net/netip"
	"strings"
	"testing"

	"lnsgate/configs"
)

func TestVirtualTemplatesSayWhereTheyAreCarried(t *testing.T) {
	c := &configs.Config{VirtualTemplates: []configs.VirtualTemplate{
		{Name: "vt1"}, {Name: "vt2", DataPath: configs.DataPathAuto},
		{Name: "vt3", DataPath: configs.DataPathEBPF, Stack: configs.StackAlways},
	}}
	names, demanded := inKernel(c)
	if strings.Join(names, " ") != "vt2 vt3" || demanded != "vt3" {
		t.Errorf("%v in the kernel, %q demands it", names, demanded)
	}
	if names := byTheStack(c); strings.Join(names, " ") != "vt3" {
		t.Errorf("%v pass the stack", names)
	}
	if carriesInKernel(&configs.Config{VirtualTemplates: c.VirtualTemplates[:1]}) {
		t.Error("what nobody asks for is loaded")
	}
}

func TestTheKernelKnowsOnePort(t *testing.T) {
	c := &configs.Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:1701"), netip.MustParseAddrPort("[::]:1701")}}
	if port, err := onePort(c); port != 1701 || err != nil {
		t.Errorf("%d, %v", port, err)
	}
	c.Listen = append(c.Listen, netip.MustParseAddrPort("192.0.2.1:1702"))
	if _, err := onePort(c); err == nil || !strings.Contains(err.Error(), "1702") {
		t.Errorf("two ports: %v", err)
	}
}
