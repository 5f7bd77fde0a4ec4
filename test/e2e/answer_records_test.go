package e2e

import (
	"crypto/md5"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// crowd is what a NAS tells of many sessions: of each a Start, two Interims and a Stop, but of every eighth no Stop. Every fourth
// session has logged in here and sends its Class, the others are known by their names alone.
type crowd struct {
	sessions int
	began    time.Time
	classes  [][]byte // of each session, nil without
}

const (
	crowdSteps  = 4
	crowdWindow = 100 // sessions whose records come in any order
)

// recordsOfACrowd is how many there are, those that come twice included. LNSGATE_TEST_RECORDS says otherwise.
func recordsOfACrowd() int {
	if n, err := strconv.Atoi(os.Getenv("LNSGATE_TEST_RECORDS")); err == nil {
		return n
	}
	return 20_000
}

// hasStop says whether the session ends.
func (*crowd) hasStop(session int) bool { return session%8 != 5 }

// counts are the octets up and down of a session, and the packets.
func (*crowd) counts(session, step int) (up, down uint64, packets uint32) {
	return uint64(step) * uint64(session%5) << 31, uint64(step*session + step), uint32(step * (session%100 + 1))
}

// order is what is sent: session*crowdSteps+step, in any order within a window, and one of twenty twice, the second time up to a window later.
func (c *crowd) order() []int {
	var all, late []int
	chance := rand.New(rand.NewPCG(5, 20))
	for first := 0; first < c.sessions; first += crowdWindow {
		window := late
		late = nil
		for n := first * crowdSteps; n < min(first+crowdWindow, c.sessions)*crowdSteps; n++ {
			if n%crowdSteps == crowdSteps-1 && !c.hasStop(n/crowdSteps) {
				continue
			}
			window = append(window, n)
			if chance.IntN(20) == 0 {
				late = append(late, n)
			}
		}
		chance.Shuffle(len(window), func(i, j int) { window[i], window[j] = window[j], window[i] })
		all = append(all, window...)
	}
	return append(all, late...)
}

func (*crowd) user(session int) string {
	kind := map[bool]string{true: "in", false: "out"}[session%4 == 0]
	return fmt.Sprintf("%s%d@sales.example", kind, session%100)
}

// record is one of a session.
func (c *crowd) record(n int) []attribute {
	const (
		inOctets, outOctets, sessionTime, inPackets, outPackets, inGigawords, outGigawords, eventTimestamp = 42, 43, 46, 47, 48, 52, 53, 55
		minute                                                                                             = 60
	)
	session, step := n/crowdSteps, n%crowdSteps
	up, down, packets := c.counts(session, step)
	attributes := []attribute{
		number(statusType, [crowdSteps]uint32{statusStart, statusInterim, statusInterim, statusStop}[step]), text(userName, c.user(session)),
		text(sessionID, fmt.Sprintf("%08X", session)), {framedAddress, []byte{100, 64 + byte(session>>16), byte(session >> 8), byte(session)}},
		number(eventTimestamp, uint32(c.began.Unix())+uint32(step)*minute),
	}
	if c.classes[session] != nil {
		attributes = append(attributes, attribute{classKind, c.classes[session]})
	}
	if step == 0 {
		return attributes
	}
	return append(attributes, number(sessionTime, uint32(step)*minute), number(inOctets, uint32(up)), number(inGigawords, uint32(up>>32)),
		number(outOctets, uint32(down)), number(outGigawords, uint32(down>>32)), number(inPackets, packets), number(outPackets, packets+1))
}

// sums is what SQL has to say of it all.
func (c *crowd) sums() string {
	var up, down, packets, ended uint64
	for session := range c.sessions {
		step := crowdSteps - 2
		if c.hasStop(session) {
			step, ended = crowdSteps-1, ended+1
		}
		u, d, p := c.counts(session, step)
		up, down, packets = up+u, down+d, packets+2*uint64(p)+1
	}
	return fmt.Sprintf("%d rows, %d ended, %d live, %d up, %d down, %d packets", c.sessions, ended, uint64(c.sessions)-ended, up, down, packets)
}

const sumsInSQL = `SELECT format('%s rows, %s ended, %s live, %s up, %s down, %s packets', count(*), count(stopped_at), (SELECT count(*) FROM sessions),
	sum(octets_up), sum(octets_down), sum(packets_up + packets_down)) FROM accounting`

// persistent is a socket of a NAS that tells one thing after the other, each until it is confirmed.
type persistent struct {
	*router
	to       *net.UDPAddr
	conn     *net.UDPConn
	repeated int
}

// persistent makes one. It hears nothing of a port that nobody listens on.
func (w *world) persistent(address string, port int) *persistent {
	w.t.Helper()
	p := &persistent{router: &router{t: w.t, secret: nasSecret}, to: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}}
	must(w.t, w.hq.Do(func() (err error) {
		p.conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(address)})
		return err
	}))
	w.t.Cleanup(func() { p.conn.Close() })
	return p
}

