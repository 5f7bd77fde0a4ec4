package configs

import (
	"cmp"
	_ "embed" // the two files
	"errors"
	"os"
	"path/filepath"
	"slices"
)

//go:embed minimal.yaml
var minimal []byte

//go:embed reference.yaml
var reference []byte

// Minimal returns the text of the smallest useful configuration.
func Minimal() []byte { return slices.Clone(minimal) }

// Reference returns the text of the configuration with every key, its default and its meaning.
func Reference() []byte { return slices.Clone(reference) }

// Load reads a file, lets the environment override single values (LNSGATE_LOG__LEVEL for log.level) and resolves the
// secret files it names. An error is a *[Faults] with everything that is wrong. The warnings are of no consequence for
// running.
func Load(path string) (*Config, []Warning, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, &Faults{Name: path, List: []Fault{{Message: "the file cannot be read: " + reason(err)}}}
	}
	overrides, faults := readEnvironment(os.Environ())
	return load(data, path, overrides, faults, true)
}

// Parse reads a configuration from memory, without the environment. The name stands in messages, and secret files are
// looked for in its directory.
func Parse(data []byte, name string) (*Config, []Warning, error) {
	return load(data, name, nil, nil, false)
}

func load(data []byte, name string, overrides []override, faults []Fault, isFile bool) (*Config, []Warning, error) {
	s := readShape(data)
	faults = append(faults, s.faults...)
	if len(s.lines) == 0 {
		return nil, nil, &Faults{Name: name, List: faults} // there was nothing to decode
	}
	cfg, more := decode(data, overrides)
	if cfg == nil && len(faults) > 0 {
		return nil, nil, &Faults{Name: name, List: faults} // they say in our words why it could not be decoded
	}
	for _, f := range more {
		if !explained(faults, f.Path) {
			faults = append(faults, f)
		}
	}
	if cfg == nil {
		return nil, nil, &Faults{Name: name, List: faults}
	}
	cfg.widenPools()
	c := &checker{cfg: cfg, lines: s.lines, faults: faults}
	c.resolveSecrets(filepath.Dir(name))
	cfg.Node = cmp.Or(cfg.Node, hostNode())
	c.check()
	if len(c.faults) > 0 {
		return nil, nil, &Faults{Name: name, List: c.sorted()}
	}
	c.warn()
	if isFile {
		c.warnOfReadableFile(name)
	}
	return cfg, c.sortedWarnings(), nil
}

// Place returns faults that others have found in the file of this name as its error: in the order of the file, with the
// lines of their paths.
func Place(name string, faults []Fault) *Faults {
	c := &checker{faults: slices.Clone(faults)}
	if data, err := os.ReadFile(name); err == nil {
		c.lines = readShape(data).lines
	}
	return &Faults{Name: name, List: c.sorted()}
}

// reason is an error of the file system without the path, which is known.
func reason(err error) string {
	var at *os.PathError
	if errors.As(err, &at) {
		return at.Err.Error()
	}
	return err.Error()
}
