package fair

// Map is a Queue whose things have names.
type Map[K comparable, V any] struct {
	places map[K]*Place[named[K, V]]
	order  *Queue[named[K, V]]
}

type named[K comparable, V any] struct {
	name  K
	thing V
}

// NewMap makes one that keeps so many at most.
func NewMap[K comparable, V any](most int) *Map[K, V] {
	return &Map[K, V]{places: make(map[K]*Place[named[K, V]]), order: NewQueue[named[K, V]](most)}
}

// Get returns what has the name.
func (m *Map[K, V]) Get(name K) (thing V, there bool) {
	p := m.places[name]
	if p == nil {
		return thing, false
	}
	return p.Thing.thing, true
}

// Put keeps something as the newest, in the place of what had its name. It returns the name of what has given way to it.
func (m *Map[K, V]) Put(name K, thing V, client string) (gone K, full bool) {
	m.Delete(name)
	if p := m.order.Surplus(); p != nil {
		gone, full = p.Thing.name, true
		m.Delete(gone)
	}
	m.places[name] = m.order.Add(named[K, V]{name, thing}, client)
	return gone, full
}

// Delete keeps it no longer, and says whether it was kept.
func (m *Map[K, V]) Delete(name K) bool {
	p := m.places[name]
	if p == nil {
		return false
	}
	m.order.Remove(p)
	delete(m.places, name)
	return true
}

// Len is how many are kept.
func (m *Map[K, V]) Len() int { return len(m.places) }
