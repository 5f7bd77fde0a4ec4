package foreign

import (
	"testing"
	"time"

	"lnsgate/aaa"
)

// A NAS that does not answer is remembered for as long as something may have to be told to it, and not for ever: behind a proxy there
// may be ever more.
func TestTheDeskForgetsANASThatIsAway(t *testing.T) {
	d, now, silent := newDesk(4), time.Unix(1_800_000_000, 0), false
	d.take([]Order{{Session: aaa.Record{NAS: &aaa.NAS{Name: "gone"}}}}, now.Add(time.Minute), 256)
	c, ok := d.pick()
	if !ok {
		t.Fatal("there is nothing to tell")
	}
	d.done(c, &silent, now.Add(time.Minute))
	if names := d.full(now); len(names) != 1 {
		t.Errorf("it is away, and asked for %q not to be claimed", names)
	}
	if d.full(now.Add(2 * time.Minute)); !d.lines["gone"].away {
		t.Error("its next order is due, and it is forgotten that it is away")
	}
	if d.full(now.Add(forgetAway + 2*time.Minute)); len(d.lines) != 0 {
		t.Errorf("%d lines are left", len(d.lines))
	}
}
