package spool

import (
	"encoding/binary"
	"net/netip"
	"time"

	"lnsgate/aaa"
)

// The first octet of an encoded record.
//
// The form is our own and binary: a quarter of the octets of JSON and a tenth of its time, and nobody reads the file with
// an editor. Numbers are varints, texts and addresses have a length in front. New fields go to the end: an older lnsgate
// leaves them unread, a newer one reads a missing field as zero. The version changes only if that is not enough: a record of a
// session on another NAS must not be read by an lnsgate that would take it for one of its own, and end it. It sets it aside.
const (
	version        = 1
	versionForeign = 2 // with NAS and Terms
)

// appendRecord appends the encoded record.
func appendRecord(b []byte, r *aaa.Record) []byte {
	form := byte(version)
	if r.NAS != nil || r.Terms != nil {
		form = versionForeign
	}
	b = append(b, form, byte(r.Kind), byte(r.Method), byte(r.Terminate))
	b = binary.AppendUvarint(b, uint64(r.Sequence))
	b = appendTime(b, r.At)
	b = appendTime(b, r.Started)
	for _, text := range texts(r) {
		b = appendOctets(b, *text)
	}
	b = appendAddr(b, r.Address)
	b = appendAddr(b, r.Local)
	b = appendAddr(b, r.Peer.Addr())
	b = binary.AppendUvarint(b, uint64(r.Peer.Port()))
	for _, id := range ids(r) {
		b = binary.AppendUvarint(b, uint64(*id))
	}
	for _, n := range counters(r) {
		b = binary.AppendUvarint(b, *n)
	}
	b = appendAccess(b, r)
	if form == versionForeign {
		b = appendTerms(appendNAS(b, r.NAS), r.Terms)
	}
	return appendIPv6(b, r.IPv6)
}

// appendIPv6 appends what there is of IPv6, as one block: it is there or it is not.
func appendIPv6(b []byte, six aaa.RecordIPv6) []byte {
	b = appendPrefix(appendPrefix(b, six.Prefix), six.Delegated)
	return binary.AppendUvarint(b, six.InterfaceID)
}

// appendPrefix appends an address and its bits, from 1: 0 is no prefix.
func appendPrefix(b []byte, p netip.Prefix) []byte {
	if !p.IsValid() {
		return binary.AppendUvarint(appendAddr(b, netip.Addr{}), 0)
	}
	return binary.AppendUvarint(appendAddr(b, p.Addr()), uint64(p.Bits())+1)
}

// appendNAS appends whether there is a NAS, and it.
func appendNAS(b []byte, n *aaa.NAS) []byte {
	if n == nil {
		return append(b, 0)
	}
	b = append(b, 1)
	for _, text := range nasTexts(n) {
		b = appendOctets(b, *text)
	}
	b = appendAddr(b, n.Address)
	b = binary.AppendUvarint(b, uint64(n.Port))
	return binary.AppendUvarint(b, uint64(n.PortType))
}

// appendTerms appends whether there are terms, and they.
func appendTerms(b []byte, t *aaa.Terms) []byte {
	if t == nil {
		return append(b, 0)
	}
	b = append(b, 1)
	for _, d := range termTimes(t) {
		b = binary.AppendVarint(b, int64(*d))
	}
	b = binary.AppendUvarint(b, t.RateUp)
	b = binary.AppendUvarint(b, t.RateDown)
	return appendOctets(b, t.Filter)
}

// appendAccess appends the fields that came with RADIUS, as one block: it is there or it is not.
func appendAccess(b []byte, r *aaa.Record) []byte {
	for _, text := range accessTexts(r) {
		b = appendOctets(b, *text)
	}
	b = binary.AppendUvarint(b, uint64(r.CallSerial))
	b = binary.AppendUvarint(b, r.TxSpeed)
	b = binary.AppendUvarint(b, r.RxSpeed)
	b = appendOctets(b, r.CUI)
	b = appendList(b, r.Class)
	return appendList(b, r.Sinks)
}

func appendOctets[T string | []byte](b []byte, v T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

func appendList[T string | []byte](b []byte, list []T) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, v := range list {
		b = appendOctets(b, v)
	}
	return b
}

// texts are the texts of a record in the order of the encoding.
func texts(r *aaa.Record) [12]*string {
	return [...]*string{
		&r.Session, &r.Node, &r.Name, &r.Account, &r.Domain, &r.Backend, &r.Pool, &r.VirtualTemplate,
		&r.TunnelName, &r.CallingNumber, &r.CalledNumber, &r.Reason,
	}
}

func accessTexts(r *aaa.Record) [2]*string { return [...]*string{&r.LocalName, &r.UserName} }

func nasTexts(n *aaa.NAS) [5]*string {
	return [...]*string{&n.Name, &n.Client, &n.Identifier, &n.Session, &n.PortID}
}

func termTimes(t *aaa.Terms) [3]*time.Duration {
	return [...]*time.Duration{&t.SessionTimeout, &t.IdleTimeout, &t.Interim}
}

func ids(r *aaa.Record) [4]*uint16 {
	return [...]*uint16{&r.LocalTunnel, &r.RemoteTunnel, &r.LocalSession, &r.RemoteSession}
}

func counters(r *aaa.Record) [4]*uint64 {
	return [...]*uint64{&r.RxPackets, &r.RxOctets, &r.TxPackets, &r.TxOctets}
}

func appendTime(b []byte, t time.Time) []byte {
	b = binary.AppendVarint(b, t.Unix())
	return binary.AppendUvarint(b, uint64(t.Nanosecond()))
}

// appendAddr appends the length and the octets of an address and its zone; the zero Addr has no octets.
func appendAddr(b []byte, a netip.Addr) []byte {
	octets, _ := a.MarshalBinary() // never fails
	return append(binary.AppendUvarint(b, uint64(len(octets))), octets...)
}