// tells sends a request, the same octets each second, until there is an answer that is signed; nil when there is none for minutes.
func (p *persistent) tells(request []byte) *packet {
	reply := make([]byte, 4096)
	for range 120 {
		if _, err := p.conn.WriteToUDP(request, p.to); err != nil {
			return nil
		}
		p.conn.SetReadDeadline(time.Now().Add(time.Second))
		for {
			n, err := p.conn.Read(reply)
			if err != nil {
				break
			}
			signed := append(append(append([]byte{}, reply[:4]...), request[4:20]...), reply[20:n]...)
			if reply[1] == request[1] && md5.Sum(append(signed, p.secret...)) == [16]byte(reply[4:20]) {
				return readPacket(reply[:n])
			}
		}
		p.repeated++
	}
	return nil
}

// sideBySide has each socket do what there is from 0 to n, until all is done.
func sideBySide(n int, sockets []*persistent, do func(p *persistent, i int)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for _, p := range sockets {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(p, i)
			}
		})
	}
	wait.Wait()
}

// Records come over UDP in any order and some of them twice, lnsgate is killed with -9 twice meanwhile, and the NAS repeats what is not
// confirmed: SQL has each session once, with the figures of its last record.
func TestRecordsOverUDPAddUp(t *testing.T) {
	t.Parallel()
	c := newCompany(t, `INSERT INTO domains (name) VALUES ('sales.example');
		INSERT INTO accounts (name, password) SELECT 'in' || n || '@sales.example', 'In@12345' FROM generate_series(0, 99) n;
		INSERT INTO accounts (name, password) SELECT 'out' || n || '@sales.example', 'In@12345' FROM generate_series(0, 99) n;
		INSERT INTO nas (name, source, secret, addresses) VALUES ('router1', '127.0.0.2', '`+nasSecret+`', 'none')`)
	w := newOffice(t)
	s := w.answer(c.inOffice("hq", "127.0.0.1", ""))
	all := recordsOfACrowd()
	people := &crowd{sessions: all * 100 / 407, began: time.Now().Add(-time.Hour)} // 4 records less an eighth, and 5 % twice
	people.classes = make([][]byte, people.sessions)

	var telling sync.WaitGroup
	t.Cleanup(telling.Wait) // when the sockets are closed
	access, books := make([]*persistent, 64), make([]*persistent, 64)
	for i := range access {
		access[i], books[i] = w.persistent("127.0.0.2", 1812), w.persistent("127.0.0.2", 1813)
	}
	sideBySide(people.sessions, access, func(p *persistent, session int) {
		if session%4 != 0 {
			return
		}
		reply := p.tells(p.login(people.user(session), "In@12345", text(sessionID, fmt.Sprintf("%08X", session))))
		if reply == nil || reply.code != accessAccept {
			t.Errorf("session %d is not let in: %+v", session, reply)
			return
		}
		people.classes[session] = reply.get(classKind)
	})
	if t.Failed() {
		t.FailNow()
	}

	order, began := people.order(), time.Now()
	var confirmed atomic.Int64
	telling.Go(func() {
		sideBySide(len(order), books, func(p *persistent, i int) {
			if t.Failed() {
				return
			}
			if reply := p.tells(p.request(accountingRequest, false, people.record(order[i])...)); reply == nil || reply.code != accountingResponse {
				t.Errorf("record %d is never confirmed", i)
			}
			confirmed.Add(1)
		})
	})
	for _, part := range []int{1, 2} {
		within(t, time.Hour, "the next third is confirmed", func() bool { return int(confirmed.Load()) >= len(order)*part/3 })
		s.signal(syscall.SIGKILL)
		s.ended()
		s.again()
	}
	telling.Wait()
	took, repeated := time.Since(began), 0
	for _, p := range books {
		repeated += p.repeated
	}
	want, got := people.sums(), ""
	if !poll(3*patience, func() bool { got = c.value(sumsInSQL); return got == want }) {
		t.Errorf("%d records:\n got %s\nwant %s", len(order), got, want)
	}
	t.Logf("%d records, %d requests repeated: confirmed after %s (%.0f/s), in SQL after %s: %s", len(order), repeated, took.Round(time.Millisecond),
		float64(len(order))/took.Seconds(), time.Since(began).Round(time.Millisecond), got)
	s.stop()
	if got = c.value(sumsInSQL); got != want {
		t.Errorf("after the end:\n got %s\nwant %s", got, want)
	}
}
