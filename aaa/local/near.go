package local

import (
	"fmt"
	"slices"
	"strings"

	"lnsgate/aaa"
)

// maxNear bounds the near misses that are looked at and the ones that are told.
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

func newNearIndex(accounts []Account) nearIndex {
	n := nearIndex{first: make(map[string]int32, len(accounts)), next: make([]int32, len(accounts))}
	for i := len(accounts) - 1; i >= 0; i-- {
		key := userKey(accounts[i].Name)
		head, found := n.first[key]
		if !found {
			head = -1
		}
		n.first[key], n.next[i] = int32(i), head
	}
	return n
}

// userKey is the folded user part of a name that New has accepted.
func userKey(name string) string {
	id, err := aaa.ParseIdentity(name)
	if err != nil {
		return ""
	}
	return strings.ToLower(id.User)
}

// explain tells the administrator which accounts the user may have meant, or nothing.
func (b *Backend) explain(q *aaa.Query) string {
	var told []string
	i, found := b.near.first[strings.ToLower(q.Identity.User)]
	for looked := 0; found && i >= 0 && looked < maxNearLooked && len(told) < maxNearTold; looked++ {
		if why := nearMiss(q, b.accounts[i].Name); why != "" && !slices.Contains(told, why) {
			told = append(told, why)
		}
		i = b.near.next[i]
	}
	return strings.Join(told, "; ")
}

// nearMiss says how the stored name differs from the one typed, or nothing if it is the same or belongs to another
// domain altogether.
func nearMiss(q *aaa.Query, stored string) string {
	typed := q.Identity.Raw
	account, err := aaa.ParseIdentity(stored)
	switch {
	case err != nil || stored == typed:
		return ""
	case strings.EqualFold(stored, typed):
		return fmt.Sprintf("stored as %q: only upper and lower case differ, the name must be typed exactly", stored)
	case q.Identity.Domain == "" && account.Domain == q.Domain:
		return fmt.Sprintf("stored as %q: the user must type the domain too", stored)
	case q.Identity.Domain == "":
		return fmt.Sprintf("there is %q, in domain %q", stored, account.Domain)
	case account.Domain == "":
		return fmt.Sprintf("stored as %q: the user must type it without the domain", stored)
	case account.Domain == q.Identity.Domain:
		return fmt.Sprintf("stored as %q: the domain must be written the same way", stored)
	case account.Domain == q.Domain:
		return fmt.Sprintf("stored as %q: %q is the same domain, but the name must be typed exactly", stored, q.Identity.Domain)
	}
	return ""
}
