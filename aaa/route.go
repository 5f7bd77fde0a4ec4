package aaa

import (
	"fmt"
	"slices"
)

// choose finds the domain of a request and says in words which rule found it. In order: the domain the l2tp group
// forces, the domain in the name, the default of the l2tp group, the global default. A domain that does not exist is a
// rejection and never falls through to a default.
func (g *Gateway) choose(r *Request, id Identity) (*Domain, string, *Rejection) {
	var name, rule, remedy string
	switch {
	case r.ForcedDomain != "":
		name, rule = r.ForcedDomain, "forced by "+r.way()
		remedy = "correct the domain the group forces"
	case id.Domain != "":
		name, rule = id.Domain, fmt.Sprintf("domain in the name %q", id.Raw)
		remedy = "add the domain or an alias, or have the user type another name"
	case r.DefaultDomain != "":
		name, rule = r.DefaultDomain, "default domain of "+r.way()
		remedy = "correct the default domain of the group"
	case g.fallback != "":
		name, rule = g.fallback, "default domain"
	default:
		return nil, "", Reject(UnknownDomain, "the name %q has no domain and no default domain is set", id.Raw)
	}
	d := g.domains[FoldDomain(name)]
	if d == nil {
		return nil, "", Reject(UnknownDomain, "no domain %q (%s)%s; %s", name, rule, g.similar(name), remedy)
	}
	if FoldDomain(name) != FoldDomain(d.Name) {
		rule += fmt.Sprintf(", alias %q of %q", FoldDomain(name), d.Name)
	}
	return d, rule, nil
}

// similar names the domain, or the alias, that is nearest to name, or nothing if none is near.
func (g *Gateway) similar(name string) string {
	name = FoldDomain(name)
	best, distance := "", tooFar
	for candidate := range g.domains {
		n := editDistance(name, candidate)
		if n < distance || (n == distance && n < tooFar && candidate < best) {
			best, distance = candidate, n
		}
	}
	// Two edits of a three-letter name make any other three-letter name.
	if best == "" || distance >= len(best) || distance >= len(name) {
		return ""
	}
	return fmt.Sprintf(", but there is one named %q", best)
}

// tooFar is the edit distance from which two names are not similar any more.
const tooFar = 3

// editDistance counts the octets to insert, delete or replace to get from a to b, and gives up at tooFar.
func editDistance(a, b string) int {
	if len(a)-len(b) >= tooFar || len(b)-len(a) >= tooFar {
		return tooFar
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
		if slices.Min(row) >= tooFar {
			return tooFar
		}
	}
	return min(row[len(b)], tooFar)
}

// way names what the request came by, and so which rules of its own count.
func (r *Request) way() string {
	if r.NAS != nil {
		return fmt.Sprintf("RADIUS client %q", r.Group)
	}
	return fmt.Sprintf("l2tp group %q", r.Group)
}
