package arch

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestHouse holds the whole repository against all rules.
func TestHouse(t *testing.T) {
	files, err := Load(top(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("only %d Go files found: the wrong folder was read", len(files))
	}
	for _, fault := range Check(files) {
		t.Error(fault)
	}
}

// TestTableDescendsByLevel holds the table against its own rule: a room imports only rooms of lower levels. session
// alone puts two rooms of its level together.
func TestTableDescendsByLevel(t *testing.T) {
	for name, r := range rooms {
		for _, target := range r.may {
			below, listed := rooms[target]
			composed := name == "lns/session" && slices.Contains([]string{"lns/negotiate", "lns/authenticate", "lns/neighbour"}, target)
			switch {
			case !listed:
				t.Errorf("%s may import %s, which is in no row of the table", name, target)
			case below.level >= r.level && !composed:
				t.Errorf("%s (level %d) may import %s (level %d), which is not below it", name, r.level, target, below.level)
			case r.pure && !below.pure:
				t.Errorf("%s is pure and may import %s, which is not", name, target)
			case (within(name, "aaa") || within(name, "pool")) && r.level < 4 && within(target, "lns"):
				t.Errorf("%s may import %s, but aaa and pool never import lns", name, target)
			}
		}
	}
}

// top finds the folder of go.mod above this one.
func top(t *testing.T) string {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			t.Fatal("no go.mod above this folder")
		}
		folder = parent
	}
}
