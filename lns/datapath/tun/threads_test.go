package tun

import (
	"testing"

	"lnsgate/lns/datapath/datapathtest"
)

// What peers send goes the same way with threads, only later.
func TestContractWithThreads(t *testing.T) {
	datapathtest.Run(t, func(t *testing.T) datapathtest.Rig {
		return newRealRig(t, Config{Offload: true, Queues: 2, Threads: true})
	})
}
