package admin

import (
	"context"
	"fmt"
)

// Role is how much somebody may do. Each role may do what those before it may.
type Role uint8

// The roles.
const (
	Nobody     Role = iota // may see only whether the server lives
	View                   // may see everything
	Operate                // may end sessions, reload, test a login and capture
	Administer             // may change accounts, pools, domains and NASes
	roleCount
)

var roleNames = [roleCount]string{"nobody", "view", "operate", "administer"}

// String returns the role in one lower-case word.
func (r Role) String() string {
	if r < roleCount {
		return roleNames[r]
	}
	return fmt.Sprintf("role %d", uint8(r))
}

// MarshalText writes the role as String does.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (r *Role) UnmarshalText(b []byte) error {
	for i, name := range roleNames {
		if name == string(b) {
			*r = Role(i)
			return nil
		}
	}
	return fmt.Errorf("there is no role %q: it is view, operate or administer", b)
}

// Actor is who asks.
type Actor struct {
	Name string `json:"name"` // of the operator, or of the user of this host
	Role Role   `json:"role"`
	From string `json:"from"` // the address that it asks from; "socket" on this host

	standing context.Context // of an operator of the configuration; nil: of nobody there
}

// Ended is closed once the operator is no longer what it was when it came: gone, or with another role, token or password. Nil never is.
func (a Actor) Ended() <-chan struct{} {
	if a.standing == nil {
		return nil
	}
	return a.standing.Done()
}

// Over says that Ended is closed.
func (a Actor) Over() bool { return a.standing != nil && a.standing.Err() != nil }

// bind makes a context that ends with what the actor is.
func (a Actor) bind(ctx context.Context) (context.Context, context.CancelFunc) {
	if a.standing == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(a.standing, cancel)
	return ctx, func() { stop(); cancel() }
}

// String returns who it is and from where, for a log.
func (a Actor) String() string { return a.Name + " from " + a.From }

type actorKey struct{}

// WithActor adds who asks to the context of a request.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf tells who asks. Without one it is nobody, who may do nothing.
func ActorOf(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}
