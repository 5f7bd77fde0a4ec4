package radius

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/client"
	"lnsgate/aaa/radius/wire"
	"lnsgate/aaa/spool"
)

var began = time.Unix(1_700_000_000, 0)

func record(kind aaa.RecordKind, session string, sequence uint32) aaa.Record {
	r := aaa.Record{
		Kind: kind, Session: session, Sequence: sequence, Node: "lns1", At: began.Add(time.Duration(sequence) * time.Minute), Started: began,
		Name: "alice@sales.example", Account: "alice", Domain: "sales.example", Method: aaa.PAP, Backend: "hq",
		Address: netip.MustParseAddr("10.1.2.3"), Peer: netip.MustParseAddrPort("198.51.100.7:1701"), Local: netip.MustParseAddr("192.0.2.1"),
		TunnelName: "lac7", LocalName: "LNS", LocalTunnel: 17, RemoteTunnel: 4, LocalSession: 33, RemoteSession: 9,
		CallingNumber: "0441", CalledNumber: "0800", CallSerial: 5, TxSpeed: 50_000_000, RxSpeed: 10_000_000,
		Class: [][]byte{[]byte("b"), []byte("a\x00")}, CUI: []byte("cui"),
		IPv6:     aaa.RecordIPv6{Prefix: netip.MustParsePrefix("2001:db8:1:2::/64"), Delegated: netip.MustParsePrefix("2001:db8:3::/48"), InterfaceID: 7},
		RxOctets: 5<<32 + 7, TxOctets: 9<<32 + 11, RxPackets: 13, TxPackets: 1 << 40,
	}
	if kind == aaa.RecordStop {
		r.Terminate = aaa.TerminateIdleTimeout
	}
	return r
}

// book is a server that confirms what it likes, and keeps a line for each request.
type book struct {
	*fake
	mu     sync.Mutex
	lines  []string
	refuse func(line string) error
}

