package lac

import "time"

// queue orders tunnels by deadline: a binary heap in which each tunnel knows its place, so that a new deadline costs
// the logarithm and not a search.
type queue []*loadTunnel

// first is the earliest deadline; zero when there is none.
func (q queue) first() time.Time {
	if len(q) == 0 {
		return time.Time{}
	}
	return q[0].deadline
}

// set puts the tunnel where its deadline belongs; a zero deadline takes it out.
func (q *queue) set(t *loadTunnel, deadline time.Time) {
	switch {
	case deadline.IsZero():
		q.remove(t)
	case t.place < 0:
		t.deadline, t.place = deadline, len(*q)
		*q = append(*q, t)
		q.rise(t.place)
	case !deadline.Equal(t.deadline):
		t.deadline = deadline
		q.rise(t.place)
		q.sink(t.place)
	}
}

func (q *queue) remove(t *loadTunnel) {
	if t.place < 0 {
		return
	}
	hole, last := t.place, len(*q)-1
	q.swap(hole, last)
	(*q)[last] = nil
	*q = (*q)[:last]
	t.place = -1
	if hole < last {
		q.rise(hole)
		q.sink(hole)
	}
}

func (q queue) swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q queue) rise(i int) {
	for i > 0 {
		above := (i - 1) / 2
		if !q[i].deadline.Before(q[above].deadline) {
			return
		}
		q.swap(i, above)
		i = above
	}
}

func (q queue) sink(i int) {
	for {
		least := 2*i + 1
		if least >= len(q) {
			return
		}
		if right := least + 1; right < len(q) && q[right].deadline.Before(q[least].deadline) {
			least = right
		}
		if !q[least].deadline.Before(q[i].deadline) {
			return
		}
		q.swap(i, least)
		i = least
	}
}
