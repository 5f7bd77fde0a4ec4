package memory

import (
	"testing"

	"lnsgate/pool"
	"lnsgate/pool/pooltest"
)

func TestConformance(t *testing.T) {
	pooltest.Run(t, func(t testing.TB, s pooltest.Setup) pool.Keeper {
		a, err := New(Config{Pools: s.Pools, Statics: s.Statics, Now: s.Now})
		if err != nil {
			t.Fatal(err)
		}
		return a
	})
}
