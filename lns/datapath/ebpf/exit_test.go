package ebpf

import (
	"testing"

	"github.com/cilium/ebpf"

	"lnsgate/lns/datapath"
)

// What an administrator has put at the exit of a virtual template has its say about what goes to peers, as it has in user space.
func TestWhatIsAtTheExitOfATemplateHasItsSay(t *testing.T) {
	for _, byTheStack := range []bool{false, true} {
		s := streetOf(t, (&rig{byTheStack: byTheStack}).set(t), nil)
		for what, set := range map[string]func() func(){
			"a queue": func() func() { return s.told("tc qdisc add dev vt1 root pfifo limit 100", "tc qdisc del dev vt1 root") },
			"a filter of a queue": func() func() {
				s.told("tc qdisc add dev vt1 clsact", "")
				return s.told("tc filter add dev vt1 egress protocol ip u32 match u32 0 0 flowid 1:1", "tc qdisc del dev vt1 clsact")
			},
			"a program": func() func() { return s.attached("vt1", ebpf.AttachTCXEgress) },
		} {
			s.await(what+": the kernel does not carry packets", s.carries)
			remove := set()
			s.await(what+": the kernel goes on carrying packets past it", func() bool { return !s.carries() })
			remove()
			s.await(what+": the kernel does not carry packets again", s.carries)
		}
	}
}

// carries says whether the kernel takes a packet to the peer.
func (s *street) carries() bool {
	s.t.Helper()
	_, before := s.ways()
	s.crosses(datapath.Down)
	_, after := s.ways()
	return after != before
}
