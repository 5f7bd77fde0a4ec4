package ebpf

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// sourceOfObjects is the hash of the C files from which the committed objects were made. After a change run go generate, and
// write the hash that the test tells.
const sourceOfObjects = "8d372e6381876ff073122033d71a502ce4fcd1be5517bf8670c80c74096ffdf4"

func TestTheObjectsAreMadeFromTheSource(t *testing.T) {
	if got := hashOf(t, "*.c", "*.h"); got != sourceOfObjects {
		t.Fatalf("the source has changed to %s: run go generate and write that here", got)
	}
	clang, err := exec.LookPath("clang-14")
	if err != nil {
		return // the hash has to do
	}
	object := filepath.Join(t.TempDir(), "path.o")
	output, err := exec.Command(clang, "-O2", "-g", "-mcpu=v3", "-target", "bpfel", "-Wall", "-Werror", "-D__TARGET_ARCH_x86",
		"-I/usr/include/x86_64-linux-gnu", "-c", "path.c", "-o", object).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	made, err := os.ReadFile(object)
	must(t, err)
	if want, got := code(t, _PathBytes), code(t, made); !bytes.Equal(want, got) {
		t.Errorf("the committed object has %d octets of code, the source makes %d others", len(want), len(got))
	}
}

// hashOf is that of all files whose names match, and of their names.
func hashOf(t *testing.T, patterns ...string) string {
	t.Helper()
	sum := sha256.New()
	for _, pattern := range patterns {
		names, err := filepath.Glob(pattern)
		must(t, err)
		for _, name := range names {
			b, err := os.ReadFile(name)
			must(t, err)
			fmt.Fprintf(sum, "%s %d\n%s", name, len(b), b)
		}
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// code is the instructions in an object.
func code(t *testing.T, object []byte) (all []byte) {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(object))
	must(t, err)
	for _, name := range []string{".text", "tcx/ingress", "tcx/egress"} {
		section := f.Section(name)
		if section == nil {
			t.Fatalf("the object has no %s", name)
		}
		b, err := section.Data()
		must(t, err)
		all = append(all, b...)
	}
	return all
}
