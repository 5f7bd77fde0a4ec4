package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// journalName is the file inside the state directory.
const journalName = "host-changes.json"

// change is a sysctl that was changed: it cannot carry a mark of its own.
type change struct {
	Sysctl string `json:"sysctl"`
	Old    string `json:"old"`
	New    string `json:"new"`
}

// journal keeps the changes that a crash would leave without a trace. Without a directory it keeps nothing.
type journal struct {
	directory string

	mu      sync.Mutex
	changes []change
}

func newJournal(directory string) *journal { return &journal{directory: directory} }

// read gives what a predecessor has left. A file that cannot be understood is an error; no file is not.
func (j *journal) read() ([]change, error) {
	if j.directory == "" {
		return nil, nil
	}
	b, err := os.ReadFile(filepath.Join(j.directory, journalName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var changes []change
	if err := json.Unmarshal(b, &changes); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(j.directory, journalName), err)
	}
	return changes, nil
}

// add notes a change. The first note of a sysctl stays: it has the value from before lnsgate.
func (j *journal) add(c change) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if slices.ContainsFunc(j.changes, func(have change) bool { return have.Sysctl == c.Sysctl }) {
		return nil
	}
	j.changes = append(j.changes, c)
	return j.write()
}

// remove forgets a change that has been taken back.
func (j *journal) remove(sysctl string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	before := len(j.changes)
	j.changes = slices.DeleteFunc(j.changes, func(c change) bool { return c.Sysctl == sysctl })
	if len(j.changes) == before {
		return nil
	}
	return j.write()
}

// forget empties the journal after CleanUp.
func (j *journal) forget() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.changes = nil
	return j.write()
}

// write replaces the file as a whole, so that a crash leaves the old one or the new one.
func (j *journal) write() error {
	if j.directory == "" {
		return nil
	}
	name := filepath.Join(j.directory, journalName)
	if len(j.changes) == 0 {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	b, err := json.MarshalIndent(j.changes, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(name+".new", append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}
