package secret

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"lnsgate/aaa"
)

// ErrHash says that the text of a stored hash cannot be used. Match with errors.Is.
var ErrHash = errors.New("the stored hash cannot be used")

// What HashArgon2id makes: the least that OWASP recommends, 35 ms on one core of 2024.
const (
	argonTime    = 2
	argonMemory  = 19 * 1024 // KiB
	argonThreads = 1
	argonSum     = 32 // octets
)

// Bounds of what Hashed accepts: nobody may have us spend seconds, or a gigabyte, on one check by what stands in a row.
const (
	maxArgonTime   = 16
	maxArgonMemory = 128 * 1024 // KiB
	maxBcryptCost  = 15         // two seconds
	maxBcrypt      = 72         // octets of the password that bcrypt looks at
)

// slowHash is a one-way form of a password that is slow to check by intent.
type slowHash struct {
	algorithm string // argon2id, bcrypt, or one of cryptForms
	text      []byte // bcrypt: the whole text

	salt, sum    []byte // argon2id: octets; crypt(3): as they stand in the text
	time, memory uint32 // argon2id
	threads      uint8  // argon2id
	rounds       int    // sha256-crypt, sha512-crypt
}

// Hashed is a credential that holds a one-way hash in its usual text form: $argon2id$v=19$m=...,t=...,p=...$salt$sum,
// $2a$ to $2y$ (bcrypt), or $1$, $5$ and $6$ of crypt(3). It checks PAP only. A text that is none of these, or that asks for an unreasonable amount of
// work, never matches (see Validate, ErrHash). The empty password never matches, nor does one of more than 72 octets
// against bcrypt, which would not look at the rest.
func Hashed(text string) Credential {
	var slow *slowHash
	var err error
	switch {
	case strings.HasPrefix(text, "$argon2id$"):
		slow, err = parseArgon2id(text)
	case strings.HasPrefix(text, "$2"):
		slow, err = parseBcrypt(text)
	default:
		slow, err = parseCrypt(text)
	}
	if err != nil {
		return Credential{fault: err}
	}
	return Credential{kind: kindHashed, held: &material{slow: slow}}
}

// HashArgon2id makes the text form of a password, to be stored. The salt is random.
func HashArgon2id(password aaa.Secret, salt [16]byte) string {
	sum := argon2.IDKey([]byte(password.Reveal()), salt[:], argonTime, argonMemory, argonThreads, argonSum)
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, argonMemory, argonTime, argonThreads, encode(salt[:]), encode(sum))
}

func parseBcrypt(text string) (*slowHash, error) {
	cost, err := bcrypt.Cost([]byte(text))
	switch {
	case err != nil || len(text) != 60:
		return nil, fmt.Errorf("%w: it is no bcrypt text", ErrHash)
	case cost > maxBcryptCost:
		return nil, fmt.Errorf("%w: bcrypt cost %d, at most %d is allowed", ErrHash, cost, maxBcryptCost)
	}
	return &slowHash{algorithm: "bcrypt", text: []byte(text)}, nil
}

func parseArgon2id(text string) (*slowHash, error) {
	parts := strings.Split(text, "$")
	h := &slowHash{algorithm: "argon2id"}
	var version int
	if len(parts) != 6 {
		return nil, fmt.Errorf("%w: it is no argon2id text", ErrHash)
	}
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return nil, fmt.Errorf("%w: argon2id of another version than %d", ErrHash, argon2.Version)
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.time, &h.threads); err != nil {
		return nil, fmt.Errorf("%w: argon2id without m, t and p", ErrHash)
	}
	if h.time < 1 || h.time > maxArgonTime || h.memory < 8 || h.memory > maxArgonMemory || h.threads < 1 {
		return nil, fmt.Errorf("%w: argon2id with m=%d,t=%d,p=%d; at most m=%d,t=%d is allowed", ErrHash,
			h.memory, h.time, h.threads, maxArgonMemory, maxArgonTime)
	}
	var err error
	if h.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err == nil {
		h.sum, err = base64.RawStdEncoding.DecodeString(parts[5])
	}
	if err != nil || len(h.salt) < 8 || len(h.salt) > 64 || len(h.sum) < 16 || len(h.sum) > 64 {
		return nil, fmt.Errorf("%w: argon2id with a salt or sum of no use", ErrHash)
	}
	return h, nil
}

// matches returns 1 if the password is the one that was hashed, else 0.
func (h *slowHash) matches(password string) int {
	octets := []byte(password)
	usable := 1 - subtle.ConstantTimeEq(int32(len(octets)), 0)
	switch h.algorithm {
	case md5Crypt, sha256Crypt, sha512Crypt:
		return usable & subtle.ConstantTimeCompare(h.crypt(octets), h.sum)
	case "bcrypt":
		fits := subtle.ConstantTimeLessOrEq(len(octets), maxBcrypt)
		if bcrypt.CompareHashAndPassword(h.text, octets[:min(len(octets), maxBcrypt)]) != nil {
			return 0
		}
		return usable & fits
	}
	sum := argon2.IDKey(octets, h.salt, h.time, h.memory, h.threads, uint32(len(h.sum)))
	return usable & subtle.ConstantTimeCompare(sum, h.sum)
}
