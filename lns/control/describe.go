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
	b := make([]byte, 0, shortWords)
	b = appendNumber(append(appendQuoted(b, "host ", host), ", tunnel "...), tunnel)
	if vendor != "" {
		b = appendQuoted(b, ", vendor ", vendor)
	}
	if window != 0 {
		b = appendNumber(append(b, ", window "...), window)
	}
	if challenge {
		b = append(b, ", wants tunnel authentication"...)
	}
	return string(b)
}

func describeCall(m l2tp.ICRQ) string {
	b := make([]byte, 0, shortWords)
	b = appendNumber(append(b, "session "...), m.AssignedSession)
	b = strconv.AppendUint(append(b, ", serial "...), uint64(m.CallSerial), 10)
	if m.CallingNumber != "" {
		b = appendQuoted(b, ", from ", m.CallingNumber)
	}
	if m.CalledNumber != "" {
		b = appendQuoted(b, ", to ", m.CalledNumber)
	}
	return string(b)
}

// shortWords is room for a message as it usually is, which is then put together without a detour.
const shortWords = 160

func appendQuoted(b []byte, what, value string) []byte {
	return strconv.AppendQuote(append(b, what...), value)
}

func appendNumber[T ~uint16](b []byte, v T) []byte { return strconv.AppendUint(b, uint64(v), 10) }

func number[T ~uint16](v T) string { return strconv.Itoa(int(v)) }
