package client

import "testing"

// A server that starts anew cuts all connections. A request tries each of those that it does not know of yet, and then a new one.
func TestARequestOutlivesAllConnectionsThatWereCutAtOnce(t *testing.T) {
	for _, links := range []int{1, 3} {
		s, g, e, tries := &server{links: make([]*link, links)}, &Group{}, exchange{}, 0
		for again := true; again && tries < 10; tries++ {
			s.links = s.links[:max(0, len(s.links)-1)]
			e.note(s, Try{Err: errCut})
			again = e.endless(g)
		}
		if tries != links+1 {
			t.Errorf("with %d connections it is tried %d times", links, tries)
		}
	}
}
