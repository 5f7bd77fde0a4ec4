package spool

import (
	"encoding/hex"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lnsgate/aaa"
)

// drawRecord draws any record that can be.
func drawRecord(t *rapid.T) aaa.Record {
	addr := rapid.OneOf(
		rapid.Just(netip.Addr{}), rapid.Just(netip.MustParseAddr("fe80::1%eth0")), rapid.Just(netip.MustParseAddr("::ffff:192.0.2.1")),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 4, 4), func(b []byte) netip.Addr { return netip.AddrFrom4([4]byte(b)) }),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 16, 16), func(b []byte) netip.Addr { return netip.AddrFrom16([16]byte(b)) }),
	)
	moment := rapid.OneOf(rapid.Just(time.Time{}), rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
	}))
	r := aaa.Record{
		Kind: rapid.SampledFrom([]aaa.RecordKind{aaa.RecordStart, aaa.RecordInterim, aaa.RecordStop}).Draw(t, "kind"),
		At:   moment.Draw(t, "at"), Started: moment.Draw(t, "started"), Sequence: rapid.Uint32().Draw(t, "sequence"),
		Method: aaa.Method(rapid.Uint8().Draw(t, "method")), Terminate: aaa.TerminateCause(rapid.Uint8().Draw(t, "terminate")),
		Address: addr.Draw(t, "address"), Local: addr.Draw(t, "local"),
		Peer: netip.AddrPortFrom(addr.Draw(t, "peer"), rapid.Uint16().Draw(t, "port")),
	}
	for _, text := range texts(&r) {
		*text = string(rapid.SliceOf(rapid.Byte()).Draw(t, "text"))
	}
	for _, id := range ids(&r) {
		*id = rapid.Uint16().Draw(t, "id")
	}
	for _, n := range counters(&r) {
		*n = rapid.Uint64().Draw(t, "counter")
	}
	for _, text := range accessTexts(&r) {
		*text = string(rapid.SliceOf(rapid.Byte()).Draw(t, "text"))
	}
	r.CallSerial = rapid.Uint32().Draw(t, "serial")
	r.TxSpeed, r.RxSpeed = rapid.Uint64().Draw(t, "tx"), rapid.Uint64().Draw(t, "rx")
	r.CUI = rapid.SliceOf(rapid.Byte()).Draw(t, "cui")
	r.Class = rapid.SliceOf(rapid.SliceOf(rapid.Byte())).Draw(t, "class")
	r.Sinks = rapid.SliceOf(rapid.String()).Draw(t, "sinks")
	if rapid.Bool().Draw(t, "IPv6") {
		prefix := rapid.SampledFrom([]netip.Prefix{{}, netip.MustParsePrefix("2001:db8:1::/64"), netip.MustParsePrefix("2001:db8:100::/40"), netip.MustParsePrefix("::/0")})
		r.IPv6 = aaa.RecordIPv6{Prefix: prefix.Draw(t, "prefix"), Delegated: prefix.Draw(t, "delegated"), InterfaceID: rapid.Uint64().Draw(t, "interface")}
	}
	if rapid.Bool().Draw(t, "foreign") {
		r.NAS = &aaa.NAS{Address: addr.Draw(t, "NAS"), Port: rapid.Uint32().Draw(t, "NAS port"), PortType: rapid.Uint32().Draw(t, "NAS port type")}
		for _, text := range nasTexts(r.NAS) {
			*text = string(rapid.SliceOf(rapid.Byte()).Draw(t, "text"))
		}
	}
	if rapid.Bool().Draw(t, "terms") {
		r.Terms = &aaa.Terms{RateUp: rapid.Uint64().Draw(t, "up"), RateDown: rapid.Uint64().Draw(t, "down"), Filter: rapid.String().Draw(t, "filter")}
		for _, d := range termTimes(r.Terms) {
			*d = time.Duration(rapid.Int64().Draw(t, "time"))
		}
	}
	return r
}

func TestDecodeReadsWhatAppendWrote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord(t)
		got, err := decodeRecord(appendRecord(nil, &r))
		if err != nil || !same(got, r) {
			t.Fatalf("%v\n got %+v\nwant %+v", err, got, r)
		}
	})
}

