package guard

import (
	"time"

	"lnsgate/aaa"
)

// pair is a name and a source from which somebody has got in by it. There they are known: whoever else fails by that name
// neither delays them nor has them banned, or anybody could keep out whose name they know. Their own failures count, by
// themselves, and when there are too many they are not known any more.
type pair struct {
	name string
	from source
}

const (
	knownFor  = 30 * 24 * time.Hour // since they last got in
	mostKnown = 1 << 16             // pairs
	mostSlips = 50                  // failures in a row of somebody who is known
)

func pairOf(r *aaa.Request) pair { return pair{nameOf(r), sourceOf(r)} }

// exists says that there are both: a name that is somebody's, and a source.
func (p pair) exists() bool { return p.name != "" && p.from != source{} }

// knows says whether somebody has got in like this lately.
func (g *Guard) knows(p pair, now time.Time) bool {
	if !p.exists() {
		return false
	}
	_, known := g.known.Get(p, now)
	return known
}

// welcome notes that somebody has got in. Whoever is known does not clear what others have done to the name.
func (g *Guard) welcome(p pair, known bool, now time.Time) {
	if !known {
		g.names.Forget(p.name)
	}
	g.sources.Forget(p.from)
	if p.exists() {
		g.known.Change(p, now, func(failures) failures { return failures{} })
	}
}

// blame counts a failure, and bans for it if it is one too many.
func (g *Guard) blame(r *aaa.Request, p pair, known bool, now time.Time) {
	if n := g.count(p, known, now); n > 0 && g.cfg.Bans.account(p.name, n, now) {
		g.names.Forget(p.name)
	}
	if p.from != (source{}) && g.cfg.Bans.source(peerOf(r), g.sources.Change(p.from, now, g.oneMore(now)).count, now) {
		g.sources.Forget(p.from)
	}
}

// count notes a failure of a name, and tells how many in a row those of strangers are by now; 0 when this is none of them.
func (g *Guard) count(p pair, known bool, now time.Time) int {
	switch {
	case known && g.knows(p, now): // still
		if g.known.Change(p, now, g.oneMore(now)).count >= mostSlips {
			g.known.Forget(p)
		}
	case p.name != "":
		return g.names.Change(p.name, now, g.oneMore(now)).count
	}
	return 0
}

func (g *Guard) oneMore(now time.Time) func(failures) failures {
	return func(f failures) failures {
		if now.Sub(f.last) >= g.cfg.Forget {
			f.count = 0
		}
		return failures{f.count + 1, now}
	}
}
