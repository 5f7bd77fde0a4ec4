package postgres

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"lnsgate/aaa"
	"lnsgate/test/pgtest"
)

func TestWhichClassesOfErrorsAreTheLastWord(t *testing.T) {
	for code, want := range map[string]struct{ refused, denied bool }{
		"22021": {refused: true}, "23514": {refused: true}, "54000": {refused: true}, "0A000": {refused: true},
		"42501": {denied: true}, "42P01": {denied: true}, "42703": {denied: true},
		"40001": {}, "53100": {}, "55P03": {}, "57P03": {}, "08006": {}, "25006": {}, "": {}, "X": {},
	} {
		err := fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: code})
		if refused(err) != want.refused || denied(err) != want.denied {
			t.Errorf("%s: refused %v, denied %v", code, refused(err), denied(err))
		}
	}
	if refused(errors.New("22021")) || denied(nil) {
		t.Error("what no server said is no refusal")
	}
}

func TestADenialIsFinalAfterAWhile(t *testing.T) {
	d, no, now := denial{}, &pgconn.PgError{Code: "42501"}, time.Unix(1e9, 0)
	for _, step := range []struct {
		after time.Duration
		err   error
		want  bool
	}{
		{0, no, false}, {2 * time.Minute, no, false}, {2 * time.Minute, no, false}, {2 * time.Minute, no, false}, {2 * time.Minute, no, false},
		{30 * time.Second, errors.New("away"), false}, {90 * time.Second, no, true}, {time.Minute, no, true},
		{3 * time.Minute, no, false}, {8 * time.Minute, no, false}, // each is short: what came between them was taken
	} {
		now = now.Add(step.after)
		if got := d.final(step.err, now); got != step.want {
			t.Errorf("at %s: final is %v", now.Sub(time.Unix(1e9, 0)), got)
		}
	}
}

// What the server denies for ever must not hold up the rest for ever.
func TestADenialHoldsNothingUpForEver(t *testing.T) {
	pool := pgtest.New(t)
	addNode(t, pool, "n1", 1, "0")
	run(t, pool, `CREATE FUNCTION deny() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF NEW.name = 'evil' THEN RAISE EXCEPTION 'no' USING ERRCODE = 'insufficient_privilege'; END IF; RETURN NEW; END $$;
		CREATE TRIGGER deny BEFORE INSERT ON logins FOR EACH ROW EXECUTE FUNCTION deny();
		CREATE TRIGGER deny BEFORE INSERT ON accounting FOR EACH ROW EXECUTE FUNCTION deny()`)
	a := NewAttempts(pool, quiet)
	a.denied.lasts = time.Hour
	evil := attempt(1)
	evil.Name = "evil"
	if rest := a.oneByOne(t.Context(), []aaa.Attempt{attempt(0), evil, attempt(2)}); len(rest) != 1 || a.Written() != 2 || a.Lost() != 0 {
		t.Errorf("%d wait, %d written, %d lost", len(rest), a.Written(), a.Lost())
	}
	a.denied.lasts, a.denied.gap = 3*time.Second, time.Hour // it is tried every second
	a.Log(evil)
	a.Log(attempt(3))
	background(t, a.Run)
	until(t, "the others are written", time.Minute, func() bool { return a.Written() == 3 && a.Lost() == 1 })

	r, record := NewRecorder(pool, func() int64 { return 1 }), newRecord(aaa.RecordStart, "s1", 1)
	record.Name = "evil"
	var hopeless interface{ Retryable() bool }
	if err := r.Write(context.Background(), []aaa.Record{record}); err == nil || errors.As(err, &hopeless) {
		t.Errorf("at first: %v", err)
	}
	r.denied.lasts, r.denied.gap = time.Second, time.Hour
	until(t, "the record is set aside", time.Minute, func() bool {
		return errors.As(r.Write(context.Background(), []aaa.Record{record}), &hopeless) && !hopeless.Retryable()
	})
}
