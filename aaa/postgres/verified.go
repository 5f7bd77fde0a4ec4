package postgres

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/fading"
)

// maxVerified bounds the passwords that are remembered: two megabytes.
const maxVerified = 32768

// token stands for one password that was checked against one stored hash of one account.
type token [sha256.Size]byte

// verified remembers which passwords matched a slow hash, so that people who come back need no second one. It holds a
// code under a random key of this process, of the account, of the stored hash and of the password: nothing can be read
// from it, and it knows nothing of a credential that was changed since.
type verified struct {
	key  [32]byte
	seen *fading.Map[token, struct{}]
}

func newVerified(key [32]byte, life time.Duration) *verified {
	return &verified{key, fading.New[token, struct{}](max(0, life), maxVerified)}
}

func (v *verified) token(a *account, password aaa.Secret) (t token) {
	code := hmac.New(sha256.New, v.key[:])
	part := func(octets []byte) {
		code.Write(binary.BigEndian.AppendUint64(nil, uint64(len(octets))))
		code.Write(octets)
	}
	part(binary.BigEndian.AppendUint64(nil, uint64(a.id)))
	for _, f := range a.forms {
		part([]byte(f.kind))
		part(f.value)
	}
	part([]byte(password.Reveal()))
	return token(code.Sum(nil))
}

func (v *verified) knows(t token, now time.Time) bool {
	_, ok := v.seen.Get(t, now)
	return ok
}

func (v *verified) learn(t token, now time.Time) {
	v.seen.Change(t, now, func(struct{}) struct{} { return struct{}{} })
}
