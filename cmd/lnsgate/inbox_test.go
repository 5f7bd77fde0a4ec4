package main

import "testing"

// Whoever puts is never held up, and whoever waits is woken once for all that came meanwhile.
func TestInboxNeverBlocks(t *testing.T) {
	b := newInbox[int]()
	for i := range 1000 {
		b.put([]int{i})
	}
	<-b.wake
	if items := b.take(); len(items) != 1000 || items[999] != 999 {
		t.Errorf("%d items", len(items))
	}
	if items := b.take(); len(items) != 0 {
		t.Errorf("again %v", items)
	}
}
