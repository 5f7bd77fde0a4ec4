package netns

import "testing"

// recorder stands for a *testing.T.
type recorder struct{ skipped, failed bool }

func (*recorder) Helper()                 {}
func (r *recorder) Skipf(string, ...any)  { r.skipped = true }
func (r *recorder) Fatalf(string, ...any) { r.failed = true }
func (*recorder) Cleanup(func())          {}

func TestAMissingThingSkipsOrFails(t *testing.T) {
	Require(t)
	for _, c := range []struct {
		all             string
		skipped, failed bool
	}{{"", true, false}, {"1", false, true}} {
		t.Setenv("LNSGATE_TEST_ALL", c.all)
		var r recorder
		RequireCommand(&r, "no-such-command-here")
		if r.skipped != c.skipped || r.failed != c.failed {
			t.Errorf("LNSGATE_TEST_ALL=%q: skipped %v, failed %v", c.all, r.skipped, r.failed)
		}
	}
}
