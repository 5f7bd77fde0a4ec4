package lns_test

import (
	"testing"
	"time"

	"lnsgate/lns"
	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/ppp"
	"lnsgate/test/simnet"
)

// watchedSender sends, and remembers how many sessions the data path had when an IPCP Configure-Ack went out.
type watchedSender struct {
	datapath.Sender
	path datapathSpecs
	open []int
}

type datapathSpecs interface{ Specs() []datapath.Spec }

func (s *watchedSender) Send(to datapath.Path, datagram []byte) error {
	if _, payload, err := l2tp.ParseHeader(datagram); err == nil && !l2tp.IsControl(datagram) {
		protocol, b, err := ppp.ParseFrame(payload)
		if p, bad := ppp.ParsePacket(b); err == nil && bad == nil && protocol == ppp.IPCP && p.Code == ppp.ConfigureAck {
			s.open = append(s.open, len(s.path.Specs()))
		}
	}
	return s.Sender.Send(to, datagram)
}

// A fast client sends its first packet right behind our Configure-Ack: it was lost as long as the Ack went out first.
func TestTheDataPathIsOpenBeforeThePeerMaySend(t *testing.T) {
	var sent *watchedSender
	watch := func(_ *lns.Config, d *lns.Deps) {
		sent = &watchedSender{Sender: d.Sender, path: d.DataPath.(datapathSpecs)}
		d.Sender = sent
	}
	runWith(t, simnet.Config{Latency: 5 * time.Millisecond}, watch, func(r *rig) {
		r.wantUp(r.dial(1, "l2tpuser", "Admin@123"), time.Second)
		if n := len(sent.open); n == 0 || sent.open[n-1] != 1 {
			t.Errorf("sessions in the data path at each Configure-Ack of ours: %v, want 1 at the last", sent.open)
		}
	})
}
