package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// File keeps bans in a file, whose name it is. It is readable JSON.
type File string

// Load reads the file. One that does not exist holds nothing.
func (f File) Load() ([]Ban, error) {
	text, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []Ban
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("the bans of operators are not known: %s: %w", f, err)
	}
	return all, nil
}

// Save replaces the file in one step.
func (f File) Save(all []Ban) error {
	text, err := json.MarshalIndent(all, "", "\t")
	if err == nil {
		err = writeThrough(string(f)+".new", text)
	}
	if err == nil {
		err = os.Rename(string(f)+".new", string(f))
	}
	if err != nil {
		return fmt.Errorf("a restart will not know of this: %w", err)
	}
	return nil
}

// writeThrough writes a file, and waits until the disk has it: else a power cut after the rename may leave an empty one.
func writeThrough(name string, text []byte) error {
	to, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = to.Write(text)
	return errors.Join(err, to.Sync(), to.Close())
}
