package radiusserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// mostPins is how many sources are remembered. To be one of them takes a secret.
const mostPins = 1 << 16

// pins are the sources that are known to sign their Access-Requests (see Auto).
type pins struct {
	mu    sync.RWMutex
	known map[netip.Addr]bool
	due   bool // somebody is about to write the file

	saving sync.Mutex // one writes the file at a time
	path   string     // "" = nothing is kept
}

// pinFile is what the file holds.
type pinFile struct {
	Signing []netip.Addr `json:"signing"`
}

// newPins reads the file. One that is not there is empty; one that cannot be read is an error, for to forget it would open a
// door that was shut.
func newPins(path string) (*pins, error) {
	p := &pins{known: make(map[netip.Addr]bool), path: path}
	if path == "" {
		return p, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	var file pinFile
	if err == nil {
		err = json.Unmarshal(text, &file)
	}
	if err != nil {
		return nil, fmt.Errorf("the file of those who sign: %w; correct it, or delete it to begin anew", err)
	}
	for _, a := range file.Signing {
		p.known[a] = true
	}
	return p, nil
}

// signs says whether a source is known to sign.
func (p *pins) signs(source netip.Addr) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.known[source.Unmap()]
}

// add notes that a source signs. It says whether the file is to be written: once for all that come before it is.
func (p *pins) add(source netip.Addr) bool {
	if source = source.Unmap(); p.signs(source) {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.known) >= mostPins || p.known[source] {
		return false
	}
	p.known[source] = true
	first := !p.due
	p.due = true
	return first
}

func (p *pins) len() int {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return len(p.known)
}

// list is for the file: what comes from now on is due to be written again.
func (p *pins) list() []netip.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.due = false
	list := make([]netip.Addr, 0, len(p.known))
	for a := range p.known {
		list = append(list, a)
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return list
}

// save writes the file anew, whole or not at all.
func (p *pins) save() error {
	if p.path == "" {
		return nil
	}
	p.saving.Lock()
	defer p.saving.Unlock()
	text, err := json.MarshalIndent(pinFile{p.list()}, "", "\t")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(p.path), filepath.Base(p.path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), p.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
