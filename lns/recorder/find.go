package recorder

import (
	"context"
	"slices"
	"time"

	"lnsgate/lns/trace"
)

// Limits of one answer.
const (
	DefaultLimit = 100
	MaxLimit     = 10000
)

// archiveTimeout is how long the archive may take; what memory has is shown all the same.
const archiveTimeout = 10 * time.Second

// Find returns the attempts that the filter wants, the newest first: those under way, those in memory, and behind them what the
// archive has. With an error of the archive it returns what memory has.
func (r *Recorder) Find(ctx context.Context, f trace.Filter) ([]trace.Attempt, error) {
	if r == nil {
		return nil, nil
	}
	if f.Limit <= 0 {
		f.Limit = DefaultLimit
	}
	f.Limit = min(f.Limit, MaxLimit)
	ctx, cancel := context.WithTimeout(ctx, archiveTimeout)
	defer cancel()
	behind, found, err := r.place(ctx, f.Before)
	if err != nil || !found {
		return nil, err
	}
	here := r.remembered(&f, behind)
	if r.archive == nil || f.Session != "" {
		return here, nil
	}
	there, err := r.archive.Find(ctx, f, behind)
	return merge(here, there, f.Limit), err
}

// place is that of the attempt behind which to begin.
func (r *Recorder) place(ctx context.Context, id string) (Place, bool, error) {
	if id == "" {
		return Place{}, true, nil
	}
	for _, s := range r.all() {
		if h := s.look(); h.id == id {
			return Place{h.at, id}, true, nil
		}
	}
	if r.archive == nil {
		return Place{}, false, nil
	}
	return r.archive.Where(ctx, id)
}

// head is what a story is chosen and ordered by.
type head struct {
	story *Story
	at    time.Time
	id    string
}

// remembered returns what memory has.
func (r *Recorder) remembered(f *trace.Filter, behind Place) []trace.Attempt {
	var heads []head
	for _, s := range r.all() {
		s.mu.Lock()
		wanted := s.matches(f)
		s.mu.Unlock()
		if !wanted {
			continue
		}
		if h := s.look(); behind.before(h.at, h.id) {
			heads = append(heads, h)
		}
	}
	slices.SortFunc(heads, func(a, b head) int { return trace.Newer(a.at, a.id, b.at, b.id) })
	heads = heads[:min(len(heads), f.Limit)]
	found := make([]trace.Attempt, 0, len(heads))
	for _, h := range heads {
		found = append(found, h.story.Attempt())
	}
	return found
}

// before says whether an attempt stands behind the place, in the order of newest first.
func (p Place) before(at time.Time, id string) bool {
	return p.ID == "" || trace.Newer(p.At, p.ID, at, id) < 0
}

// matches is the filter's, with the ID that is only made when asked for. The caller holds s.mu.
func (s *Story) matches(f *trace.Filter) bool {
	if f.ID != "" && f.ID != s.id() {
		return false
	}
	rest := *f
	rest.ID = ""
	return rest.Matches(&s.facts)
}

func (s *Story) look() head {
	s.mu.Lock()
	defer s.mu.Unlock()
	return head{s, s.facts.At(), s.id()}
}

// all returns every story there is.
func (r *Recorder) all() []*Story {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*Story
	for s := r.live.first; s != nil; s = s.newer {
		all = append(all, s)
	}
	for k := range r.rings {
		for s := r.rings[k].stories.last; s != nil; s = s.older {
			all = append(all, s)
		}
	}
	return all
}

// merge puts two lists of newest first into one. What is in both is taken from the first: memory knows more.
func merge(here, there []trace.Attempt, limit int) []trace.Attempt {
	known := make(map[string]bool, len(here))
	for i := range here {
		known[here[i].ID] = true
	}
	for i := range there {
		if !known[there[i].ID] {
			here = append(here, there[i])
		}
	}
	slices.SortStableFunc(here, func(a, b trace.Attempt) int { return trace.Newer(a.At(), a.ID, b.At(), b.ID) })
	return here[:min(len(here), limit)]
}
