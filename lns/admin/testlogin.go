package admin

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"lnsgate/lns/trace"
)

// LoginTest asks what would become of a login.
type LoginTest struct {
	User     string     `json:"user"`                 // exactly as it would be typed
	Domain   string     `json:"domain,omitempty"`     // as if the l2tp group forced it
	Method   string     `json:"method,omitempty"`     // pap, chap, mschapv2 or eap; empty: pap with a password, else what would do
	Password string     `json:"password,omitempty"`   // then the proof is really checked
	Group    string     `json:"l2tp_group,omitempty"` // empty: the one that HostName and From match
	HostName string     `json:"host_name,omitempty"`  // of the peer
	From     netip.Addr `json:"from,omitzero"`        // where the peer would dial from
}

// Verdicts of a step of a forecast.
const (
	Passed  = "passed"
	Refused = "refused"
	Open    = "open" // it cannot be told without a login
)

// ForecastStep is one decision on the way of a login.
type ForecastStep struct {
	Stage  trace.Stage   `json:"stage"`
	What   string        `json:"what"`              // which decision
	Result string        `json:"result"`            // passed, refused or open
	Detail string        `json:"detail,omitempty"`  // in words
	Took   time.Duration `json:"took_ns,omitempty"` // of a question to a back end
}

// Attribute is one thing that the session would get.
type Attribute struct {
	Name  string `json:"name"`  // such as idle_timeout
	Value string `json:"value"` // in words
	From  string `json:"from"`  // who says so: account, domain sales, virtual template vt1
}

// LoginForecast is what would become of a login.
type LoginForecast struct {
	Verdict    trace.Verdict  `json:"verdict"` // LoggedIn, or the first rule that would refuse
	Meaning    Meaning        `json:"meaning"`
	Checked    bool           `json:"proof_checked"` // a password was given, and was checked
	Account    string         `json:"account,omitempty"`
	Domain     string         `json:"domain,omitempty"`
	Rule       string         `json:"rule,omitempty"`    // which rule chose the domain
	Backend    string         `json:"backend,omitempty"` // which said yes, or no
	Group      string         `json:"l2tp_group,omitempty"`
	Template   string         `json:"virtual_template,omitempty"`
	Address    netip.Addr     `json:"address,omitzero"` // that it would get; left out: any of the pool
	Pool       string         `json:"pool,omitempty"`
	Why        string         `json:"address_because,omitempty"`
	Attributes []Attribute    `json:"attributes"`
	Steps      []ForecastStep `json:"steps"` // in order, up to the first that refuses
}

func (s *Server) testLogin(r *http.Request) (any, error) {
	var test LoginTest
	if err := decode(r.Body, &test); err != nil {
		return nil, err
	}
	if s.cfg.TestLogin == nil {
		return nil, &Error{http.StatusNotImplemented, "this server cannot test logins", ""}
	}
	if test.User == "" {
		return nil, &Error{http.StatusBadRequest, "whose login? user is empty", `send {"user": "NAME"}`}
	}
	f, err := s.trial(r.Context(), test)
	if err != nil {
		return nil, err
	}
	f.Meaning = meaningOf(f.Verdict.Cause)
	f.Attributes, f.Steps = append([]Attribute{}, f.Attributes...), append([]ForecastStep{}, f.Steps...)
	return f, nil
}

// trialsAtOnce is how many passwords are tried at once, by all operators: a stored one may cost some 40 ms and 19 MiB.
const trialsAtOnce = 2

// trial asks what would become of a login. A password makes it a guess: it is written down who tries whose, and who tries wrong ones has
// to wait, as strangers have at the door.
func (s *Server) trial(ctx context.Context, test LoginTest) (f LoginForecast, err error) {
	if test.Password == "" {
		return s.cfg.TestLogin(ctx, test)
	}
	defer func() {
		outcome := "verdict " + f.Verdict.Cause.Name()
		if err != nil {
			outcome = ""
		}
		s.Audit(ctx, "test login with a password", test.User, outcome, err)
	}()
	who := ActorOf(ctx).Name
	if wait := s.trials.spend(who, s.cfg.Now()); wait > 0 {
		return f, &WaitError{After: wait, Err: &Error{http.StatusTooManyRequests, "too many wrong passwords were tried by " + who,
			fmt.Sprintf("wait %v", wait.Round(time.Second)+time.Second)}}
	}
	select {
	case s.trying <- struct{}{}:
		defer func() { <-s.trying }()
	case <-ctx.Done():
		s.trials.refund(who, s.cfg.Now())
		return f, ctx.Err()
	}
	if f, err = s.cfg.TestLogin(ctx, test); err == nil && f.Checked {
		s.trials.refund(who, s.cfg.Now()) // it was right, and so no guess
	}
	return f, err
}

// TestLogin asks what would become of a login.
func (c *Client) TestLogin(ctx context.Context, test LoginTest) (LoginForecast, error) {
	var f LoginForecast
	err := c.do(ctx, http.MethodPost, "test-login", nil, test, &f)
	return f, err
}
