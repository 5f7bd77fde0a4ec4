package spool

import (
	"os"
)

// reserveSize is how much of the disk is kept for taking records off the queue: bbolt writes new pages before it frees the
// old ones, so on a disk without a free block the queue could not get shorter.
const reserveSize = 256 << 10

// reserve is a file without use beside ours, which is deleted when the disk is full.
type reserve struct {
	path string
	held bool
}

// hold makes the file if it is not there. If that fails, the disk is full already, or as good as.
func (r *reserve) hold() {
	if r.held {
		return
	}
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return
	}
	_, err = f.Write(make([]byte, reserveSize))
	if err == nil {
		err = f.Sync()
	}
	f.Close()
	if err != nil {
		os.Remove(r.path)
		return
	}
	r.held = true
}

// release deletes the file and reports whether that made room.
func (r *reserve) release() bool {
	if !r.held {
		return false
	}
	r.held = false
	return os.Remove(r.path) == nil
}
