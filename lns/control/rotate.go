package control

import (
	"crypto/subtle"

	"lnsgate/lns/l2tp"
)

// A secret cannot be changed at both ends in the same moment. So there may be previous ones beside it, for as long as not every
// peer has the new one. Which of them a peer has is known for certain from its answer to our challenge. Before that:
//
//   - A hidden AVP of its SCCRQ can be read with the right secret only, or nearly so.
//   - Without one, its own challenge is answered with Config.Secret. A peer that has a previous secret refuses that (WhySecretRefused),
//     and nothing in L2TP lets us try again in the same tunnel. The owner, who sees who was refused, may put the secrets into
//     another order when the peer dials the next time.

// secret is the one that this peer has, as far as is known.
func (t *Tunnel) secret() l2tp.Secret { return t.cfg.secretAt(t.secretAt) }

func (c *Config) secretAt(i int) l2tp.Secret {
	if i == 0 {
		return c.Secret
	}
	return c.PreviousSecrets[i-1]
}

// PeerSecret tells which secret the peer has: 0 is Config.Secret, 1 the first of the previous ones; and whether it has proved that.
func (t *Tunnel) PeerSecret() (which int, proved bool) { return t.secretAt, t.proved }

// recognise finds the secret that the peer has answered our challenge with. It takes as long for any of them as for none.
func (t *Tunnel) recognise(carrier l2tp.MessageType, challenge, response []byte) bool {
	which, found := 0, 0
	for i := range len(t.cfg.PreviousSecrets) + 1 {
		want := l2tp.ChallengeResponse(carrier, t.cfg.secretAt(i), challenge)
		right := subtle.ConstantTimeCompare(want[:], response)
		which = subtle.ConstantTimeSelect(right&^found, i, which)
		found |= right
	}
	if found == 0 {
		return false
	}
	t.secretAt, t.proved = which, true
	return true
}

// parse reads a message. The one that begins the tunnel is read with each secret in turn, until one fits what is hidden in it.
func (t *Tunnel) parse(payload []byte) (l2tp.Message, error) {
	m, err := l2tp.ParseWith(payload, t.reading(t.secret()))
	if err == nil || t.peer.Tunnel != 0 {
		return m, err
	}
	for i := range t.cfg.PreviousSecrets {
		if other, fault := l2tp.ParseWith(payload, t.reading(t.cfg.PreviousSecrets[i])); fault == nil {
			t.secretAt = i + 1
			return other, nil
		}
	}
	return m, err
}

func (t *Tunnel) reading(s l2tp.Secret) l2tp.ParseOptions {
	return l2tp.ParseOptions{Secret: s, TolerateUnknownMandatory: t.cfg.TolerateUnknownMandatory}
}
