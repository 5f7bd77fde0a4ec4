package tun

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"lnsgate/lns/datapath"
)

func TestMergingIsGivenUpWhenTheKernelRefusesIt(t *testing.T) {
	r := newRealRig(t, Config{Offload: true})
	if !r.path.Capabilities().Offload {
		t.Error("offload is not said")
	}
	// This kernel accepts merged segments, so EINVAL is provoked by something that is no IP packet at all.
	dev := r.path.ports["vt1"].device
	nonsense := make([]byte, writeOffset+40)
	nonsense[writeOffset+atProtocol] = protocolUDP
	packets := [][]byte{nonsense, nonsense}
	err := dev.Write(0, packets)
	if packets[0] != nil || packets[1] != nil || !errors.Is(err, errMergeRefused) || !errors.Is(err, unix.EINVAL) {
		t.Errorf("left %x, %v", packets, err)
	}
	if r.path.MergeRefused() != 1 || r.path.Capabilities().Offload {
		t.Errorf("refused %d times, offload %v", r.path.MergeRefused(), r.path.Capabilities().Offload)
	}
	_, err = r.path.Add(specOf(0x101)) // 10.10.1.1
	must(t, err)
	in := r.path.Ingress()
	for range 3 { // one flow, equal lengths: these would have been merged
		in.Receive(specOf(0x101).Path, up(0x101, 100, false))
	}
	in.Flush()
	for range 3 {
		if p := r.FromPeers(); len(p) != 128 {
			t.Errorf("%d octets came out", len(p))
		}
	}
}

// Kernels before 6.9 refuse more than 64 segments in one.
func TestNoMoreThan64SegmentsAreMerged(t *testing.T) {
	r := newRealRig(t, Config{Offload: true})
	_, err := r.path.Add(specOf(0x101))
	must(t, err)
	in := r.path.Ingress()
	const burst = 100
	for range burst {
		in.Receive(specOf(0x101).Path, up(0x101, 20, false))
	}
	in.Flush()
	for octets := 0; octets < burst*20; {
		n := len(r.FromPeers()) - 28
		if n > 64*20 {
			t.Errorf("%d segments in one", n/20)
		}
		octets += n
	}
}

func TestSegmentsOfAFlowAreMerged(t *testing.T) {
	r := newRealRig(t, Config{Offload: true})
	_, err := r.path.Add(specOf(0x101))
	must(t, err)
	in := r.path.Ingress()
	for range 3 {
		in.Receive(specOf(0x101).Path, up(0x101, 100, false))
	}
	in.Flush()
	if p := r.FromPeers(); len(p) != 28+300 {
		t.Errorf("%d octets came out at once, want %d", len(p), 328)
	}
}

func TestPacketsForADeviceThatIsDownAreCounted(t *testing.T) {
	r := newRealRig(t, Config{Offload: true})
	_, err := r.path.Add(specOf(0x101))
	must(t, err)
	_, err = r.host.Run("ip", "link", "set", "vt1", "down")
	must(t, err)
	in := r.path.Ingress()
	in.Receive(specOf(0x101).Path, up(0x101, 100, false))
	in.Flush()
	if n := r.path.Drops()[datapath.InterfaceWrite.String()]; n != 1 {
		t.Errorf("counted %d times", n)
	}
}

func TestADeviceRemovedBySomebodyElseIsSaid(t *testing.T) {
	var log bytes.Buffer
	r := newRealRig(t, Config{Offload: true, Queues: 2, Log: slog.New(slog.NewTextHandler(&log, nil))})
	p := r.path.ports["vt1"]
	_, err := r.host.Run("ip", "link", "del", "vt1")
	must(t, err)
	p.queues.Wait()
	if n := strings.Count(log.String(), "cannot be read any more"); n != 1 {
		t.Errorf("said %d times: %s", n, log.String())
	}
}

func TestWritingToTheKernelAllocatesNothing(t *testing.T) {
	for name, c := range map[string]Config{"plain": {}, "offload": {Offload: true}} {
		r := newRealRig(t, c)
		in := r.path.Ingress()
		var datagrams [][]byte
		for n := 0x101; n < 0x141; n++ {
			_, err := r.path.Add(specOf(n))
			must(t, err)
			datagrams = append(datagrams, up(n, 100, false))
		}
		buffers := make([][]byte, len(datagrams))
		for i := range buffers {
			buffers[i] = make([]byte, len(datagrams[i]))
		}
		for _, batch := range []int{1, len(datagrams)} { // all of different flows
			if allocated := testing.AllocsPerRun(50, func() {
				for i := range batch {
					copy(buffers[i], datagrams[i])
					in.Receive(specOf(0x101).Path, buffers[i])
				}
				in.Flush()
			}); allocated != 0 {
				t.Errorf("%s, %d packets: %v allocations", name, batch, allocated)
			}
		}
	}
}
