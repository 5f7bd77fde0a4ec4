package boltfile

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// written makes a file with some pages.
func written(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "folder", "file")
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket([]byte("b"))
		for n := range 200 {
			err = errors.Join(err, b.Put([]byte{byte(n)}, bytes.Repeat([]byte{byte(n)}, 500)))
		}
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFileIsForItsOwner(t *testing.T) {
	info, err := os.Stat(written(t))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestFileOfAnotherProcess(t *testing.T) {
	path := written(t)
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := Open(path); !errors.Is(err, ErrInUse) {
		t.Errorf("a second: %v", err)
	}
}

// However a file is cut or spoilt, opening it says so or reads on; it never panics, and lets go of the file.
func TestDamage(t *testing.T) {
	whole, err := os.ReadFile(written(t))
	if err != nil {
		t.Fatal(err)
	}
	damaged := 0
	spoil := func(name string, content []byte) {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := Open(path)
		if _, is := errors.AsType[*Damage](err); err != nil && !is {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			db.Close()
			return
		}
		damaged++
	}
	for cut := 1; cut < len(whole); cut += 1 << 12 {
		spoil("cut", whole[:cut])
	}
	for at := 0; at < len(whole); at += 1 << 12 {
		broken := bytes.Clone(whole)
		copy(broken[at:], bytes.Repeat([]byte{0xa5}, 1<<11))
		spoil("spoilt", broken)
	}
	if damaged < 10 {
		t.Errorf("only %d damaged files were noticed", damaged)
	}
}