// same compares records; an empty list is as good as none.
func same(a, b aaa.Record) bool {
	for _, r := range []*aaa.Record{&a, &b} {
		if len(r.CUI) == 0 {
			r.CUI = nil
		}
		if len(r.Sinks) == 0 {
			r.Sinks = nil
		}
		r.Class = slices.Clone(r.Class)
		for i := range r.Class {
			r.Class[i] = append([]byte{}, r.Class[i]...)
		}
		if len(r.Class) == 0 {
			r.Class = nil
		}
	}
	return reflect.DeepEqual(a, b)
}

// granted adds what a RADIUS server and a tunnel say.
func granted(r aaa.Record) aaa.Record {
	r.LocalName, r.UserName, r.CallSerial, r.TxSpeed, r.RxSpeed = "LNS", "alice-4711", 5, 50_000_000, 10_000_000
	r.Class, r.CUI, r.Sinks = [][]byte{[]byte("b"), []byte("a\x00")}, []byte("c"), []string{"hq", "postgres"}
	return r
}

// TestFormWithRADIUSStays is the same for octets from when records had got their fields of RADIUS.
func TestFormWithRADIUSStays(t *testing.T) {
	const written = "0103030109b8ed96b00d0080e596b00d000173026e3113616c6963654073616c65732e6578616d706c6513616c6963654073" +
		"616c65732e6578616d706c650d73616c65732e6578616d706c6508706f7374677265730573616c657303767431066c617074" +
		"6f7003353535033535361074686520706565722068756e67207570040a14000704c000020104c6336407a50d0102030409a8" +
		"4612f8d201034c4e530a616c6963652d343731310580e1eb1780ade20401630201620261000202687108706f737467726573"
	b, err := hex.DecodeString(written)
	if err != nil {
		t.Fatal(err)
	}
	want := granted(record(aaa.RecordStop, "s", 9))
	if got, err := decodeRecord(b); err != nil || !same(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestFormStays reads octets that an earlier lnsgate has left on disks. Never change them: add others.
func TestFormStays(t *testing.T) {
	const written = "0103030109b8ed96b00d0080e596b00d000173026e3113616c6963654073616c65732e6578616d706c6513616c6963654073" +
		"616c65732e6578616d706c650d73616c65732e6578616d706c6508706f7374677265730573616c657303767431066c617074" +
		"6f7003353535033535361074686520706565722068756e67207570040a14000704c000020104c6336407a50d0102030409a8" +
		"4612f8d201"
	b, err := hex.DecodeString(written)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := decodeRecord(b); err != nil || !same(got, record(aaa.RecordStop, "s", 9)) {
		t.Errorf("%+v, %v", got, err)
	}
}

// foreign makes the record one of a session on another NAS.
func foreign(r aaa.Record) aaa.Record {
	r.NAS = &aaa.NAS{Name: "mt/a", Client: "mt", Address: netip.MustParseAddr("198.51.100.7"), Identifier: "a", Session: "81", Port: 15728641, PortID: "bridge", PortType: 15}
	r.Terms = &aaa.Terms{SessionTimeout: 8 * time.Hour, IdleTimeout: 10 * time.Minute, Interim: time.Minute, RateUp: 1e6, RateDown: 5e7, Filter: "staff"}
	return r
}

// TestFormOfOtherNASesStays is the same for the first octets of sessions on other NASes.
func TestFormOfOtherNASesStays(t *testing.T) {
	const written = "0203030109b8ed96b00d0080e596b00d000173026e3113616c6963654073616c65732e6578616d706c6513616c6963654073" +
		"616c65732e6578616d706c650d73616c65732e6578616d706c6508706f7374677265730573616c657303767431066c617074" +
		"6f7003353535033535361074686520706565722068756e67207570040a14000704c000020104c6336407a50d0102030409a8" +
		"4612f8d201034c4e530a616c6963652d343731310580e1eb1780ade20401630201620261000202687108706f737467726573" +
		"01046d742f61026d7401610238310662726964676504c63364078180c0070f018080a8dcb08c0d80c0cbacf62280e0ba84bf03" +
		"c0843d80e1eb17057374616666"
	b, err := hex.DecodeString(written)
	if err != nil {
		t.Fatal(err)
	}
	want := foreign(granted(record(aaa.RecordStop, "s", 9)))
	if got, err := decodeRecord(b); err != nil || !same(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestOwnRecordsKeepTheirForm: an lnsgate that does not know of other NASes reads them.
func TestOwnRecordsKeepTheirForm(t *testing.T) {
	own, other := record(aaa.RecordStop, "s", 9), foreign(record(aaa.RecordStop, "s", 9))
	if a, b := appendRecord(nil, &own)[0], appendRecord(nil, &other)[0]; a != 1 || b != 2 {
		t.Errorf("forms %d and %d", a, b)
	}
}

func TestDecodeOfOtherNASesCutAtEveryOctet(t *testing.T) {
	r := foreign(granted(record(aaa.RecordStop, "s", 9)))
	b := appendRecord(nil, &r)
	old := len(b) - len(appendIPv6(nil, r.IPv6)) // there ends what an earlier lnsgate wrote
	for n := range b {
		if got, err := decodeRecord(b[:n]); err == nil && n != old {
			t.Errorf("%d of %d octets were read as %+v", n, len(b), got)
		}
	}
}

func TestDecodeCutAtEveryOctet(t *testing.T) {
	r := granted(record(aaa.RecordStop, "s", 9))
	b := appendRecord(nil, &r)
	newer := len(b) - len(appendIPv6(nil, r.IPv6)) // there ends what an earlier lnsgate wrote
	old := newer - len(appendAccess(nil, &r))      // and there what one before it wrote
	for n := range b {
		if got, err := decodeRecord(b[:n]); err == nil && n != old && n != newer {
			t.Errorf("%d of %d octets were read as %+v", n, len(b), got)
		}
	}
}

func TestDecodeLeavesNewFieldsUnread(t *testing.T) {
	r := record(aaa.RecordInterim, "s", 9)
	if got, err := decodeRecord(append(appendRecord(nil, &r), 1, 2, 3)); err != nil || !same(got, r) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	r := record(aaa.RecordStop, "s", math.MaxUint32)
	whole := appendRecord(nil, &r)
	for name, change := range map[string]func([]byte) []byte{
		"another version":       func(b []byte) []byte { b[0] = 3; return b },
		"kind 0":                func(b []byte) []byte { b[1] = 0; return b },
		"kind 4":                func(b []byte) []byte { b[1] = 4; return b },
		"a sequence of 33 bits": func(b []byte) []byte { b[8] = 0x1f; return b },
	} {
		if got, err := decodeRecord(change(append([]byte(nil), whole...))); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestDecodeRefusesAPrefixOfTooManyBits(t *testing.T) {
	r := record(aaa.RecordStop, "s", 9)
	b := appendRecord(nil, &r)
	b = append(b[:len(b)-len(appendIPv6(nil, r.IPv6))], 4, 10, 0, 0, 0, 34, 0, 0, 0) // 10.0.0.0/33
	if got, err := decodeRecord(b); err == nil || !strings.Contains(err.Error(), "has 33 bits") {
		t.Errorf("%+v, %v", got.IPv6, err)
	}
}

func FuzzDecodeRecord(f *testing.F) {
	for _, kind := range []aaa.RecordKind{aaa.RecordStart, aaa.RecordInterim, aaa.RecordStop} {
		r := record(kind, "n1-18f-1-1/1", 7)
		f.Add(appendRecord(nil, &r))
		r = foreign(r)
		f.Add(appendRecord(nil, &r))
	}
	f.Add(appendRecord(nil, &aaa.Record{Kind: aaa.RecordStart}))
	six := record(aaa.RecordStop, "s", 9)
	six.IPv6 = aaa.RecordIPv6{Prefix: netip.MustParsePrefix("2001:db8:1::/64"), Delegated: netip.MustParsePrefix("2001:db8:2::/56")}
	f.Add(appendRecord(nil, &six))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(b)
		if err != nil {
			return
		}
		again, err := decodeRecord(appendRecord(nil, &r))
		if err != nil || !same(again, r) {
			t.Fatalf("%v\n got %+v\nwant %+v", err, again, r)
		}
	})
}
