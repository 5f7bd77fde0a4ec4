package explain

import (
	"slices"
	"testing"
	"testing/synctest"

	"lnsgate/lns/trace"
)

// virtual are the rows that need nothing but peers, in virtual time.
func virtual() []row {
	return slices.Concat(tunnelRows(), callRows(), linkRows(), loginRows(), banRows(), grantRows(), networkRows(), lifeRows())
}

func TestEveryCauseIsExplained(t *testing.T) {
	for _, r := range virtual() {
		t.Run(r.cause.Name()+"/"+r.how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, r.set)
				defer l.close()
				r.play(l)
				synctest.Wait()
				l.judge(r)
			})
		})
	}
}

// Not to be provoked: that no reason is known would be a fault, and an attempt that is under way has no verdict yet.
var notVerdicts = []trace.Cause{trace.Unknown, trace.InProgress}

func TestEveryCauseHasAProvocation(t *testing.T) {
	var missing []trace.Cause
	rows := slices.Concat(virtual(), realRows(nil))
	for _, c := range trace.Causes() {
		if !slices.Contains(notVerdicts, c) && !slices.ContainsFunc(rows, func(r row) bool { return r.cause == c }) {
			missing = append(missing, c)
		}
	}
	if len(missing) > 0 {
		t.Errorf("never provoked: %s", names(missing))
	}
}
