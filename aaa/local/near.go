package local

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"lnsgate/aaa"
)

// Bounds of the accounts that are looked at and of the near misses that are told.
const (
	maxNearLooked = 64
	maxNearTold   = 3
)

// nearIndex finds the accounts whose user part is the same but for case: one list per folded user part, linked through
// next, so that a million accounts cost one map and one array of numbers.
type nearIndex struct {
	first map[string]int32
	next  []int32 // -1 ends a list
}

func newNearIndex(accounts int) nearIndex {
	return nearIndex{first: make(map[string]int32, accounts), next: make([]int32, accounts)}
}

// add enters account i with its user part. Later ones stand in front.
func (n nearIndex) add(user string, i int32) {
	key := strings.ToLower(user)
	head, found := n.first[key]
	if !found {
		head = -1
	}
	n.first[key], n.next[i] = i, head
}

// explain tells the administrator which accounts the user may have meant, the likeliest first, or nothing. The reason is that
// of the likeliest.
func (b *Backend) explain(q *aaa.Query) (near string, reason aaa.Reason) {
	var told []string
	for _, i := range b.candidates(q) {
		why, kind := nearMiss(q, b.accounts[i].Name)
		if why != "" && !slices.Contains(told, why) && len(told) < maxNearTold {
			told, reason = append(told, why), cmp.Or(reason, kind)
		}
	}
	return strings.Join(told, "; "), reason
}

// candidates are the accounts worth a look: with and without the domain, then those with the same user part.
func (b *Backend) candidates(q *aaa.Query) []int32 {
	var found []int32
	for _, name := range []string{q.Identity.User + "@" + q.Domain, q.Identity.User} {
		if i, known := b.byName[name]; known {
			found = append(found, i)
		}
	}
	i, listed := b.near.first[strings.ToLower(q.Identity.User)]
	for looked := 0; listed && i >= 0 && looked < maxNearLooked; looked++ {
		found = append(found, i)
		i = b.near.next[i]
	}
	return found
}

// nearMiss says how the stored name differs from the one typed, or nothing if it is the same or belongs to another
// domain altogether.
func nearMiss(q *aaa.Query, stored string) (string, aaa.Reason) {
	typed := q.Identity.Raw
	account, err := aaa.ParseIdentity(stored)
	switch {
	case err != nil || stored == typed:
		return "", aaa.ReasonNone
	case strings.EqualFold(stored, typed):
		return fmt.Sprintf("stored as %q: only upper and lower case differ, the name must be typed exactly", stored), aaa.NearMissName
	case q.Identity.Domain == "" && account.Domain == q.Domain:
		return fmt.Sprintf("stored as %q: the user must type the domain too", stored), aaa.NearMissDomain
	case q.Identity.Domain == "":
		return fmt.Sprintf("there is %q, in domain %q", stored, account.Domain), aaa.NearMissDomain
	case account.Domain == "":
		return fmt.Sprintf("stored as %q: the user must type it without the domain", stored), aaa.NearMissDomain
	case account.Domain == q.Identity.Domain:
		return fmt.Sprintf("stored as %q: the domain must be written the same way", stored), aaa.NearMissDomain
	case account.Domain == q.Domain:
		return fmt.Sprintf("stored as %q: %q is the same domain, but the name must be typed exactly", stored, q.Identity.Domain), aaa.NearMissDomain
	}
	return "", aaa.ReasonNone
}
