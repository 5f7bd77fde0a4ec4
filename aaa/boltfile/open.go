package boltfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// ErrInUse is the answer of Open when another process has the file.
var ErrInUse = errors.New("in use by another lnsgate: stop it, or give this one a state_dir of its own")

// patience is how long Open waits for a process that is just ending.
const patience = time.Second

// Damage says that a file is not what was written.
type Damage struct{ Err error }

// Error says what is wrong.
func (d *Damage) Error() string { return "damaged: " + d.Err.Error() }

// Unwrap returns what is wrong.
func (d *Damage) Unwrap() error { return d.Err }

// Open opens the file, or makes it and its folder, for its owner alone. It answers *Damage when the file is unreadable, and ErrInUse.
func Open(path string) (*bolt.DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.Size() > 0 {
		if err := probe(path); err != nil {
			return nil, err
		}
	}
	return open(path, &bolt.Options{Timeout: patience, FreelistType: bolt.FreelistMapType, NoFreelistSync: true})
}

// SetAside renames a damaged file and answers the new name.
func SetAside(path string, now time.Time) (string, error) {
	aside := path + ".damaged-" + now.UTC().Format("20060102T150405")
	return aside, os.Rename(path, aside)
}

// Read runs one read of a file that may be damaged: *Damage instead of a panic.
func Read(db *bolt.DB, read func(*bolt.Tx) error) (err error) {
	return Careful(func() error { return db.View(read) })
}

// Careful runs what works on a file that may be damaged: *Damage instead of a panic.
func Careful(work func() error) (err error) {
	before := debug.SetPanicOnFault(true) // a read behind the end of the file is then a panic of this goroutine alone
	defer debug.SetPanicOnFault(before)
	defer catch(&err)
	return work()
}

// probe reads the whole file once without changing it. bbolt panics on a damaged page, in a goroutine of its own where nobody
// can catch it, when it opens a file for writing.
func probe(path string) (err error) {
	db, err := open(path, &bolt.Options{Timeout: patience, ReadOnly: true, NoStatistics: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return Read(db, func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			var before []byte
			return b.ForEach(func(k, v []byte) error {
				if before != nil && bytes.Compare(before, k) >= 0 {
					return &Damage{fmt.Errorf("bucket %q is out of order", name)}
				}
				before = k
				touch(k, v)
				return nil
			})
		})
	})
}

// touch reads every page of the slices.
func touch(slices ...[]byte) {
	var sum byte
	for _, s := range slices {
		for at := 0; at < len(s); at += os.Getpagesize() {
			sum ^= s[at]
		}
		if len(s) > 0 {
			sum ^= s[len(s)-1]
		}
	}
	runtime.KeepAlive(sum)
}

// open is bolt.Open without its panics, and with errors that an administrator understands.
func open(path string, options *bolt.Options) (db *bolt.DB, err error) {
	var file *os.File
	options.OpenFile = func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
		file, err = os.OpenFile(name, flag, mode)
		return file, err
	}
	defer func() {
		if _, damaged := errors.AsType[*Damage](err); damaged && file != nil {
			_ = file.Close() // a panic left it open, and locked
		}
	}()
	before := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(before)
	defer catch(&err)
	db, err = bolt.Open(path, 0o600, options)
	switch _, system := errors.AsType[syscall.Errno](err); {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, ErrInUse
	case err != nil && !system:
		return nil, &Damage{err}
	}
	return db, err
}

// catch turns a panic over a damaged page, and the fault of reading behind the end of a file, into *Damage.
func catch(err *error) {
	if fault := recover(); fault != nil {
		*err = &Damage{fmt.Errorf("%v", fault)}
	}
}
