package secret

import (
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-crypt/x/crypt"
)

// The hashes of crypt(3) that are checked. The oldest, of 13 characters, looks at eight of the password and is not.
const (
	md5Crypt    = "md5-crypt"    // $1$
	sha256Crypt = "sha256-crypt" // $5$
	sha512Crypt = "sha512-crypt" // $6$
)

// Rounds of sha256-crypt and sha512-crypt. The least is that of the method; a thousand times as many take up to a second.
const (
	usualCryptRounds = 5000
	minCryptRounds   = 1000
	maxCryptRounds   = 1000 * 1000
)

// cryptForms lists how the texts begin, how long a salt is at most, and how long the sum is.
var cryptForms = []struct {
	prefix, algorithm string
	maxSalt, sum      int
}{
	{"$1$", md5Crypt, 8, 22},
	{"$5$", sha256Crypt, 16, 43},
	{"$6$", sha512Crypt, 16, 86},
}

// parseCrypt reads $1$salt$sum, $5$salt$sum or $6$salt$sum; the last two may say rounds=N$ before the salt. A salt that
// crypt(3) would have cut short, or rounds that it would have raised, are never in what it made.
func parseCrypt(text string) (*slowHash, error) {
	for _, form := range cryptForms {
		rest, found := strings.CutPrefix(text, form.prefix)
		if !found {
			continue
		}
		h := &slowHash{algorithm: form.algorithm}
		if form.algorithm != md5Crypt {
			var err error
			if h.rounds, rest, err = cryptRounds(form.algorithm, rest); err != nil {
				return nil, err
			}
		}
		salt, sum, _ := strings.Cut(rest, "$")
		if len(salt) > form.maxSalt || len(sum) != form.sum || strings.Trim(sum, cryptAlphabet) != "" {
			return nil, fmt.Errorf("%w: %s with a salt or sum of no use", ErrHash, form.algorithm)
		}
		h.salt, h.sum = []byte(salt), []byte(sum)
		return h, nil
	}
	return nil, fmt.Errorf("%w: it is neither argon2id, bcrypt, $6$, $5$ nor $1$", ErrHash)
}

const cryptAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// cryptRounds takes rounds=N$ from the front of what follows the prefix.
func cryptRounds(algorithm, text string) (rounds int, rest string, err error) {
	given, found := strings.CutPrefix(text, "rounds=")
	if !found {
		return usualCryptRounds, text, nil
	}
	number, rest, _ := strings.Cut(given, "$")
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return 0, "", fmt.Errorf("%w: %s with rounds that are no number", ErrHash, algorithm)
	}
	if n < minCryptRounds || n > maxCryptRounds {
		return 0, "", fmt.Errorf("%w: %s with rounds=%d; %d to %d are allowed", ErrHash, algorithm, n, minCryptRounds, maxCryptRounds)
	}
	return int(n), rest, nil
}

// crypt computes the sum of a password as it stands in the text.
func (h *slowHash) crypt(password []byte) []byte {
	switch h.algorithm {
	case md5Crypt:
		return crypt.KeyMD5Crypt(password, h.salt)
	case sha256Crypt:
		return crypt.KeySHACrypt(sha256.New, password, h.salt, h.rounds)
	}
	return crypt.KeySHACrypt(sha512.New, password, h.salt, h.rounds)
}
