package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// memory is what is written in the state file: the addresses of servers that were seen to sign their replies.
type memory struct {
	Version int      `json:"version"`
	Signs   []string `json:"signs"`
}

const memoryVersion = 1

// recall reads the file. One that is not there is empty; one that is damaged is an error, and is going to be replaced when
// there is something new to write.
func recall(file string) ([]string, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var m memory
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", file, err)
	}
	if m.Version != memoryVersion {
		return nil, fmt.Errorf("%s is of version %d, not %d", file, m.Version, memoryVersion)
	}
	return m.Signs, nil
}

// keepInMind replaces the file, so that it is the old or the new one whatever happens meanwhile.
func keepInMind(file string, signs []string) (err error) {
	if file == "" {
		return nil
	}
	slices.Sort(signs)
	text, err := json.Marshal(memory{memoryVersion, signs})
	if err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(next.Name())
		}
	}()
	_, err = next.Write(append(text, '\n'))
	if err = errors.Join(err, next.Sync(), next.Close()); err != nil {
		return err
	}
	if err = os.Rename(next.Name(), file); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(file))
}

// syncFolder makes a new name in the folder last.
func syncFolder(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
