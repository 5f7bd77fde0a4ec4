package admin

import (
	"slices"
	"testing"
	"time"

	"lnsgate/lns"
	"lnsgate/lns/negotiate"
	"lnsgate/lns/ppp"
)

// measured is a session whose peer has answered one echo after 20 ms, and not the next.
func measured() lns.SessionInfo {
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	link := negotiate.NewLCP(negotiate.LCPConfig{Magic: 7, EchoInterval: 10 * time.Second, EchoFailures: 9})
	var out negotiate.Out
	send := func(at time.Time, p ppp.Packet) { link.Receive(p.Append(nil), at, &out) }
	link.Open(start, &out)
	link.Up(start, &out)
	first, _ := ppp.ParsePacket(out.Frames[0].Packet)
	send(start, ppp.Packet{Code: ppp.ConfigureAck, Identifier: first.Identifier, Data: first.Data})
	send(start, ppp.Packet{Code: ppp.ConfigureRequest, Identifier: 1})
	for n := range 3 {
		at := link.Deadline()
		link.Advance(at, &out)
		if n == 0 {
			echo, _ := ppp.ParsePacket(out.Frames[len(out.Frames)-1].Packet)
			send(at.Add(20*time.Millisecond), ppp.Packet{Code: ppp.EchoReply, Identifier: echo.Identifier, Data: []byte{0, 0, 0, 0}})
		}
	}
	return lns.SessionInfo{Name: "1/2", Quality: link.Quality(), LoginsLastHour: 4}
}

func TestSessionTellsItsLine(t *testing.T) {
	info := measured()
	view := sessionFrom(&info, time.Now())
	if l := view.Line; view.LoginsLastHour != 4 || l == nil || l.Sent != 3 || l.Lost != 1 || l.Last != 20 || l.Smoothed != 20 || l.Shortest != 20 ||
		l.Longest != 20 || !slices.Equal(l.Recent, []float64{20, -1}) {
		t.Errorf("%+v", view.Line)
	}
	if view := sessionFrom(&lns.SessionInfo{}, time.Now()); view.Line != nil {
		t.Errorf("a line that was never asked: %+v", view.Line)
	}
}
