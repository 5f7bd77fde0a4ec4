package control

import (
	"strconv"

	"lnsgate/lns/l2tp"
)

// describe tells in words what matters in a message, without secrets.
func describe(m l2tp.Message) string {
	switch m := m.(type) {
	case l2tp.SCCRQ:
		return describeStart(m.HostName, m.Vendor, m.AssignedTunnel, m.ReceiveWindow, m.Challenge != nil)
	case l2tp.SCCRP:
		return describeStart(m.HostName, m.Vendor, m.AssignedTunnel, m.ReceiveWindow, m.Challenge != nil)
	case l2tp.SCCCN:
		if m.ChallengeResponse != nil {
			return "answers the challenge"
		}
	case l2tp.StopCCN:
		return m.Result.Words(l2tp.TypeStopCCN)
	case l2tp.CDN:
		return m.Result.Words(l2tp.TypeCDN)
	case l2tp.ICRQ:
		return describeCall(m)
	case l2tp.ICRP:
		return "session " + number(m.AssignedSession)
	case l2tp.ICCN:
		return "speed " + strconv.FormatUint(uint64(m.TxSpeed), 10) + " bit/s"
	case l2tp.OCRQ:
		return "session " + number(m.AssignedSession) + ", to " + strconv.Quote(m.CalledNumber)
	case l2tp.OCRP:
		return "session " + number(m.AssignedSession)
	}
	return ""
}

func describeStart(host, vendor string, tunnel l2tp.TunnelID, window uint16, challenge bool) string {
	s := "host " + strconv.Quote(host) + ", tunnel " + number(tunnel)
	if vendor != "" {
		s += ", vendor " + strconv.Quote(vendor)
	}
	if window != 0 {
		s += ", window " + number(window)
	}
	if challenge {
		s += ", wants tunnel authentication"
	}
	return s
}

func describeCall(m l2tp.ICRQ) string {
	s := "session " + number(m.AssignedSession) + ", serial " + strconv.FormatUint(uint64(m.CallSerial), 10)
	if m.CallingNumber != "" {
		s += ", from " + strconv.Quote(m.CallingNumber)
	}
	if m.CalledNumber != "" {
		s += ", to " + strconv.Quote(m.CalledNumber)
	}
	return s
}

func number[T ~uint16](v T) string { return strconv.Itoa(int(v)) }
