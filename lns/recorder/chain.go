package recorder

// chain is stories in the order in which they came. A story is in one chain at most, and has the links itself. The zero chain is empty.
type chain struct {
	first, last *Story
	count       int
}

// link is where in a chain a story is.
type link struct {
	of           *chain // nil: in none
	older, newer *Story
}

// append takes a story out of the chain in which it is, and puts it behind all others of this one.
func (c *chain) append(s *Story) {
	s.leave()
	s.link = link{of: c, older: c.last}
	if c.last == nil {
		c.first = s
	} else {
		c.last.newer = s
	}
	c.last = s
	c.count++
}

// leave takes the story out of its chain, if it is in one.
func (s *Story) leave() {
	l := s.link
	if l.of == nil {
		return
	}
	if l.older == nil {
		l.of.first = l.newer
	} else {
		l.older.newer = l.newer
	}
	if l.newer == nil {
		l.of.last = l.older
	} else {
		l.newer.older = l.older
	}
	l.of.count--
	s.link = link{}
}
