package authenticate

import (
	"lnsgate/aaa"
	"lnsgate/lns/ppp"
)

// receivePAP takes an Authenticate-Request. While it is being checked, and after the verdict, repeats cause no second
// check (RFC 1334 section 2.2.1). Peers give every repeat a new identifier and look for it in the answer, so the
// verdict carries that of the last one.
func (a *Authenticator) receivePAP(p ppp.Packet, out *Out) {
	if p.Code != ppp.PAPAuthenticateRequest {
		return
	}
	request, err := ppp.ParsePAPRequest(p.Data)
	if err != nil {
		a.garbled = true
		return
	}
	ask := papAsk(string(request.Name), request.Password)
	switch a.stage {
	case stageAsking:
		a.ask(p.Identifier, ask, out)
	case stageDeciding:
		if ask.Name == a.asked.Name && ask.Proof.Password.Equal(a.asked.Proof.Password) {
			a.answerID = p.Identifier
		}
	case stageOver:
		a.answerID = p.Identifier
		a.repeat(out)
	}
}

func papAsk(name string, password []byte) Ask {
	return Ask{Name: name, Proof: aaa.Proof{Method: aaa.PAP, Password: aaa.NewSecret(string(password))}}
}

func papVerdict(ok bool, message string) ppp.Packet {
	code := ppp.PAPAuthenticateNak
	if ok {
		code = ppp.PAPAuthenticateAck
	}
	return ppp.Packet{Code: code, Data: ppp.AppendPAPMessage(nil, message)}
}
