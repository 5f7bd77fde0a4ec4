package main

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"lnsgate/aaa/radiusserver"
	"lnsgate/lns/admin"
)

func nasView() view {
	return view{
		name:  "nases",
		short: "List the NASes that may ask by RADIUS, and what became of their requests",
		long: `One line per client of the RADIUS server, of the file and of the database, with figures since this node started. Repeated
requests were answered again from memory. Dropped ones got no answer: -o json says why. "forged" there means a wrong secret,
"unsigned" that the client does not sign any more, or that somebody pretends to be it, "unanswered" that nobody could be
asked. A NAS with no requests does not reach this node, or is not known by the address that it sends from: the log tells of
such strangers, and "show counters" counts them as nas_requests_stranger.`,
		example: `  lnsgate show nases
  lnsgate show nases -o json | jq '.[] | select(.dropped.forged) | .name'`,
		ask: func(ctx context.Context, c *admin.Client) (any, error) { return c.NASes(ctx) },
		rows: func(t *table, got any) {
			t.row("NAS", "Source", "Type", "Requests", "Accepted", "Rejected", "Challenged", "Recorded", "Repeated", "Dropped")
			for _, v := range got.([]admin.NAS) {
				var dropped uint64
				for _, n := range v.Dropped {
					dropped += n
				}
				t.row(v.Name, sourceCell(v.Source), v.Type, v.Requests, v.Accepted, v.Rejected, v.Challenged, v.Recorded, v.Repeated, dropped)
			}
		},
	}
}

// clients are those that may ask, for the operator.
func (a *answering) clients() []admin.NAS {
	if a == nil {
		return nil
	}
	return nasList(a.nases.answered(), a.server.Stats().Clients)
}

// nasList joins clients and their figures, by name. One that was just added has none yet.
func nasList(clients []radiusserver.Client, counts map[string]radiusserver.Counts) []admin.NAS {
	var list []admin.NAS
	for i := range clients {
		c := &clients[i]
		list = append(list, nasOf(c, counts[c.Name]))
	}
	slices.SortFunc(list, func(a, b admin.NAS) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

func nasOf(c *radiusserver.Client, n radiusserver.Counts) admin.NAS {
	v := admin.NAS{
		Name: c.Name, Source: c.Source, Type: c.Equipment.String(), Accepted: n[radiusserver.Accepted], Rejected: n[radiusserver.Rejected],
		Challenged: n[radiusserver.Challenged], Recorded: n[radiusserver.Recorded], Repeated: n[radiusserver.Repeated],
	}
	for _, o := range radiusserver.Outcomes() {
		v.Requests += n[o]
		if o.Dropped() && n[o] > 0 {
			if v.Dropped == nil {
				v.Dropped = make(map[string]uint64)
			}
			v.Dropped[strings.ReplaceAll(o.String(), " ", "_")] = n[o]
		}
	}
	return v
}
