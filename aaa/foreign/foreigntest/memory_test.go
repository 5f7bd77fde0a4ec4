package foreigntest

import "testing"

func TestMemory(t *testing.T) {
	Run(t, func(*testing.T) Rig { return Rig{Store: NewMemory(nil)} })
}
