package secret

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"lnsgate/aaa"
)

// Why a sealed value cannot be read. Match with errors.Is.
var (
	ErrUnknownKey = errors.New("there is no such key in the key file")
	ErrSeal       = errors.New("the sealed value does not open: it was changed, or it was sealed for another account")
)

// Sizes of AES-256-GCM.
const (
	KeyOctets   = 32
	NonceOctets = 12
)

// Keys are what credentials are sealed with. They live in a file outside the database, so that a copy of the database
// is worth nothing without it. The first one seals; all of them open. Keys are immutable and print as stars.
type Keys struct{ list []sealingKey }

type sealingKey struct {
	id   string
	aead cipher.AEAD
}

// Binding is what a sealed value belongs to. A value that is moved to another account, or kind, does not open.
type Binding struct {
	Account int64  // the number of the account, which it keeps when it is renamed
	Kind    string // of the credential: sealed, nt
}

// ParseKeys reads the text of a key file: one key a line, an id and 32 octets in base64 with a blank between them. Empty
// lines, and what follows a #, do not count. The errors name lines and never show a key.
func ParseKeys(text []byte) (*Keys, error) {
	var k Keys
	for number, line := range strings.Split(string(text), "\n") {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if err := k.add(fields); err != nil {
			return nil, fmt.Errorf("line %d: %w", number+1, err)
		}
	}
	if len(k.list) == 0 {
		return nil, errors.New("there is no key in it")
	}
	return &k, nil
}

func (k *Keys) add(fields []string) error {
	if len(fields) != 2 || !isKeyID(fields[0]) {
		return errors.New("a key is written as an id, a blank, and 32 octets in base64")
	}
	id := fields[0]
	octets, err := base64.StdEncoding.DecodeString(fields[1])
	switch {
	case err != nil || len(octets) != KeyOctets:
		return fmt.Errorf("key %q is not %d octets in base64", id, KeyOctets)
	case bytes.Equal(octets, make([]byte, KeyOctets)):
		return fmt.Errorf("key %q is all zeros", id)
	case k.find(id) != nil:
		return fmt.Errorf("key %q is there twice", id)
	}
	block, err := aes.NewCipher(octets)
	if err != nil {
		return err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return err
	}
	k.list = append(k.list, sealingKey{id, aead})
	return nil
}

func isKeyID(id string) bool {
	return len(id) <= 64 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
}

// KeyLine writes a key as a line of a key file, with the line end. The octets are random.
func KeyLine(id string, octets [KeyOctets]byte) aaa.Secret {
	return aaa.NewSecret(id + " " + base64.StdEncoding.EncodeToString(octets[:]) + "\n")
}

// Current is the id of the key that seals.
func (k *Keys) Current() string { return k.list[0].id }

// IDs lists the ids of all keys, the one that seals first.
func (k *Keys) IDs() []string {
	ids := make([]string, len(k.list))
	for i, key := range k.list {
		ids[i] = key.id
	}
	return ids
}

// Seal seals octets with the current key and returns the value, nonce first, and the id of the key. The nonce is random:
// it must never repeat under one key.
func (k *Keys) Seal(clear []byte, b Binding, nonce [NonceOctets]byte) (value []byte, keyID string) {
	key := &k.list[0]
	return key.aead.Seal(nonce[:], nonce[:], clear, b.additional(key.id)), key.id
}

// Open reads a sealed value. Errors: ErrUnknownKey, ErrSeal.
func (k *Keys) Open(value []byte, b Binding, keyID string) ([]byte, error) {
	key := k.find(keyID)
	switch {
	case key == nil:
		return nil, fmt.Errorf("key %q: %w", keyID, ErrUnknownKey)
	case len(value) < NonceOctets:
		return nil, ErrSeal
	}
	clear, err := key.aead.Open(nil, value[:NonceOctets], value[NonceOctets:], b.additional(keyID))
	if err != nil {
		return nil, ErrSeal
	}
	return clear, nil
}

func (k *Keys) find(id string) *sealingKey {
	if k == nil {
		return nil
	}
	i := slices.IndexFunc(k.list, func(key sealingKey) bool { return key.id == id })
	if i < 0 {
		return nil
	}
	return &k.list[i]
}

// additional is the data that is authenticated with the value. The lengths of the parts cannot be confused: the number
// has eight octets, and no kind has a zero octet.
func (b Binding) additional(keyID string) []byte {
	data := append([]byte("lnsgate credential"), 0)
	data = binary.BigEndian.AppendUint64(data, uint64(b.Account))
	data = append(data, b.Kind...)
	return append(append(data, 0), keyID...)
}

// Format writes stars, whatever the verb.
func (*Keys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, aaa.Secret{}.String()) }
