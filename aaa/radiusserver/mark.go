package radiusserver

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/dialect"
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

	link, delegated netip.Prefix // that it was lent; many a NAS does not tell
}

// A Class of ours is
//
//	 0                   4        12       13
//	+----+----+----+----+--------+--------+-----------------------------------------------+
//	|  l    n    g    1 | began  | method | session, domain, backend, account             |
//	+----+----+----+----+--------+--------+-----------------------------------------------+
//
// began is in seconds since 1970; each text has an octet for its length in front. The two prefixes follow in the same way, if there is
// one: the octet of its length in bits, and those of its address that this takes.
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
	if link, delegated := prefixOctets(m.link), prefixOctets(m.delegated); len(link)+len(delegated) > 0 && len(b)+2+len(link)+len(delegated) <= wire.MaxValue {
		b = append(append(b, byte(len(link))), link...)
		b = append(append(b, byte(len(delegated))), delegated...)
	}
	return b
}

// prefixOctets is a prefix as short as it can be.
func prefixOctets(p netip.Prefix) []byte {
	if !p.IsValid() {
		return nil
	}
	return dialect.PrefixOctets(p)[1:]
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
	texts := []*string{&m.session, &m.domain, &m.backend, &m.account}
	var link, delegated string
	for i := 0; i < len(texts); i++ {
		if len(rest) == 0 || int(rest[0]) >= len(rest) {
			return mark{}, false
		}
		*texts[i], rest = string(rest[1:1+int(rest[0])]), rest[1+int(rest[0]):]
		if texts[i] == &m.account && len(rest) > 0 {
			texts = append(texts, &link, &delegated)
		}
	}
	var linked, delegates bool
	m.link, linked = prefixOf(link)
	m.delegated, delegates = prefixOf(delegated)
	return m, linked && delegates && len(rest) == 0 && m.session != ""
}

// prefixOf reads what prefixOctets has written. False: it is malformed.
func prefixOf(octets string) (netip.Prefix, bool) {
	if octets == "" {
		return netip.Prefix{}, true
	}
	p, err := wire.ParsePrefix(append([]byte{0}, octets...))
	return p, err == nil
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
