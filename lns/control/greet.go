package control

import (
	"bytes"
	"io"
	"time"

	"lnsgate/lns/l2tp"
)

// ChallengeLen is how long our challenges are, in octets.
const ChallengeLen = 16

// Handshake is all that a tunnel needs to know between its SCCRP and the SCCCN of the peer. It is a value without pointers but those of
// the names in Peer.
type Handshake struct {
	Peer       PeerInfo
	Challenge  [ChallengeLen]byte // ours, if Challenged
	Challenged bool
	Answered   bool   // our SCCRP answers a challenge of the peer
	Opening    uint64 // digest of the SCCRQ
	Secret     int    // as PeerSecret tells it
}

// Greet answers an SCCRQ and keeps nothing: what it returns is enough for Resume to go on when the SCCCN comes. The answer, or the
// refusal, is in out; ok is false when there is nothing to go on with, and the error says what is wrong with the datagram, if anything
// is. A challenge is given to say the same again to a peer that repeats its SCCRQ; with nil there is a new one.
func Greet(cfg Config, challenge []byte, datagram []byte, now time.Time, out *Out) (h Handshake, ok bool, err error) {
	cfg = cfg.withDefaults()
	if cfg.RequireAuthentication && challenge != nil {
		cfg.Rand = io.MultiReader(bytes.NewReader(challenge), cfg.Rand) // of all that is random the challenge is drawn first
	}
	t := New(cfg)
	if err = t.Receive(datagram, now, out); t.state != StateWaitCtlConn {
		return Handshake{}, false, err
	}
	h = Handshake{Peer: t.peer, Challenged: t.challenge != nil, Answered: t.answered, Opening: t.opening, Secret: t.secretAt}
	copy(h.Challenge[:], t.challenge)
	return h, true, err
}

// Resume makes the tunnel whose SCCRQ Greet has answered, in state wait-ctl-conn. Its SCCRP counts as acknowledged: what the peer says
// next shows that it has come, and until then it is for the peer to repeat its SCCRQ.
func Resume(cfg Config, h Handshake, now time.Time) *Tunnel {
	t := New(cfg)
	t.meet(h.Peer)
	t.state, t.deadline = StateWaitCtlConn, now.Add(t.cfg.SetupTimeout)
	t.channel.una, t.channel.expected = 1, 1
	t.opening, t.answered = h.Opening, h.Answered
	if h.Challenged {
		t.challenge = bytes.Clone(h.Challenge[:])
	}
	t.secretAt = min(h.Secret, len(t.cfg.PreviousSecrets))
	t.Alive(now)
	return t
}

// Opening is the digest of an SCCRQ, by which a repetition is told from a new beginning.
func Opening(datagram []byte) uint64 {
	_, payload, err := l2tp.ParseHeader(datagram)
	if err != nil {
		return 0
	}
	return digest(payload)
}
