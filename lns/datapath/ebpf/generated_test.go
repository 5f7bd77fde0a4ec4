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

// sourceOfObjects is the hash of the path.c from which the committed objects were made. After a change run go generate, and
// write the hash that the test tells.
const sourceOfObjects = "2fe38a9c856eff5193e35a716dc4104190c9650f809db363354f4eecae5fdaa9"

func TestTheObjectsAreMadeFromTheSource(t *testing.T) {
	source, err := os.ReadFile("path.c")
	must(t, err)
	if got := fmt.Sprintf("%x", sha256.Sum256(source)); got != sourceOfObjects {
		t.Fatalf("path.c has changed to %s: run go generate and write that here", got)
	}
	clang, err := exec.LookPath("clang-14")
	if err != nil {
		return // the hash has to do
	}
	object := filepath.Join(t.TempDir(), "path.o")
	output, err := exec.Command(clang, "-O2", "-g", "-mcpu=v1", "-target", "bpfel", "-Wall", "-Werror", "-D__TARGET_ARCH_x86",
		"-I/usr/include/x86_64-linux-gnu", "-c", "path.c", "-o", object).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	made, err := os.ReadFile(object)
	must(t, err)
	if want, got := code(t, _PathBytes), code(t, made); !bytes.Equal(want, got) {
		t.Errorf("the committed object has %d octets of code, path.c makes %d others", len(want), len(got))
	}
}

// code is the instructions in an object.
func code(t *testing.T, object []byte) (all []byte) {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(object))
	must(t, err)
	for _, name := range []string{"tcx/ingress", "tcx/egress"} {
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
