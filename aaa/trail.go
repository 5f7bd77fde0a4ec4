package aaa

import (
	"context"
	"errors"
	"time"
)

// Trail is how a request was decided, for whoever explains it to the administrator: which domain by which rule, and who said
// what after how long. It belongs to the goroutine that asks, until the answer is there. A nil Trail takes no notes.
type Trail struct {
	Now func() time.Time // the clock of whoever asks; it must be set

	Domain string  // the domain that was chosen; "" = none
	Rule   string  // in words: which rule chose it
	Asked  []Asked // every back end that was asked, in order

	server served // of the back end that is being asked
}

// Asked is one question to one back end and its answer.
type Asked struct {
	Backend string
	Took    time.Duration
	Answer  string // in words, such as "yes" or "no: wrong password"

	// Of a RADIUS back end that was answered, else zero.
	Server   string        // which server answered
	After    time.Duration // from its first sending to that server
	Sendings int           // to that server
}

// served is which server a back end had its answer from.
type served struct {
	name     string
	after    time.Duration
	sendings int
}

type trailKey struct{}

// WithTrail returns a context that has requests noted in the trail.
func WithTrail(ctx context.Context, t *Trail) context.Context {
	return context.WithValue(ctx, trailKey{}, t)
}

// TrailOf returns the trail of a context; nil when there is none.
func TrailOf(ctx context.Context) *Trail {
	t, _ := ctx.Value(trailKey{}).(*Trail)
	return t
}

// AnsweredBy notes for a back end that asks servers which of them answered, how long after the first sending to it, and how
// often it was sent to that server.
func (t *Trail) AnsweredBy(server string, after time.Duration, sendings int) {
	if t != nil {
		t.server = served{server, after, sendings}
	}
}

// chose notes the domain.
func (t *Trail) chose(domain, rule string) {
	if t != nil {
		t.Domain, t.Rule = domain, rule
	}
}

// begin is when a question begins, on the clock of the trail.
func (t *Trail) begin() time.Time {
	if t == nil {
		return time.Time{}
	}
	t.server = served{}
	return t.Now()
}

// end notes the answer of a back end to the question that was begun then.
func (t *Trail) end(began time.Time, backend string, err error) {
	if t == nil {
		return
	}
	t.Asked = append(t.Asked, Asked{
		Backend: backend, Took: t.Now().Sub(began), Answer: answerWords(err),
		Server: t.server.name, After: t.server.after, Sendings: t.server.sendings,
	})
}

// answerWords says what a back end answered.
func answerWords(err error) string {
	var more *Challenge
	var no *Rejection
	switch {
	case err == nil:
		return "yes"
	case errors.As(err, &more):
		return "it wants to hear more of the peer"
	case !errors.As(err, &no):
		return "it could not be asked: " + err.Error()
	case no.Retryable():
		return "it could not be asked: " + no.Error()
	default:
		return "no: " + no.Error()
	}
}
