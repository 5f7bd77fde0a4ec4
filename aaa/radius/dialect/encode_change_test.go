package dialect

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
)

// all says that everything has changed.
func all(t *aaa.Terms) *aaa.Change {
	return &aaa.Change{
		SessionTimeout: &t.SessionTimeout, IdleTimeout: &t.IdleTimeout, Interim: &t.Interim,
		RateUp: &t.RateUp, RateDown: &t.RateDown, Filter: &t.Filter,
	}
}

// read is what a NAS of ours understands, in one line.
func read(t *testing.T, p *radius.Packet) string {
	t.Helper()
	c, err := Change(p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	add := func(name string, there bool, v any) {
		if there {
			text += fmt.Sprintf("%s %v ", name, v)
		}
	}
	add("session", c.SessionTimeout != nil, value(c.SessionTimeout))
	add("idle", c.IdleTimeout != nil, value(c.IdleTimeout))
	add("interim", c.Interim != nil, value(c.Interim))
	add("up", c.RateUp != nil, value(c.RateUp))
	add("down", c.RateDown != nil, value(c.RateDown))
	add("filter", c.Filter != nil, value(c.Filter))
	return text
}

const (
	age  = 10 * time.Minute
	ever = "87600h0m0s"
)

// TestChangesAreReadAsTheyWereMeant has each kind of equipment told what it has words for.
func TestChangesAreReadAsTheyWereMeant(t *testing.T) {
	terms := aaa.Terms{SessionTimeout: time.Hour, IdleTimeout: time.Minute, Interim: 5 * time.Minute, RateUp: 8_000_000, RateDown: 16_000_000, Filter: "guests"}
	none := aaa.Terms{}
	session, idle, up, filter := aaa.Change{SessionTimeout: &terms.SessionTimeout}, aaa.Change{IdleTimeout: &terms.IdleTimeout},
		aaa.Change{RateUp: &terms.RateUp}, aaa.Change{Filter: &terms.Filter}
	interim := aaa.Change{Interim: &terms.Interim}
	for _, test := range []struct {
		equipment Equipment
		terms     aaa.Terms
		changed   aaa.Change
		want      string // "" = nothing to say
		fault     string // of this attribute
	}{
		{Mikrotik, terms, *all(&terms), "session 1h0m0s idle 1m0s up 8000000 down 16000000 filter guests ", ""},
		{Mikrotik, none, up, "up 0 down 0 ", ""},
		{Mikrotik, none, session, "session " + ever + " ", ""},
		{Mikrotik, terms, interim, "", ""},
		{Mikrotik, none, filter, "", "Filter-Id"},
		{WISPr, terms, *all(&terms), "session 1h0m0s idle 1m0s interim 5m0s up 8000000 down 16000000 filter guests ", ""},
		{WISPr, none, up, "up 4294967295 down 4294967295 ", ""},
		{Huawei, terms, *all(&terms), "session 50m0s idle 1m0s interim 5m0s up 8000000 down 16000000 filter guests ", ""},
		{Huawei, aaa.Terms{RateUp: 8000}, up, "", "HW-Input-Average-Rate"},
		{Huawei, aaa.Terms{SessionTimeout: time.Minute}, session, "session 1s ", ""},
		{Huawei, none, session, "session " + ever + " ", ""},
		{Accel, terms, up, "up 8000000 down 16000000 ", ""},
		{Accel, none, up, "up 0 down 0 ", ""},
		{Accel, terms, session, "session 50m0s ", ""},
		{Accel, terms, idle, "", "Idle-Timeout"},
		{Accel, terms, filter, "", "Filter-Id"},
		{Accel, none, filter, "", ""},
		{Accel, terms, interim, "", ""},
		{Standard, terms, session, "session 1h0m0s ", ""},
		{Standard, none, idle, "idle " + ever + " ", ""},
		{Standard, terms, filter, "filter guests ", ""},
		{Standard, terms, up, "", "rates"},
		{Standard, none, interim, "", ""},
		{Standard, aaa.Terms{Interim: time.Second}, interim, "interim 1m0s ", ""},
		{Cisco, terms, filter, "filter guests ", ""},
		{Cisco, terms, up, "", "Cisco-AVPair"},
	} {
		p := &radius.Packet{Code: radius.CodeCoARequest}
		err := EncodeChange(p, &test.terms, &test.changed, age, test.equipment)
		fault := (*Fault)(nil)
		if errors.As(err, &fault) != (test.fault != "") || fault != nil && fault.Attribute != test.fault {
			t.Errorf("%s %s: %v", test.equipment, test.want, err)
		}
		if err == nil && read(t, p) != test.want {
			t.Errorf("%s: %q instead of %q", test.equipment, read(t, p), test.want)
		}
	}
}

// TestNothingThatDidNotChangeIsSaid keeps limits that are as they were out of a request.
func TestNothingThatDidNotChangeIsSaid(t *testing.T) {
	terms := aaa.Terms{SessionTimeout: time.Hour, IdleTimeout: time.Minute, Interim: time.Hour, RateUp: 1, RateDown: 1, Filter: "x"}
	for e := range equipmentCount {
		p := &radius.Packet{}
		if err := EncodeChange(p, &terms, &aaa.Change{}, 0, e); err != nil || len(p.Attributes) != 0 {
			t.Errorf("%s: %v %v", e, p.Attributes, err)
		}
	}
}

// TestAFilterThatDoesNotFitIsNotCut is for what would name another filter.
func TestAFilterThatDoesNotFitIsNotCut(t *testing.T) {
	name := string(make([]byte, 254))
	if err := EncodeChange(&radius.Packet{}, &aaa.Terms{Filter: name}, &aaa.Change{Filter: &name}, 0, Standard); err == nil {
		t.Error("no fault")
	}
}
