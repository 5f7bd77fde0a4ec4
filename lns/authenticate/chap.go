package authenticate

import (
	"bytes"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/ppp"
)

// Lengths of the Response Value.
const (
	md5ResponseLength    = 16 // RFC 1994 section 4.1 with MD5
	mschapResponseLength = 49 // RFC 2759 section 4
)

func responseLength(m aaa.Method) int {
	if m == aaa.MSCHAPv2 {
		return mschapResponseLength
	}
	return md5ResponseLength
}

// challenge sends the Challenge. A repeat has the same octets as the first one, identifier and value included: an
// answer to the first that crosses the second on a slow path has to count. (RFC 1994 section 4.1 asks for a change with
// each challenge; a repeat is the same challenge once more.)
func (a *Authenticator) challenge(now time.Time, out *Out) {
	value := ppp.CHAPValue{Value: a.cfg.Challenge, Name: []byte(a.cfg.LocalName)}
	out.send(ppp.CHAP, ppp.Packet{Code: ppp.CHAPChallenge, Identifier: a.cfg.Identifier, Data: value.Append(nil)})
	a.sent++
	a.resend = now.Add(a.cfg.Restart)
}

// receiveCHAP takes a Response to our Challenge. After the verdict any Response with its identifier gets the same
// answer and no second check (RFC 1994 section 4.1); that also keeps a peer from trying several passwords.
func (a *Authenticator) receiveCHAP(p ppp.Packet, out *Out) {
	if p.Code != ppp.CHAPResponse || p.Identifier != a.cfg.Identifier {
		return
	}
	switch a.stage {
	case stageAsking:
		value, err := ppp.ParseCHAPValue(p.Data)
		a.answerID = p.Identifier
		if err != nil || len(value.Value) != responseLength(a.cfg.Protocol) {
			a.conclude(MalformedAnswer, a.failureMessage(Result{}), out)
			return
		}
		a.ask(p.Identifier, a.chapAsk(string(value.Name), value.Value), out)
	case stageOver:
		a.repeat(out)
	}
}

// chapAsk makes the question for CHAP and MS-CHAPv2. It owns its octets.
func (a *Authenticator) chapAsk(name string, response []byte) Ask {
	return Ask{Name: name, Proof: aaa.Proof{
		Method:     a.cfg.Protocol,
		Identifier: a.cfg.Identifier,
		Challenge:  bytes.Clone(a.cfg.Challenge),
		Response:   bytes.Clone(response),
	}}
}

func chapVerdict(ok bool, message string) ppp.Packet {
	code := ppp.CHAPFailure
	if ok {
		code = ppp.CHAPSuccess
	}
	return ppp.Packet{Code: code, Data: []byte(message)}
}
