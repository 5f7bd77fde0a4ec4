package eap

import (
	"crypto/rand"
	"encoding/hex"
	"strings"

	"lnsgate/aaa"
	"lnsgate/aaa/eap/packet"
	"lnsgate/aaa/secret"
)

// serverName is what peers are told of who asks. They do not need it.
const serverName = "lnsgate"

// challengeLength is that of MD5-Challenge and of MS-CHAPv2, in octets.
const challengeLength = 16

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) //nolint:errcheck // never fails
	return b
}

// md5Challenge is RFC 3748 section 5.4: CHAP, with the identifier of the packet.
type md5Challenge struct{ challenge []byte }

func newMD5() method { return &md5Challenge{random(challengeLength)} }

func (m *md5Challenge) begin(uint8) []byte { return packet.AppendMD5(nil, m.challenge, serverName) }

func (m *md5Challenge) step(t *turn, p packet.Packet) move {
	value, _, err := packet.ParseMD5(p.Data)
	if err != nil {
		return move{odd: true}
	}
	d, no := t.prove(t.name, aaa.Proof{Method: aaa.CHAP, Identifier: p.Identifier, Challenge: m.challenge, Response: value})
	if no != nil {
		return refuse(no)
	}
	d.Keys = aaa.Keys{} // it makes none
	return move{yes: d}
}

// tokenCard is RFC 3748 section 5.6, for a password. It shows it in clear, so it is offered in a tunnel alone.
type tokenCard struct{}

func newGTC() method { return tokenCard{} }

func (tokenCard) begin(uint8) []byte { return []byte("Password") }

func (tokenCard) step(t *turn, p packet.Packet) move {
	d, no := t.prove(t.name, aaa.Proof{Method: aaa.PAP, Password: aaa.NewSecret(string(p.Data))})
	return move{yes: d, no: no}
}

// mschapv2 is draft-kamath-pppext-eap-mschapv2: MS-CHAPv2, and each side says that it has understood how it ended.
type mschapv2 struct {
	id        uint8
	challenge []byte
	yes       *aaa.Decision  // waits for the peer to believe it
	no        *aaa.Rejection // waits for the peer to have heard of it
}

func newMSCHAPv2() method { return &mschapv2{challenge: random(challengeLength)} }

func (m *mschapv2) begin(id uint8) []byte {
	m.id = id
	return packet.CHAP{Op: packet.OpChallenge, Identifier: id, Value: m.challenge, Text: serverName}.Append(nil)
}

func (m *mschapv2) step(t *turn, p packet.Packet) move {
	c, err := packet.ParseCHAP(p.Data)
	switch {
	case err != nil:
		return move{odd: true}
	case m.no != nil: // whatever it says
		return refuse(m.no)
	case m.yes != nil && c.Op == packet.OpSuccess:
		return move{yes: m.yes}
	case m.yes != nil && c.Op == packet.OpFailure:
		return malformed("the peer does not believe that this server knows its password")
	case m.yes != nil, c.Op != packet.OpResponse, c.Identifier != m.id, len(c.Value) != packet.ResponseLength:
		return move{odd: true}
	}
	return m.check(t, c)
}

func (m *mschapv2) check(t *turn, c packet.CHAP) move {
	name := whoAnswers(t.name, c.Text)
	d, no := t.prove(name, aaa.Proof{Method: aaa.MSCHAPv2, Identifier: c.Identifier, Challenge: m.challenge, Response: c.Value})
	switch {
	case no != nil && no.Retryable():
		return refuse(no)
	case no != nil:
		m.no = no
		return move{say: packet.CHAP{Op: packet.OpFailure, Identifier: m.id, Text: m.failure()}.Append(nil)}
	}
	m.yes, d.Keys = d, mschapv2Keys(d.Keys)
	text := d.Reply
	if !strings.Contains(text, " M=") {
		text += " M=OK"
	}
	return move{say: packet.CHAP{Op: packet.OpSuccess, Identifier: m.id, Text: text}.Append(nil)}
}

// failure is the message of RFC 2759 section 6: wrong name or password, and no second try. It is the same whatever went wrong.
func (m *mschapv2) failure() string {
	return "E=691 R=0 C=" + strings.ToUpper(hex.EncodeToString(random(challengeLength))) + " V=3 M=Authentication failed"
}

// whoAnswers is who an MS-CHAPv2 response is of. The name in it is the one that was hashed; the identity counts where that is the
// same, perhaps with a domain in front that is not hashed.
func whoAnswers(identity, name string) string {
	if name == "" || secret.HashName(identity) == secret.HashName(name) {
		return identity
	}
	return name
}

// mschapv2Keys are the keys of EAP-MSCHAPv2: its MSK is what the server receives with, what it sends with, and zeros.
func mschapv2Keys(k aaa.Keys) aaa.Keys {
	const length = mskHalf / 2
	receive, send := k.Receive.Reveal(), k.Send.Reveal()
	if len(receive) != length || len(send) != length {
		return aaa.Keys{}
	}
	return halves(append([]byte(receive+send), make([]byte, mskHalf)...))
}
