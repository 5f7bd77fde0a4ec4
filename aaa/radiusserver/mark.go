package radiusserver

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

// mark is what goes into a Class of ours: whoever reads it in a record knows which login the record belongs to.
type mark struct {
	session string    // as in aaa.Request
	started time.Time // of the login, in whole seconds
	method  aaa.Method
	account string // "" = as the name
	domain  string
	backend string
}

// A Class of ours is
//
//	 0                   4        12       13
//	+----+----+----+----+--------+--------+-----------------------------------------------+
//	|  l    n    g    1 | began  | method | session, domain, backend, account             |
//	+----+----+----+----+--------+--------+-----------------------------------------------+
//
// began is in seconds since 1970; each text has an octet for its length in front.
const (
	markMagic  = "lng1"
	markHeader = len(markMagic) + 8 + 1
)

// encode writes the mark. The texts that do not fit any more are left empty; the session always fits.
func (m *mark) encode() []byte {
	b := binary.BigEndian.AppendUint64([]byte(markMagic), uint64(m.started.Unix()))
	b = append(b, byte(m.method))
	for i, text := range []string{m.session, m.domain, m.backend, m.account} {
		if room := wire.MaxValue - len(b) - (4 - i); len(text) > room {
			text = ""
		}
		b = append(append(b, byte(len(text))), text...)
	}
	return b
}

// decodeMark reads a Class. False: it is not one of ours.
func decodeMark(class []byte) (m mark, ok bool) {
	if len(class) < markHeader || string(class[:len(markMagic)]) != markMagic {
		return mark{}, false
	}
	began := binary.BigEndian.Uint64(class[len(markMagic):])
	if began > 1<<40 {
		return mark{}, false
	}
	m.started, m.method = time.Unix(int64(began), 0), aaa.Method(class[markHeader-1])
	rest := class[markHeader:]
	for _, text := range []*string{&m.session, &m.domain, &m.backend, &m.account} {
		if len(rest) == 0 || int(rest[0]) >= len(rest) {
			return mark{}, false
		}
		*text, rest = string(rest[1:1+int(rest[0])]), rest[1+int(rest[0]):]
	}
	return m, len(rest) == 0 && m.session != ""
}

// newSession names a login, unique over all servers and restarts. The name of the client tells an administrator more than
// the rest. Names rise with time, as text too, so that those of a client are neighbours in every index and the next one comes last.
func newSession(client string, now time.Time) string {
	const timed = 6 // octets: milliseconds
	var b [15]byte
	binary.BigEndian.PutUint64(b[:], uint64(now.UnixMilli())<<(64-8*timed))
	rand.Read(b[timed:]) //nolint:errcheck // never fails
	return sessionPrefix(client) + strings.ToLower(base32.HexEncoding.EncodeToString(b[:]))
}

// sessionPrefix is what the sessions of a client begin with. No other client can make us believe that a session is its own.
func sessionPrefix(client string) string {
	const longest, digits = 64, 16
	if len(client) > longest { // what is cut off may be all that two names differ in
		whole := sha256.Sum256([]byte(client))
		client = client[:longest-digits] + hex.EncodeToString(whole[:digits/2])
	}
	return strings.ToValidUTF8(client, "") + "/"
}
