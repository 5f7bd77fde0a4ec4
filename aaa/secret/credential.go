package secret

import (
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"

	"lnsgate/aaa"
)

// Limits of a password.
const (
	MaxUnits     = 256 // UTF-16 units, what MS-CHAPv2 can hash (RFC 2759 section 8.3)
	MaxPAPOctets = 255 // octets, what the length octet of PAP can carry (RFC 1334 section 2.2.1)
)

// Why a clear password cannot be used. Match with errors.Is.
var (
	ErrEmpty   = errors.New("the password is empty")
	ErrNotText = errors.New("the password is not UTF-8, so MS-CHAPv2 cannot use it")
	ErrTooLong = fmt.Errorf("the password is longer than %d UTF-16 units", MaxUnits)
)

// kind says what a Credential holds.
type kind uint8

const (
	kindDummy kind = iota
	kindClear
	kindNTHash
	kindHashed
)

// Credential is what is stored to check an account's proofs. The zero value is the dummy: it never matches, and a check
// against it costs the same as any other, so that an unknown name takes as long as a wrong password.
//
// What is held stands behind a pointer, so that fmt cannot print it even from an unexported field of another struct.
type Credential struct {
	kind  kind
	held  *material // nil for the dummy
	fault error     // why the password cannot be used
}

// material is what must never be printed.
type material struct {
	clear aaa.Secret
	hash  [16]byte // the NT hash: MD4 over the password in UTF-16, little endian
	slow  *slowHash
}

// emptyHash is the NT hash of the empty password: 31d6cfe0d16ae931b73c59d7e0c089c0.
var emptyHash = ntHash("")

// nothing is what the dummy is checked against.
var nothing material

func (c Credential) material() *material {
	if c.held == nil {
		return &nothing
	}
	return c.held
}

// Clear is a credential that holds the password itself. It checks every method. A password that cannot be used (see
// Validate) never matches.
func Clear(password aaa.Secret) Credential {
	text := password.Reveal()
	if err := validate(text); err != nil {
		return Credential{fault: err}
	}
	return Credential{kind: kindClear, held: &material{clear: password, hash: ntHash(text)}}
}

// NTHash is a credential that holds only the NT hash. It checks PAP and MS-CHAPv2; CHAP needs the clear password. The
// hash is as good as the password for MS-CHAPv2: guard it the same.
//
// The hash of the empty password never matches, as the empty password itself (see Validate).
func NTHash(hash [16]byte) Credential {
	if hash == emptyHash {
		return Credential{fault: ErrEmpty}
	}
	return Credential{kind: kindNTHash, held: &material{hash: hash}}
}

// NTHashOf computes the NT hash of a password, to be stored. Errors: those of Validate.
func NTHashOf(password aaa.Secret) ([16]byte, error) {
	text := password.Reveal()
	if err := validate(text); err != nil {
		return [16]byte{}, err
	}
	return ntHash(text), nil
}

// Slow reports whether a PAP check takes milliseconds and megabytes by intent (see Hashed), so that the caller has to
// bound how many run at once.
func (c Credential) Slow() bool { return c.material().slow != nil }

// Decoy is a credential that never matches, and whose check costs what a check of c costs: for names that do not exist
// beside others that are stored as c is.
func (c Credential) Decoy() Credential {
	if !c.Slow() {
		return Credential{}
	}
	return Credential{held: &material{slow: c.held.slow}}
}

// Validate says why the credential can never match: ErrEmpty, ErrNotText, ErrTooLong or ErrHash; nil if it is fit for
// use. The dummy is not at fault.
func (c Credential) Validate() error { return c.fault }

// IsZero reports whether the credential can never match: the dummy, or a password that cannot be used.
func (c Credential) IsZero() bool { return c.kind == kindDummy }

// String names what is held, never the secret.
func (c Credential) String() string {
	if c.kind == kindHashed {
		return c.held.slow.algorithm + " hash"
	}
	return [...]string{kindDummy: "no credential", kindClear: "clear password", kindNTHash: "NT hash"}[c.kind]
}

// GoString is String.
func (c Credential) GoString() string { return c.String() }

func validate(password string) error {
	switch {
	case password == "":
		return ErrEmpty
	case !utf8.ValidString(password):
		return ErrNotText
	case len(password) > 3*MaxUnits || len(utf16.Encode([]rune(password))) > MaxUnits:
		return ErrTooLong
	}
	return nil
}
