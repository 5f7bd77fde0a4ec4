package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"lnsgate/aaa"
)

var errShort = errors.New("the record is cut off")

// decodeRecord reads what appendRecord wrote. The result shares nothing with b.
func decodeRecord(b []byte) (aaa.Record, error) {
	if len(b) < 4 {
		return aaa.Record{}, errShort
	}
	if b[0] != version && b[0] != versionForeign {
		return aaa.Record{}, fmt.Errorf("the record has form %d, this lnsgate knows forms %d and %d", b[0], version, versionForeign)
	}
	r := aaa.Record{Kind: aaa.RecordKind(b[1]), Method: aaa.Method(b[2]), Terminate: aaa.TerminateCause(b[3])}
	rest := reader{left: b[4:]}
	r.Sequence = uint32(rest.number(math.MaxUint32))
	r.At, r.Started = rest.time(), rest.time()
	for _, text := range texts(&r) {
		*text = string(rest.octets())
	}
	r.Address, r.Local = rest.addr(), rest.addr()
	r.Peer = netip.AddrPortFrom(rest.addr(), uint16(rest.number(math.MaxUint16)))
	for _, id := range ids(&r) {
		*id = uint16(rest.number(math.MaxUint16))
	}
	for _, n := range counters(&r) {
		*n = rest.number(math.MaxUint64)
	}
	if len(rest.left) > 0 || b[0] == versionForeign { // what an earlier lnsgate wrote ends here
		rest.access(&r)
	}
	if b[0] == versionForeign {
		r.NAS, r.Terms = rest.nas(), rest.terms()
	}
	if len(rest.left) > 0 { // what an earlier lnsgate wrote ends before
		r.IPv6 = aaa.RecordIPv6{Prefix: rest.prefix(), Delegated: rest.prefix(), InterfaceID: rest.number(math.MaxUint64)}
	}
	switch {
	case rest.fault != nil:
		return aaa.Record{}, rest.fault
	case r.Kind < aaa.RecordStart || r.Kind > aaa.RecordStop:
		return aaa.Record{}, fmt.Errorf("unknown %s", r.Kind)
	}
	return r, nil
}

// prefix reads what appendPrefix wrote.
func (r *reader) prefix() netip.Prefix {
	a, bits := r.addr(), r.number(129)
	if bits == 0 {
		return netip.Prefix{}
	}
	p := netip.PrefixFrom(a, int(bits)-1)
	if !p.IsValid() {
		r.fail(fmt.Errorf("a prefix of the record has %d bits, which %s has no room for", bits-1, a))
		return netip.Prefix{}
	}
	return p
}

// access reads what appendAccess wrote.
func (r *reader) access(record *aaa.Record) {
	for _, text := range accessTexts(record) {
		*text = string(r.octets())
	}
	record.CallSerial = uint32(r.number(math.MaxUint32))
	record.TxSpeed, record.RxSpeed = r.number(math.MaxUint64), r.number(math.MaxUint64)
	record.CUI = append([]byte(nil), r.octets()...)
	for range r.length() {
		record.Class = append(record.Class, append([]byte{}, r.octets()...))
	}
	for range r.length() {
		record.Sinks = append(record.Sinks, string(r.octets()))
	}
}

// nas reads what appendNAS wrote.
func (r *reader) nas() *aaa.NAS {
	if r.number(1) == 0 {
		return nil
	}
	n := &aaa.NAS{}
	for _, text := range nasTexts(n) {
		*text = string(r.octets())
	}
	n.Address = r.addr()
	n.Port, n.PortType = uint32(r.number(math.MaxUint32)), uint32(r.number(math.MaxUint32))
	return n
}

// terms reads what appendTerms wrote.
func (r *reader) terms() *aaa.Terms {
	if r.number(1) == 0 {
		return nil
	}
	t := &aaa.Terms{}
	for _, d := range termTimes(t) {
		v, n := binary.Varint(r.left)
		r.skip(n)
		*d = time.Duration(v)
	}
	t.RateUp, t.RateDown = r.number(math.MaxUint64), r.number(math.MaxUint64)
	t.Filter = string(r.octets())
	return t
}

// length reads the length of a list, each entry of which takes an octet at least.
func (r *reader) length() uint64 {
	n := r.number(math.MaxUint64)
	if n > uint64(len(r.left)) {
		r.fail(errShort)
		return 0
	}
	return n
}

// reader takes fields off the front. After the first fault it answers zeroes.
type reader struct {
	left  []byte
	fault error
}

func (r *reader) fail(err error) {
	if r.fault == nil {
		r.left, r.fault = nil, err
	}
}

// skip moves on by what a varint took: nothing when it was cut off, less when it was too long.
func (r *reader) skip(n int) bool {
	if n <= 0 {
		r.fail(errShort)
		return false
	}
	r.left = r.left[n:]
	return true
}

func (r *reader) number(most uint64) uint64 {
	v, n := binary.Uvarint(r.left)
	if !r.skip(n) {
		return 0
	}
	if v > most {
		r.fail(fmt.Errorf("a number of the record is %d, at most %d is possible", v, most))
		return 0
	}
	return v
}

func (r *reader) octets() []byte {
	n := r.number(math.MaxUint64)
	if n > uint64(len(r.left)) {
		r.fail(errShort)
		return nil
	}
	v := r.left[:n]
	r.left = r.left[n:]
	return v
}

func (r *reader) time() time.Time {
	seconds, n := binary.Varint(r.left)
	r.skip(n)
	nanoseconds := r.number(999_999_999)
	if r.fault != nil {
		return time.Time{}
	}
	return time.Unix(seconds, int64(nanoseconds)).UTC()
}

func (r *reader) addr() netip.Addr {
	var a netip.Addr
	if err := a.UnmarshalBinary(r.octets()); err != nil {
		r.fail(fmt.Errorf("an address of the record is unreadable: %w", err))
	}
	return a
}
