package ebpf

import (
	"sync/atomic"
	"testing"

	"lnsgate/lns/datapath/datapathtest"
)

func TestContract(t *testing.T) {
	var fast atomic.Int64
	t.Run("suite", func(t *testing.T) {
		datapathtest.Run(t, func(t *testing.T) datapathtest.Rig { return newRig(t, &fast) })
		datapathtest.RunRates(t, func(t *testing.T) datapathtest.Rig { return newRig(t, &fast) })
	})
	if n := fast.Load(); n < 200 {
		t.Errorf("the kernel has carried %d packets of the suite only", n)
	}
}

func TestContractOfIPv6(t *testing.T) {
	var fast atomic.Int64
	t.Run("suite", func(t *testing.T) {
		datapathtest.RunIPv6(t, func(t *testing.T) datapathtest.Rig { return newRig(t, &fast).speakIPv6() })
	})
	if n := fast.Load(); n < 5 {
		t.Errorf("the kernel has carried %d packets of the suite only", n)
	}
}

// A session that is being added while the path closes finds no counters: they are not in this process's memory any more.
func TestThereAreNoPlacesAfterTheEnd(t *testing.T) {
	var d DataPath
	must(t, d.load())
	if _, ok := d.tables.take(); !ok {
		t.Error("there is none to begin with")
	}
	must(t, d.unload())
	if _, ok := d.tables.take(); ok {
		t.Error("there still is one")
	}
}
