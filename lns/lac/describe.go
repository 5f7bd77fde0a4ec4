package lac

import (
	"time"

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
		Detail: p.Detail(f.Protocol), Again: again,
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
