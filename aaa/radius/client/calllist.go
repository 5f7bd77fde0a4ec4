package client

// callList is calls in the order in which they came, threaded through the calls themselves.
type callList struct {
	first, last *call
	count       int
}

func (q *callList) push(c *call) {
	c.previous, c.next = q.last, nil
	if q.last == nil {
		q.first = c
	} else {
		q.last.next = c
	}
	q.last = c
	q.count++
}

// remove takes out a call that is in the list.
func (q *callList) remove(c *call) {
	if c.previous == nil {
		q.first = c.next
	} else {
		c.previous.next = c.next
	}
	if c.next == nil {
		q.last = c.previous
	} else {
		c.next.previous = c.previous
	}
	c.next, c.previous = nil, nil
	q.count--
}
