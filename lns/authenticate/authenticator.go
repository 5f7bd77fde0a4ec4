package authenticate

import (
	"bytes"
	"cmp"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/ppp"
)

// Defaults of Config and PeerConfig.
const (
	DefaultName        = "lnsgate"
	DefaultTimeout     = 30 * time.Second
	DefaultRestart     = 3 * time.Second
	DefaultMaxTransmit = 10
)

// challengeLength is that of MS-CHAPv2 (RFC 2759 section 3), and what we use for CHAP too.
const challengeLength = 16

// Config is what an Authenticator needs. A zero duration, count or name means the default above.
type Config struct {
	Protocol    aaa.Method    // PAP, CHAP, MSCHAPv2 or EAP, as LCP has agreed
	LocalName   string        // the name in the Challenge; it is never empty, some peers insist on one
	Challenge   []byte        // 16 random octets, fresh for each login
	Identifier  uint8         // of the Challenge or the Identity Request; take another one for each login
	Timeout     time.Duration // for the peer's answer, from Start on; EAP: for each answer
	Restart     time.Duration // between two Challenges
	MaxTransmit int           // Challenges at most
	PeerMRU     int           // EAP: the largest packet that the peer takes, octets; 0 means 1500
}

// stage is how far an Authenticator or a Peer has come.
type stage uint8

const (
	stageIdle     stage = iota // before Start
	stageAsking                // authenticator: no answer yet; peer: no verdict yet
	stageDeciding              // authenticator: the answer is being checked
	stageOver                  // the verdict was given; repeats get the same answer
	stageSilent                // it ended without a verdict; nothing is answered any more
)

// Authenticator is our side when the peer has to prove who it is. It is owned by one session and not safe for
// concurrent use. It stays after the end of the phase to answer repeats.
type Authenticator struct {
	cfg   Config
	stage stage

	end      time.Time // of the wait for an answer
	resend   time.Time // of the Challenge
	sent     int       // Challenges so far
	garbled  bool      // an answer came that could not be read
	asked    Ask       // what is being checked
	answerID uint8     // the identifier the verdict carries
	verdict  ppp.Packet
	eap      *eapTalk // nil but for EAP
}

