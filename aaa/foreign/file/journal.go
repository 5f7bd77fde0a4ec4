package file

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"lnsgate/pool"
)

// journal is a file of addresses that were offered, one JSON value on a line. It is written without waiting for the disk: the
// process may be killed and the offers are there, and after a power cut the logins begin anew anyway.
type journal struct {
	path string
	most int // octets that the file gets until it is written anew

	mu     sync.Mutex
	file   *os.File
	size   int
	offers []pool.Lease // those that may not have run out, the oldest first
}

// mostJournal is journal.most.
const mostJournal = 4 << 20

func openJournal(path string, now time.Time) (*journal, error) {
	j := &journal{path: path, most: mostJournal}
	raw, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		var l pool.Lease
		if json.Unmarshal(lines.Bytes(), &l) == nil && l.Expires.After(now) { // the last line may be cut
			j.offers = append(j.offers, l)
		}
	}
	return j, j.renew(now)
}

// renew writes the file anew with what has not run out.
func (j *journal) renew(now time.Time) error {
	j.offers = slices.DeleteFunc(j.offers, func(l pool.Lease) bool { return !l.Expires.After(now) })
	var b []byte
	for i := range j.offers {
		b = appendLine(b, &j.offers[i])
	}
	if err := os.WriteFile(j.path+".new", b, 0o600); err != nil {
		return err
	}
	if err := os.Rename(j.path+".new", j.path); err != nil {
		return err
	}
	file, err := os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if j.file != nil {
		_ = j.file.Close()
	}
	j.file, j.size = file, len(b)
	return nil
}

func appendLine(b []byte, l *pool.Lease) []byte {
	raw, _ := json.Marshal(l) // of plain values: it does not fail
	return append(append(b, raw...), '\n')
}

func (j *journal) add(l pool.Lease, now time.Time) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.size > j.most {
		if err := j.renew(now); err != nil {
			return err
		}
		if j.size > j.most/2 { // that many are open: it grows on
			j.size = 0
		}
	}
	line := appendLine(nil, &l)
	j.offers = append(j.offers, l)
	j.size += len(line)
	_, err := j.file.Write(line)
	return err
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.file.Close()
}

// Offered implements foreign.Offers.
func (s *Store) Offered(_ context.Context, l pool.Lease) error {
	return s.offers.add(l, s.config.Now())
}

// Offers implements foreign.Offers.
func (s *Store) Offers(context.Context) ([]pool.Lease, error) {
	s.offers.mu.Lock()
	defer s.offers.mu.Unlock()
	var open []pool.Lease
	for _, l := range s.offers.offers {
		if l.Expires.After(s.config.Now()) {
			open = append(open, l)
		}
	}
	return open, nil
}
