package lac

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"lnsgate/lns/control"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/ppp"
)

// spoken remembers the last control packet of a protocol in each direction.
type spoken struct {
	sent, heard string
}

// sayControl tells one control message.
func (c *Caller) sayControl(a control.Said, now time.Time, out *Out) {
	if !c.cfg.Talk {
		return
	}
	stage := StageTunnel
	switch {
	case a.Message.OfCall():
		stage = StageCall
	case !c.tunnelUp.IsZero() && (a.Message == l2tp.TypeZLB || a.Message == l2tp.TypeHello):
		stage = StageUp
	}
	out.Said = append(out.Said, Said{
		At: now, Sent: a.Sent, Stage: stage, Session: a.Session, What: a.Message.String(),
		Detail: a.Detail, Again: a.Again, Routine: a.Message == l2tp.TypeZLB || a.Message == l2tp.TypeHello,
	})
}

// sayFrame tells one PPP control packet of ours.
func (c *Caller) sayFrame(k *call, f ppp.Frame, now time.Time, out *Out) {
	if c.cfg.Talk {
		c.say(k, f, true, now, out)
	}
}

// hearFrame tells one PPP control packet of the server's.
func (c *Caller) hearFrame(k *call, f ppp.Frame, now time.Time, out *Out) {
	if c.cfg.Talk && f.Protocol >= 0x8000 {
		c.say(k, f, false, now, out)
	}
}

func (c *Caller) say(k *call, f ppp.Frame, sent bool, now time.Time, out *Out) {
	p, err := ppp.ParsePacket(f.Packet)
	if err != nil {
		return
	}
	last, whole := c.last[f.Protocol], string(f.Packet)
	again := whole == last.heard
	if sent {
		again = whole == last.sent
		last.sent = whole
	} else {
		last.heard = whole
	}
	c.last[f.Protocol] = last
	out.Said = append(out.Said, Said{
		At: now, Sent: sent, Stage: stageOf(f.Protocol), Session: k.login.Session,
		What:   f.Protocol.String() + " " + ppp.CodeName(f.Protocol, p.Code),
		Detail: detailOf(f.Protocol, p), Again: again,
		Routine: f.Protocol == ppp.LCP && p.Code >= ppp.EchoRequest && p.Code <= ppp.DiscardRequest,
	})
}

func stageOf(p ppp.Protocol) Stage {
	switch p {
	case ppp.PAP, ppp.CHAP, ppp.EAP:
		return StageAuthentication
	case ppp.LCP:
		return StageLink
	default:
		return StageAddress
	}
}

// detailOf puts the content of a control packet into words. Secrets stay out: no password, no response.
func detailOf(protocol ppp.Protocol, p ppp.Packet) string {
	switch protocol {
	case ppp.PAP:
		return papDetail(p)
	case ppp.CHAP:
		return chapDetail(p)
	}
	switch p.Code {
	case ppp.ConfigureRequest, ppp.ConfigureAck, ppp.ConfigureNak, ppp.ConfigureReject:
		return optionsDetail(protocol, p.Data)
	case ppp.TerminateRequest:
		return quoted(p.Data)
	case ppp.ProtocolReject:
		if len(p.Data) >= 2 {
			return ppp.Protocol(uint16(p.Data[0])<<8 | uint16(p.Data[1])).String()
		}
	case ppp.Identification:
		if len(p.Data) > 4 {
			return quoted(p.Data[4:])
		}
	}
	return ""
}

func papDetail(p ppp.Packet) string {
	if p.Code == ppp.PAPAuthenticateRequest {
		r, err := ppp.ParsePAPRequest(p.Data)
		if err != nil {
			return "unreadable"
		}
		return "name " + printable(r.Name) + ", password ****"
	}
	message, err := ppp.ParsePAPMessage(p.Data)
	if err != nil {
		return "unreadable"
	}
	return quoted(message)
}

func chapDetail(p ppp.Packet) string {
	if p.Code != ppp.CHAPChallenge && p.Code != ppp.CHAPResponse {
		return quoted(p.Data)
	}
	v, err := ppp.ParseCHAPValue(p.Data)
	if err != nil {
		return "unreadable"
	}
	return fmt.Sprintf("name %s, %d octets", printable(v.Name), len(v.Value))
}

func optionsDetail(protocol ppp.Protocol, list ppp.Options) string {
	var words []string
	for o := range list.All() {
		words = append(words, optionWords(protocol, o))
	}
	if len(words) == 0 {
		return "no options"
	}
	return strings.Join(words, ", ")
}

func optionWords(protocol ppp.Protocol, o ppp.Option) string {
	switch protocol {
	case ppp.LCP:
		return lcpOptionWords(o)
	case ppp.IPCP:
		return ipcpOptionWords(o)
	default:
		return fmt.Sprintf("option %d", o.Type)
	}
}

func lcpOptionWords(o ppp.Option) string {
	switch o.Type {
	case ppp.LCPMRU:
		if mru, ok := o.MRU(); ok {
			return fmt.Sprintf("MRU %d", mru)
		}
	case ppp.LCPAuthentication:
		if p, algorithm, ok := o.Authentication(); ok {
			return "authentication " + authenticationName(p, algorithm)
		}
	case ppp.LCPMagic:
		if m, ok := o.Magic(); ok {
			return fmt.Sprintf("magic %08x", m)
		}
	case ppp.LCPACCM:
		return "async map"
	case ppp.LCPPFC:
		return "short protocol"
	case ppp.LCPACFC:
		return "short header"
	case ppp.LCPCallback:
		return "callback"
	case ppp.LCPMRRU:
		return "multilink"
	case ppp.LCPEndpointDiscriminator:
		return "endpoint"
	}
	return fmt.Sprintf("option %d", o.Type)
}

func authenticationName(p ppp.Protocol, algorithm uint8) string {
	switch {
	case p != ppp.CHAP:
		return p.String()
	case algorithm == ppp.AlgorithmMD5:
		return "CHAP-MD5"
	case algorithm == ppp.AlgorithmMSCHAPv2:
		return "MS-CHAPv2"
	case algorithm == ppp.AlgorithmMSCHAP:
		return "MS-CHAPv1"
	}
	return fmt.Sprintf("CHAP with algorithm %d", algorithm)
}

func ipcpOptionWords(o ppp.Option) string {
	names := map[uint8]string{
		ppp.IPCPAddress: "address", ppp.IPCPDNS1: "first DNS", ppp.IPCPDNS2: "second DNS",
		ppp.IPCPNBNS1: "first NBNS", ppp.IPCPNBNS2: "second NBNS",
	}
	name, known := names[o.Type]
	a, ok := o.Address()
	switch {
	case !known || !ok:
		return fmt.Sprintf("option %d", o.Type)
	case a.IsUnspecified():
		return name + " (any)"
	default:
		return name + " " + a.String()
	}
}

// quoted is a peer's text between quotation marks, or nothing.
func quoted(b []byte) string {
	if s := printable(b); s != "" {
		return `"` + s + `"`
	}
	return ""
}

// maxText bounds what a peer can make us print.
const maxText = 200

// printable makes a peer's octets safe for a terminal: what is no printable character becomes a dot.
func printable(b []byte) string {
	var s strings.Builder
	b = bytes.TrimRight(b, "\x00")
	for len(b) > 0 && s.Len() < maxText {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			r = '.'
		}
		s.WriteRune(r)
		b = b[n:]
	}
	return s.String()
}
