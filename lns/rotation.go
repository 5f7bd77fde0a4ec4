package lns

import (
	"net/netip"
	"slices"
	"sync"

	"lnsgate/aaa"
	"lnsgate/lns/control"
	"lnsgate/lns/l2tp"
)

// rotation remembers which peers still have a previous secret of their group, so that the next challenge of such a peer is answered
// with that one. It learns from those who prove themselves, and from those who refuse our answer: they are answered with the next
// secret when they dial again. It is safe for concurrent use.
type rotation struct {
	mu       sync.Mutex
	believed map[secretHolder]int // which of the group's secrets, if not the first
}

// secretHolder is a peer as it looks before it has proved anything.
type secretHolder struct {
	group, hostName string
	address         netip.Addr
}

// maxBelieved bounds what strangers can have us remember. Beyond it all is forgotten, which costs each peer one more try.
const maxBelieved = 4096

func (r *rotation) first(h secretHolder) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.believed[h]
}

func (r *rotation) believe(h secretHolder, which int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if which == 0 {
		delete(r.believed, h)
		return
	}
	if r.believed == nil || len(r.believed) >= maxBelieved {
		r.believed = make(map[secretHolder]int)
	}
	r.believed[h] = which
}

// secrets are those of a group, the given one before the others.
func (g *Group) secrets(first int) []l2tp.Secret {
	all := make([]l2tp.Secret, 0, 1+len(g.PreviousSecrets))
	for _, s := range append([]aaa.Secret{g.Secret}, g.PreviousSecrets...) {
		all = append(all, secretOctets(s))
	}
	if first < len(all) {
		s := all[first]
		all = slices.Insert(slices.Delete(all, first, first+1), 0, s)
	}
	return all
}

// original is the number in the file of what is number which when the given one stands before the others.
func original(which, first int) int {
	switch {
	case which == 0:
		return first
	case which <= first:
		return which - 1
	}
	return which
}

// holder is the peer as the rotation knows it.
func (t *tunnel) holder() secretHolder {
	return secretHolder{t.group.Name, t.core.Peer().HostName, t.path.Remote.Addr()}
}

// provedSecret notes which secret the peer of a new tunnel has.
func (t *tunnel) provedSecret() {
	which, proved := t.core.PeerSecret()
	if !proved || len(t.group.PreviousSecrets) == 0 {
		return
	}
	which = original(which, t.secret)
	t.server.rotation.believe(t.holder(), which)
	if which > 0 {
		t.server.counters.add(tunnelsOldSecret)
		t.log.Info("the peer still has a previous tunnel secret: give it the present one before that is removed here", "group", t.group.Name, "previous", which)
	}
}

// refusedSecret has the peer answered with the next secret when it dials again.
func (t *tunnel) refusedSecret(why control.Why) {
	if n := 1 + len(t.group.PreviousSecrets); why == control.WhySecretRefused && n > 1 {
		t.server.rotation.believe(t.holder(), (t.secret+1)%n)
	}
}
