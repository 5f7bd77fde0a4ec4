package explain

import (
	"net/netip"
	"time"

	"lnsgate/aaa/guard"
	"lnsgate/lns/trace"
)

// nowhere keeps no bans.
type nowhere struct{}

func (nowhere) Load() ([]guard.Ban, error) { return nil, nil }
func (nowhere) Save([]guard.Ban) error     { return nil }

// banning has an operator ban somebody before anybody dials.
func banning(b guard.Ban) func(*lab) {
	return func(l *lab) {
		l.gateway = &swapped{}
		l.regate()
		bans, err := guard.NewBans(guard.Policy{}, nowhere{}, time.Now())
		l.must(err)
		b.Since, b.Until, b.By = time.Now(), time.Now().Add(time.Hour), "root"
		l.must(bans.Add(b))
		l.deps.AAA = guard.New(guard.Config{Bans: bans}).Before(l.gateway)
	}
}

func banRows() []row {
	login := func(l *lab) { l.fails(l.alice(), 20*time.Second) }
	return []row{
		{cause: trace.AccountBanned, how: "by an operator", says: []string{"alice is banned until", "by root: laptop stolen", "lnsgate bans lift alice"},
			set: banning(guard.Ban{Account: "alice", Why: "laptop stolen"}), play: login},
		{cause: trace.SourceBanned, how: "after its tunnel was there", says: []string{"198.51.100.0/24 is banned until"},
			set: banning(guard.Ban{Source: netip.MustParsePrefix("198.51.100.0/24")}), play: login},
	}
}
