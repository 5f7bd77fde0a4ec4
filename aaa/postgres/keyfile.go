package postgres

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"lnsgate/aaa/secret"
)

// maxKeyFile bounds what is read: more than a thousand keys.
const maxKeyFile = 1 << 17

// ErrOpenToOthers says that others than the owner may read or write a key file. Match with errors.Is.
var ErrOpenToOthers = errors.New("others than its owner may read or write it; run chmod 600")

// ReadKeys reads a key file (see secret.ParseKeys). A file that its group or everybody may read or write is refused.
func ReadKeys(path string) (*secret.Keys, error) {
	text, err := readPrivate(path)
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	keys, err := secret.ParseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	return keys, nil
}

func readPrivate(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat() // of what was opened, not of what may stand there a moment later
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a file")
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("mode %04o: %w", info.Mode().Perm(), ErrOpenToOthers)
	case info.Size() > maxKeyFile:
		return nil, fmt.Errorf("it has %d octets, which is no key file", info.Size())
	}
	return io.ReadAll(io.LimitReader(file, maxKeyFile))
}

// AddKey writes a new random key into a key file, which is made if it is not there, with mode 0600. As the first one it
// seals from the next reload on. As the last one it only opens: that is the step to take on every node before any node
// seals with it. The file is replaced as a whole or not at all.
func AddKey(path, id string, first bool) error {
	text, err := readPrivate(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("key file %s: %w", path, err)
	}
	var octets [secret.KeyOctets]byte
	rand.Read(octets[:]) //nolint:errcheck // never fails
	line := []byte(secret.KeyLine(id, octets).Reveal())
	if len(text) > 0 && text[len(text)-1] != '\n' {
		text = append(text, '\n')
	}
	if first {
		text = append(line, text...)
	} else {
		text = append(text, line...)
	}
	if _, err := secret.ParseKeys(text); err != nil {
		return fmt.Errorf("key file %s: %w", path, err)
	}
	return replaceFile(path, text)
}

func replaceFile(path string, text []byte) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".keys-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(file.Name()) //nolint:errcheck // the first error is the one to tell
		}
	}()
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