// NewAuthenticator makes an authenticator. It does nothing before Start or Adopt.
func NewAuthenticator(cfg Config) *Authenticator {
	if cfg.LocalName == "" {
		cfg.LocalName = DefaultName
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.Restart <= 0 {
		cfg.Restart = DefaultRestart
	}
	if cfg.MaxTransmit <= 0 {
		cfg.MaxTransmit = DefaultMaxTransmit
	}
	cfg.Challenge = bytes.Clone(cfg.Challenge)
	return &Authenticator{cfg: cfg}
}

// Start opens the phase: the Challenge is sent, or for PAP the wait for the peer's request begins. A second call does
// nothing.
func (a *Authenticator) Start(now time.Time, out *Out) {
	if a.stage != stageIdle {
		return
	}
	if !a.usable() {
		a.fall(Unusable, out)
		return
	}
	a.stage, a.end = stageAsking, now.Add(a.cfg.Timeout)
	switch a.cfg.Protocol {
	case aaa.PAP:
	case aaa.EAP:
		a.requestIdentity(now, out)
	default:
		a.challenge(now, out)
	}
}

// usable says whether the method and its challenge fit.
func (a *Authenticator) usable() bool {
	switch a.cfg.Protocol {
	case aaa.PAP, aaa.EAP:
		return true
	case aaa.CHAP:
		return len(a.cfg.Challenge) > 0 && len(a.cfg.Challenge) <= 255
	case aaa.MSCHAPv2:
		return len(a.cfg.Challenge) == challengeLength
	}
	return false
}

// Collected is an answer that a LAC has collected from the peer before the call reached us (RFC 2661 section 4.4.5).
type Collected struct {
	Name       string
	Identifier uint8
	Challenge  []byte     // empty for PAP
	Response   ppp.Secret // the password for PAP
}

// Adopt takes a collected answer in place of Start: the Ask follows at once and the peer is asked nothing. It reports
// false, and nothing has happened, if the answer does not fit the method; the peer has to be asked then.
func (a *Authenticator) Adopt(c Collected, _ time.Time, out *Out) bool {
	if a.stage != stageIdle || c.Name == "" || a.cfg.Protocol == aaa.EAP { // there is no AVP for EAP
		return false
	}
	if a.cfg.Protocol == aaa.PAP {
		a.ask(c.Identifier, papAsk(c.Name, c.Response), out)
		return true
	}
	own := a.cfg
	a.cfg.Challenge, a.cfg.Identifier = bytes.Clone(c.Challenge), c.Identifier
	if !a.usable() || len(c.Response) != responseLength(a.cfg.Protocol) {
		a.cfg = own
		return false
	}
	a.ask(c.Identifier, a.chapAsk(c.Name, c.Response), out)
	return true
}

// Receive takes a PAP, CHAP or EAP frame. One that does not belong to this conversation, or comes too early, is dropped.
func (a *Authenticator) Receive(f ppp.Frame, _ time.Time, out *Out) {
	if a.stage == stageIdle || a.stage == stageSilent || f.Protocol != a.protocol() {
		return
	}
	p, err := ppp.ParsePacket(f.Packet)
	switch {
	case err != nil:
		a.garbled = true
	case a.cfg.Protocol == aaa.PAP:
		a.receivePAP(p, out)
	case a.cfg.Protocol == aaa.EAP:
		a.receiveEAP(p, f.Packet, out)
	default:
		a.receiveCHAP(p, out)
	}
}

// protocol is the PPP protocol of the method.
func (a *Authenticator) protocol() ppp.Protocol { return protocolOf(a.cfg.Protocol) }

func protocolOf(m aaa.Method) ppp.Protocol {
	switch m {
	case aaa.PAP:
		return ppp.PAP
	case aaa.EAP:
		return ppp.EAP
	}
	return ppp.CHAP
}

// ask has a proof checked. From here on the caller bounds the time: a second factor may take its own.
func (a *Authenticator) ask(id uint8, ask Ask, out *Out) {
	a.stage, a.answerID, a.asked = stageDeciding, id, ask
	a.end, a.resend = time.Time{}, time.Time{}
	out.Ask = &ask
}

// Result is the verdict on an Ask, with what the peer is told. Texts are cut and made printable where it matters.
type Result struct {
	OK          bool
	Reply       string // MS-CHAPv2: if OK, the authenticator response "S=<40 HEX>", with or without a text behind it; if not, a whole "E=691 R=0 ..."
	Message     string // a text for the person; "" = ours
	MSCHAPError int    // MS-CHAPv2, if not OK and without a Reply: what the peer is told; 0 = ErrorAuthenticationFailure
	Packet      []byte // EAP: the Success or Failure; one that does not fit the verdict is replaced by ours
}

// Resolve answers the Ask: the peer gets the verdict, and Done follows. Without an open Ask it does nothing.
func (a *Authenticator) Resolve(r Result, _ time.Time, out *Out) {
	if a.stage != stageDeciding {
		return
	}
	a.asked = Ask{}
	if a.cfg.Protocol == aaa.EAP {
		a.resolveEAP(r, out)
		return
	}
	if !r.OK {
		a.conclude(Refused, a.failureMessage(r), out)
		return
	}
	message, proves := cmp.Or(shown(r.Message), SuccessText), true
	if a.cfg.Protocol == aaa.MSCHAPv2 {
		message, proves = successMessage(r.Reply, message)
	}
	if !proves {
		a.conclude(NoAuthenticatorResponse, a.failureMessage(Result{}), out)
		return
	}
	a.conclude(ReasonNone, message, out)
}

// failureMessage is what the peer is told. Only MS-CHAPv2 has a code.
func (a *Authenticator) failureMessage(r Result) string {
	text := shown(r.Message)
	if a.cfg.Protocol != aaa.MSCHAPv2 {
		return cmp.Or(text, FailureText)
	}
	if message, ok := failureReply(r.Reply); ok {
		return message
	}
	m := ErrorMessage{Code: cmp.Or(r.MSCHAPError, ErrorAuthenticationFailure), Version: 3, Text: text}
	copy(m.Challenge[:], a.cfg.Challenge)
	return m.String()
}

// conclude makes the verdict of PAP and CHAP and gives it.
func (a *Authenticator) conclude(reason Reason, message string, out *Out) {
	if a.cfg.Protocol == aaa.PAP {
		a.verdict = papVerdict(reason == ReasonNone, message)
	} else {
		a.verdict = chapVerdict(reason == ReasonNone, message)
	}
	a.finish(Done{OK: reason == ReasonNone, Reason: reason, Message: message}, out)
}

// finish sends the verdict, keeps it for repeats and ends the phase.
func (a *Authenticator) finish(d Done, out *Out) {
	a.stage = stageOver
	a.end, a.resend = time.Time{}, time.Time{}
	a.repeat(out)
	out.Done = &d
}

// repeat sends the verdict, with the identifier of the answer it belongs to.
func (a *Authenticator) repeat(out *Out) {
	a.verdict.Identifier = a.answerID
	out.send(a.protocol(), a.verdict)
}

// fall ends the phase without a verdict.
func (a *Authenticator) fall(reason Reason, out *Out) {
	a.stage = stageSilent
	a.end, a.resend = time.Time{}, time.Time{}
	out.Done = &Done{Reason: reason}
}

// Advance repeats the Challenge or gives up, as far as it is due.
func (a *Authenticator) Advance(now time.Time, out *Out) {
	if a.stage != stageAsking {
		return
	}
	due := !a.resend.IsZero() && !now.Before(a.resend)
	exhausted := a.sent >= a.cfg.MaxTransmit
	switch {
	case !now.Before(a.end), due && exhausted && a.cfg.Protocol != aaa.EAP:
		a.fall(a.silence(), out)
	case due && exhausted:
		a.resend = time.Time{} // a person may still be reading what the peer shows
	case due && a.cfg.Protocol == aaa.EAP:
		a.request(now, out)
	case due:
		a.challenge(now, out)
	}
}

// silence is why a wait for an answer was in vain.
func (a *Authenticator) silence() Reason {
	switch {
	case a.garbled:
		return MalformedAnswer
	case a.eap != nil && a.eap.turns > 0:
		return ChallengeUnanswered
	}
	return NoAnswer
}

// Deadline is when Advance is due. The zero time means that no timer runs.
func (a *Authenticator) Deadline() time.Time { return earlier(a.end, a.resend) }

// earlier returns the earlier of two times; the zero time means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
