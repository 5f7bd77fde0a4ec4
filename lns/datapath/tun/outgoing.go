package tun

// outgoing is what one device is to be written. What its sessions have sent is told apart, so that packets of one flow come to lie
// side by side, where they can be merged: of many sessions, only few packets of a single batch belong together.
type outgoing struct {
	port    *port
	packets [][]byte
	owners  []owner // of the packets
	kept    int     // so many of the packets do not lie in the reader's buffers any more
	single  int     // for so many batches nothing is gathered: the packets were of as many sessions
	chains  chains

	sorted [][]byte // room for bringTogether
	whose  []owner
}

// owner is whose a packet is, and how long: a device may change the packet.
type owner struct {
	session *session
	octets  int
}

const (
	// mostGathered is how many packets wait for one device at most.
	mostGathered = 1 << 10
	// alone is for how many batches nothing is gathered when it did not pay.
	alone = 1 << 6
)

func newOutgoing(p *port) *outgoing {
	return &outgoing{
		port: p, packets: make([][]byte, 0, mostGathered), owners: make([]owner, 0, mostGathered),
		sorted: make([][]byte, 0, mostGathered), whose: make([]owner, 0, mostGathered),
	}
}

func (o *outgoing) isFull() bool { return len(o.packets) == mostGathered }

// add puts a packet behind the others.
func (o *outgoing) add(packet []byte, whose owner) {
	o.packets = append(o.packets, packet)
	o.owners = append(o.owners, whose)
	o.chains.add(o.owners)
}

// hasOf says whether packets of a session are waiting.
func (o *outgoing) hasOf(s *session) bool {
	return len(o.owners) > 0 && *o.chains.of(s, o.owners) != 0
}

// gathers says whether what is waiting may wait for more. It is asked once in a batch.
func (o *outgoing) gathers() bool {
	if o.single > 0 {
		o.single--
		return false
	}
	return o.port.device.Merges()
}

// bringTogether puts the packets of each session side by side, in their order, if they are more than are written at once.
func (o *outgoing) bringTogether() {
	n := len(o.packets)
	if n <= largestBatch {
		return
	}
	if o.chains.count > n-n/4 {
		o.single = alone
		return
	}
	for i := range o.chains.inOrder {
		o.sorted, o.whose = append(o.sorted, o.packets[i]), append(o.whose, o.owners[i])
	}
	o.packets, o.sorted = o.sorted, o.packets
	o.owners, o.whose = o.whose, o.owners
	clear(o.sorted)
	clear(o.whose)
	o.sorted, o.whose = o.sorted[:0], o.whose[:0]
}

// empty forgets all packets.
func (o *outgoing) empty() {
	clear(o.packets)
	clear(o.owners)
	o.packets, o.owners, o.kept = o.packets[:0], o.owners[:0], 0
	o.chains.empty()
}

// chains are the packets of a list by their sessions: those of each in the order in which they came.
type chains struct {
	count int
	table [2 * mostGathered]uint16 // by session: the number of its chain, and one
	all   [mostGathered]chain
	next  [mostGathered]uint16 // behind each packet
}

// chain is where the packets of a session begin and end in the list.
type chain struct{ first, last uint16 }

// of finds where the chain of a session is noted, or is to be noted: a hash table that is never more than half full.
func (c *chains) of(s *session, owners []owner) *uint16 {
	slot := id(s.key.Tunnel, s.key.Session) * 0x9E3779B1 >> 21
	for {
		at := &c.table[slot%uint32(len(c.table))]
		if *at == 0 || owners[c.all[*at-1].first].session == s {
			return at
		}
		slot++
	}
}

// add puts the last packet of a list into its session's chain.
func (c *chains) add(owners []owner) {
	i := uint16(len(owners) - 1)
	at := c.of(owners[i].session, owners)
	if *at == 0 {
		c.all[c.count] = chain{first: i}
		c.count++
		*at = uint16(c.count)
	} else {
		c.next[c.all[*at-1].last] = i
	}
	c.all[*at-1].last = i
}

// inOrder goes through all packets, chain by chain.
func (c *chains) inOrder(yield func(i uint16) bool) {
	for _, one := range c.all[:c.count] {
		for i := one.first; ; i = c.next[i] {
			if !yield(i) {
				return
			}
			if i == one.last {
				break
			}
		}
	}
}

func (c *chains) empty() {
	c.count = 0
	clear(c.table[:])
}
