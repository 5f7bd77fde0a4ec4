package lns

import (
	"testing"

	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
)

// busy is a data path that sends user data until the moment it is closed.
type busy struct{ datapath.Session }

func (b busy) Close() datapath.Counters {
	for range 3 {
		b.NextNs()
	}
	return b.Session.Close()
}

// RFC 2661 section 5.4: control frames of PPP are numbered together with user data. One with a number that user data has
// had meanwhile would be dropped by the peer.
func TestRFC2661Section54ControlFramesGoOnWhereUserDataEnded(t *testing.T) {
	spec := datapathtest.Spec("vt1")
	spec.Sequencing, spec.FirstNs = true, 100
	carrier, err := datapathtest.NewFake().Add(spec)
	if err != nil {
		t.Fatal(err)
	}
	c := &call{tunnel: &tunnel{server: &Server{}}, sequenced: true, carrier: busy{carrier}}
	c.suspend()
	if ns := c.takeNs(); ns != 103 {
		t.Errorf("the next control frame has Ns %d, want 103", ns)
	}
}
