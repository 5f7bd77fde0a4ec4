package fading

import (
	"testing"
	"time"
)

func TestWhatFadesIsBoundedAndForgotten(t *testing.T) {
	f := New[int, int](10*time.Second, 100)
	now := time.Unix(1e9, 0)
	put := func(k int) { f.Change(k, now, func(n int) int { return n + 1 }) }
	for i := range 1000 {
		put(i)
		if f.Size() > 100 {
			t.Fatalf("%d are remembered", f.Size())
		}
	}
	if n, ok := f.Get(999, now); !ok || n != 1 {
		t.Error("the last one is forgotten")
	}
	put(999)
	if n, _ := f.Get(999, now); n != 2 {
		t.Errorf("%d, want 2", n)
	}
	now = now.Add(4 * time.Second)
	if _, ok := f.Get(999, now); !ok {
		t.Error("forgotten before half of the time")
	}
	now = now.Add(6 * time.Second)
	if _, ok := f.Get(999, now); ok || f.Size() != 0 {
		t.Error("remembered after all of the time")
	}
	put(5)
	f.Forget(5)
	if _, ok := f.Get(5, now); ok {
		t.Error("not forgotten")
	}
}
