package foreign

import "time"

// card is an entry as it lies in the book. There may be hundreds of thousands, which the garbage collector would look through
// again and again: so nearly all of an entry is one string, which it does not look into.
type card struct {
	older, newer *card // on the shelf
	session      string
	text         string // the rest of the entry
	doomed       string
	until, heard time.Duration // since the book was begun
	signs        [5]uint64     // of a login
	unheard      [2]uint64     // likewise: by which its offer is counted
	live, gone   bool          // gone: it is not in the book any more
}

// shelf is a row of cards.
type shelf struct{ first, last *card }

// add puts a card at the end.
func (s *shelf) add(c *card) {
	c.older, c.newer = s.last, nil
	if s.last == nil {
		s.first = c
	} else {
		s.last.newer = c
	}
	s.last = c
}

// remove takes a card off.
func (s *shelf) remove(c *card) {
	if c.older == nil {
		s.first = c.newer
	} else {
		c.older.newer = c.newer
	}
	if c.newer == nil {
		s.last = c.older
	} else {
		c.newer.older = c.older
	}
}

// write makes the card that of an entry. It returns the scratch, which it needs room in.
func (c *card) write(e *entry, begun time.Time, scratch []byte) []byte {
	p := pen{octets: scratch, begun: begun}
	p.entry(e)
	c.session, c.text, c.doomed, c.live = e.session, string(p.octets), e.doomed, e.live
	c.until, c.heard = e.until.Sub(begun), e.heard.Sub(begun)
	return p.octets
}

// entry is what the card says.
func (c *card) entry(begun time.Time) entry {
	p := pen{text: c.text, begun: begun, reads: true}
	e := entry{session: c.session, doomed: c.doomed, live: c.live}
	p.entry(&e)
	return e
}