func newBook() *book {
	b := &book{fake: &fake{}}
	b.answer = func(request *radius.Packet) (*radius.Packet, error) {
		status := binary.BigEndian.Uint32(request.Get(wire.TypeAcctStatusType))
		line := fmt.Sprintf("%s %d", request.Get(wire.TypeAcctSessionID), status)
		if status == statusOn || status == statusOff {
			line = fmt.Sprintf("node %d", status)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.refuse != nil {
			if err := b.refuse(line); err != nil {
				return nil, err
			}
		}
		b.lines = append(b.lines, line)
		return request.Response(radius.CodeAccountingResponse), nil
	}
	return b
}

func newRecorder(t testing.TB, group Exchanger, change func(*RecorderConfig)) *Recorder {
	t.Helper()
	c := RecorderConfig{Name: "hq", Group: group, NAS: NAS{Identifier: "lns1"}, RADIUS: []string{"hq"}, Since: began}
	if change != nil {
		change(&c)
	}
	r, err := NewRecorder(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRecordSaysEverything(t *testing.T) {
	line := map[radius.Type]string{
		wire.TypeUserName: "alice@sales.example", wire.TypeAcctSessionID: "s1", wire.TypeNASIdentifier: "lns1", wire.TypeNASIPAddress: "\xc0\x00\x02\x01",
		wire.TypeNASPort: num(17<<16 | 33), wire.TypeNASPortID: "tun 17/4 call 33/9", wire.TypeNASPortType: num(5), wire.TypeServiceType: num(2),
		wire.TypeFramedProtocol: num(1), wire.TypeCallingStationID: "0441", wire.TypeCalledStationID: "0800", wire.TypeConnectInfo: "50000000/10000000",
		wire.TypeTunnelType: num(3), wire.TypeTunnelMediumType: num(1), wire.TypeTunnelClientEndpoint: "198.51.100.7",
		wire.TypeTunnelServerEndpoint: "192.0.2.1", wire.TypeTunnelClientAuthID: "lac7", wire.TypeTunnelServerAuthID: "LNS", wire.TypeTunnelAssignmentID: "17",
		wire.TypeAcctTunnelConnection: "5", wire.TypeAcctAuthentic: num(1), wire.TypeFramedIPAddress: "\x0a\x01\x02\x03", wire.TypeCUI: "cui",
		wire.TypeClass: "b|a\x00", wire.TypeFramedInterfaceID: "\x00\x00\x00\x00\x00\x00\x00\x07",
		wire.TypeFramedIPv6Prefix: "\x00\x40\x20\x01\x0d\xb8\x00\x01\x00\x02", wire.TypeDelegatedIPv6Prefix: "\x00\x30\x20\x01\x0d\xb8\x00\x03",
	}
	usage := map[radius.Type]string{
		wire.TypeAcctInputOctets: num(7), wire.TypeAcctInputGigawords: num(5), wire.TypeAcctOutputOctets: num(11), wire.TypeAcctOutputGigawords: num(9),
		wire.TypeAcctInputPackets: num(13), wire.TypeAcctOutputPackets: num(math.MaxUint32),
	}
	for _, tc := range []struct {
		kind aaa.RecordKind
		more map[radius.Type]string
	}{
		{aaa.RecordStart, map[radius.Type]string{wire.TypeAcctStatusType: num(1), wire.TypeEventTimestamp: num(1_700_000_060)}},
		{aaa.RecordInterim, map[radius.Type]string{wire.TypeAcctStatusType: num(3), wire.TypeEventTimestamp: num(1_700_000_060), wire.TypeAcctSessionTime: num(60)}},
		{aaa.RecordStop, map[radius.Type]string{wire.TypeAcctStatusType: num(2), wire.TypeEventTimestamp: num(1_700_000_060), wire.TypeAcctSessionTime: num(60), wire.TypeAcctTerminateCause: num(4)}},
	} {
		group := newBook()
		if err := newRecorder(t, group, nil).Write(t.Context(), []aaa.Record{record(tc.kind, "s1", 1)}); err != nil {
			t.Fatal(err)
		}
		want := make(map[radius.Type]string)
		parts := []map[radius.Type]string{line, tc.more}
		if tc.kind != aaa.RecordStart {
			parts = append(parts, usage)
		}
		for _, part := range parts {
			for kind, value := range part {
				want[kind] = "|" + value
			}
		}
		got := texts(group.last())
		for kind := range got {
			if got[kind] != want[kind] {
				t.Errorf("%s: attribute %d is %q, not %q", tc.kind, kind, got[kind], want[kind])
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d attributes, not %d", tc.kind, len(got), len(want))
		}
	}
}

func TestRecordOfAnotherKindOfSession(t *testing.T) {
	r := record(aaa.RecordStop, "s1", 1)
	r.Backend, r.UserName, r.Terminate, r.Address, r.CallSerial = "postgres", "alice-4711", aaa.TerminateUnknown, netip.Addr{}, 0
	r.Started, r.Class, r.CUI = r.At.Add(time.Hour), nil, nil // a clock that was set back
	group := newBook()
	if err := newRecorder(t, group, func(c *RecorderConfig) { c.Names = WithoutDomain }).Write(t.Context(), []aaa.Record{r}); err != nil {
		t.Fatal(err)
	}
	got := texts(group.last())
	if got[wire.TypeAcctAuthentic] != "|"+num(2) || got[wire.TypeUserName] != "|alice-4711" || got[wire.TypeAcctSessionTime] != "|"+num(0) {
		t.Errorf("%v", got)
	}
	for _, kind := range []radius.Type{wire.TypeAcctTerminateCause, wire.TypeFramedIPAddress, wire.TypeAcctTunnelConnection, wire.TypeClass, wire.TypeCUI} {
		if _, there := got[kind]; there {
			t.Errorf("attribute %d is there", kind)
		}
	}
	r.UserName = ""
	if err := newRecorder(t, group, func(c *RecorderConfig) { c.Names = WithoutDomain }).Write(t.Context(), []aaa.Record{r}); err != nil {
		t.Fatal(err)
	}
	if got := string(group.last().Get(wire.TypeUserName)); got != "alice" {
		t.Errorf("the form of the group: %q", got)
	}
	r.Name = "no such name"
	if got := AsTyped.recordName(&r); got != r.Name {
		t.Errorf("%q", got)
	}
}

func TestARecorderFollowsTheConfiguration(t *testing.T) {
	group := newBook()
	r := newRecorder(t, group, nil)
	r.Follow([]string{"hq", "branch"}, 3)
	one := record(aaa.RecordStart, "s1", 1)
	one.Backend = "branch"
	if err := r.Write(t.Context(), []aaa.Record{one}); err != nil {
		t.Fatal(err)
	}
	if got := texts(group.last()); got[wire.TypeAcctAuthentic] != "|"+num(1) || r.inFlight() != 3 {
		t.Errorf("%v, %d in flight", got, r.inFlight())
	}
}

func TestARecordIsTheSameWheneverItIsSent(t *testing.T) {
	group := newBook()
	r := newRecorder(t, group, nil)
	for range 2 {
		if err := r.Write(t.Context(), []aaa.Record{record(aaa.RecordStop, "s1", 3)}); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := texts(group.asked[0]), texts(group.asked[1]); len(a) != len(b) || a[wire.TypeEventTimestamp] != b[wire.TypeEventTimestamp] {
		t.Errorf("%v\n%v", a, b)
	}
}

func TestRecordsOfASessionStayInOrder(t *testing.T) {
	group := newBook()
	r := newRecorder(t, group, func(c *RecorderConfig) { c.InFlight = 8 })
	var records []aaa.Record
	for i, kind := range []aaa.RecordKind{aaa.RecordStart, aaa.RecordInterim, aaa.RecordStop} {
		for s := range 50 {
			records = append(records, record(kind, fmt.Sprint("s", s), uint32(i+1)))
		}
	}
	if err := r.Write(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	for s := range 50 {
		var got []string
		for _, line := range group.lines {
			if strings.HasPrefix(line, fmt.Sprintf("s%d ", s)) {
				got = append(got, line[len(line)-1:])
			}
		}
		if !slices.Equal(got, []string{"1", "3", "2"}) {
			t.Errorf("s%d: %v", s, got)
		}
	}
}

func TestWhatIsNotConfirmedHoldsUpItsSession(t *testing.T) {
	group := newBook()
	group.refuse = func(line string) error {
		if line == "a 1" {
			return client.ErrSilent
		}
		return nil
	}
	records := []aaa.Record{record(aaa.RecordStart, "a", 1), record(aaa.RecordStart, "b", 1), record(aaa.RecordStop, "a", 2), record(aaa.RecordStop, "b", 2)}
	err := newRecorder(t, group, nil).Write(t.Context(), records)
	var partial *spool.PartialError
	if !errors.As(err, &partial) || !slices.Equal(group.lines, []string{"b 1", "b 2"}) {
		t.Fatalf("%v %q", err, group.lines)
	}
	if e := partial.Errors; !errors.Is(e[0], client.ErrSilent) || !errors.Is(e[2], client.ErrSilent) || e[1] != nil || e[3] != nil {
		t.Errorf("%v", e)
	}
}

func TestWhatNeverFitsIsSaidToBeHopeless(t *testing.T) {
	r := record(aaa.RecordStart, "a", 1)
	for range 20 {
		r.Class = append(r.Class, make([]byte, 253))
	}
	group := newBook()
	err := newRecorder(t, group, nil).Write(t.Context(), []aaa.Record{r, record(aaa.RecordStop, "a", 2)})
	var partial *spool.PartialError
	if !errors.As(err, &partial) || !errors.Is(partial.Errors[0], wire.ErrTooLong) || partial.Errors[1] != nil {
		t.Fatalf("%v", err)
	}
	var hopeless interface{ Retryable() bool }
	if !errors.As(partial.Errors[0], &hopeless) || hopeless.Retryable() {
		t.Error("it may be tried again")
	}
}

func TestAnAnswerOfAnotherKindConfirmsNothing(t *testing.T) {
	group := answers(radius.CodeAccessAccept, nil)
	if err := newRecorder(t, group, nil).Write(t.Context(), []aaa.Record{record(aaa.RecordStart, "a", 1)}); err == nil {
		t.Error("confirmed")
	}
}

func TestAccountingOnStandsBetweenOldAndNew(t *testing.T) {
	group := newBook()
	r := newRecorder(t, group, func(c *RecorderConfig) { c.OnOff, c.InFlight, c.Since = true, 1, began.Add(150*time.Second) })
	old, fresh := record(aaa.RecordStop, "old", 2), record(aaa.RecordStart, "new", 3)
	for range 2 {
		if err := r.Write(t.Context(), []aaa.Record{old, fresh}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Off(t.Context(), began.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if want := []string{"old 2", "node 7", "new 1", "old 2", "new 1", "node 8"}; !slices.Equal(group.lines, want) {
		t.Errorf("%q", group.lines)
	}
	off := texts(group.last())
	if off[wire.TypeNASIdentifier] != "|lns1" || off[wire.TypeAcctSessionID] == "" || off[wire.TypeEventTimestamp] != "|"+num(1_700_003_600) || off[wire.TypeUserName] != "" {
		t.Errorf("%v", off)
	}
}

func TestAccountingOnWaitsForTheFirstNewRecord(t *testing.T) {
	group := newBook()
	r := newRecorder(t, group, func(c *RecorderConfig) { c.OnOff, c.Since = true, began.Add(150*time.Second) })
	if err := r.Write(t.Context(), []aaa.Record{record(aaa.RecordStop, "old", 1)}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(group.lines, []string{"old 2"}) {
		t.Errorf("%q", group.lines)
	}
}

func TestAccountingOnIsSentOnceWhetherAskedForOrDue(t *testing.T) {
	group := newBook()
	r := newRecorder(t, group, func(c *RecorderConfig) { c.OnOff, c.Since = true, began.Add(150*time.Second) })
	r.On(t.Context())
	r.On(t.Context())
	if err := r.Write(t.Context(), []aaa.Record{record(aaa.RecordStart, "new", 3)}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"node 7", "new 1"}; !slices.Equal(group.lines, want) {
		t.Errorf("%q", group.lines)
	}
	silent := newRecorder(t, group, func(c *RecorderConfig) { c.OnOff = false })
	if silent.On(t.Context()); len(group.lines) != 2 {
		t.Errorf("without accounting_on_off: %q", group.lines)
	}
}

func TestAccountingOnIsBoundedAndGivenUpWhenRecordsGetThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deaf, away := true, true
		tries := 0
		group := newBook()
		on := &fakeWait{book: group, before: func(ctx context.Context, line string) error {
			if line == "node 7" {
				tries++
			}
			if away || deaf && line == "node 7" {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}}
		r := newRecorder(t, on, func(c *RecorderConfig) { c.OnOff, c.OnWait = true, 3*time.Second })
		write := func(within time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			return r.Write(ctx, []aaa.Record{record(aaa.RecordStart, "a", 1)})
		}
		if err := write(10 * time.Second); err == nil || tries != 1 { // the server is away: it is due again
			t.Fatalf("%v, %d tries", err, tries)
		}
		away = false
		begin := time.Now()
		if err := write(10 * time.Second); err != nil || time.Since(begin) != 3*time.Second || tries != 2 { // it knows no Accounting-On
			t.Fatalf("%v after %v, %d tries", err, time.Since(begin), tries)
		}
		if err := write(10 * time.Second); err != nil || tries != 2 { // so it is not asked again
			t.Fatalf("%v, %d tries", err, tries)
		}
	})
}

// fakeWait is a group that a test can make wait.
type fakeWait struct {
	book   *book
	before func(ctx context.Context, line string) error
}

func (f *fakeWait) Exchange(ctx context.Context, r client.Request) (client.Reply, error) {
	p := radius.New(r.Code, []byte(testSecret))
	if err := r.Build(p); err != nil {
		return client.Reply{}, err
	}
	line := string(p.Get(wire.TypeAcctSessionID))
	if status := binary.BigEndian.Uint32(p.Get(wire.TypeAcctStatusType)); status >= statusOn {
		line = fmt.Sprintf("node %d", status)
	}
	if err := f.before(ctx, line); err != nil {
		return client.Reply{}, err
	}
	return f.book.Exchange(ctx, r)
}

func TestOffWithoutOnOffIsNothing(t *testing.T) {
	group := newBook()
	if err := newRecorder(t, group, nil).Off(t.Context(), began); err != nil || len(group.lines) != 0 {
		t.Errorf("%v %q", err, group.lines)
	}
	group.refuse = func(string) error { return client.ErrNoServer }
	if err := newRecorder(t, group, func(c *RecorderConfig) { c.OnOff = true }).Off(t.Context(), began); !errors.Is(err, client.ErrNoServer) {
		t.Error(err)
	}
	if _, err := NewRecorder(RecorderConfig{}); err == nil {
		t.Error("a recorder without a group")
	}
}
