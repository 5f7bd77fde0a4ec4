package radius

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/dialect"
	"lnsgate/aaa/radius/wire"
)

// Values of Acct-Status-Type (RFC 2866 section 5.1) and Acct-Authentic (section 5.6).
const (
	statusStart   = 1
	statusStop    = 2
	statusInterim = 3
	statusOn      = 7
	statusOff     = 8

	authenticRADIUS = 1
	authenticLocal  = 2
)

// buildRecord adds the attributes of an Accounting-Request. It makes the same octets of a record whenever it is asked: a
// record that is sent again is the same event.
func (r *Recorder) buildRecord(p *radius.Packet, record *aaa.Record) {
	w := writer{p}
	w.number(wire.TypeAcctStatusType, statusOf(record.Kind))
	w.text(wire.TypeUserName, r.config.Names.recordName(record))
	line := callOfRecord(record)
	w.addNAS(r.config.NAS, &line)
	w.addCall(&line)
	if record.CallSerial != 0 {
		w.text(wire.TypeAcctTunnelConnection, strconv.FormatUint(uint64(record.CallSerial), 10))
	}
	w.time(record.At)
	w.number(wire.TypeAcctAuthentic, r.authentic(record.Backend))
	if a := record.Address.Unmap(); a.Is4() {
		w.octets(wire.TypeFramedIPAddress, a.AsSlice())
	}
	w.addIPv6(record.IPv6)
	for _, class := range record.Class {
		w.octets(wire.TypeClass, class)
	}
	w.octets(wire.TypeCUI, record.CUI)
	if record.Kind != aaa.RecordStart {
		w.addUsage(record)
	}
	if record.Kind == aaa.RecordStop && record.Terminate != aaa.TerminateUnknown {
		w.number(wire.TypeAcctTerminateCause, uint32(record.Terminate))
	}
}

// addIPv6 says what the session has of IPv6 (RFC 3162 sections 2.2 and 2.3, RFC 4818).
func (w writer) addIPv6(six aaa.RecordIPv6) {
	if six.InterfaceID != 0 {
		w.octets(wire.TypeFramedInterfaceID, binary.BigEndian.AppendUint64(nil, six.InterfaceID))
	}
	if six.Prefix.IsValid() {
		w.octets(wire.TypeFramedIPv6Prefix, dialect.PrefixOctets(six.Prefix))
	}
	if six.Delegated.IsValid() {
		w.octets(wire.TypeDelegatedIPv6Prefix, dialect.PrefixOctets(six.Delegated))
	}
}

func statusOf(kind aaa.RecordKind) uint32 {
	switch kind {
	case aaa.RecordStop:
		return statusStop
	case aaa.RecordInterim:
		return statusInterim
	}
	return statusStart
}

// authentic tells who checked the user.
func (r *Recorder) authentic(backend string) uint32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Contains(r.config.RADIUS, backend) {
		return authenticRADIUS
	}
	return authenticLocal
}

// addUsage adds what a session used so far. Input is what came from the user (RFC 2866 section 5.3). The Gigawords are always
// there, so that nobody takes a missing one for an old value.
func (w writer) addUsage(record *aaa.Record) {
	lasted := max(record.At.Sub(record.Started), 0) / time.Second
	w.number(wire.TypeAcctSessionTime, uint32(min(lasted, math.MaxUint32)))
	w.number(wire.TypeAcctInputOctets, uint32(record.RxOctets))
	w.number(wire.TypeAcctInputGigawords, uint32(record.RxOctets>>32))
	w.number(wire.TypeAcctOutputOctets, uint32(record.TxOctets))
	w.number(wire.TypeAcctOutputGigawords, uint32(record.TxOctets>>32))
	w.number(wire.TypeAcctInputPackets, uint32(min(record.RxPackets, math.MaxUint32)))
	w.number(wire.TypeAcctOutputPackets, uint32(min(record.TxPackets, math.MaxUint32)))
}

// time adds the Event-Timestamp (RFC 2869 section 5.3).
func (w writer) time(at time.Time) {
	w.number(wire.TypeEventTimestamp, uint32(min(max(at.Unix(), 0), math.MaxUint32)))
}

// buildNode adds the attributes of Accounting-On or -Off. RFC 2866 section 5.5 wants a session in every request.
func (r *Recorder) buildNode(p *radius.Packet, status uint32, at time.Time) {
	w := writer{p}
	w.number(wire.TypeAcctStatusType, status)
	w.addNAS(r.config.NAS, &call{})
	w.text(wire.TypeAcctSessionID, "node-"+strconv.FormatInt(r.config.Since.Unix(), 16))
	w.time(at)
}
