package web

import (
	"context"
	"net/http"
	"time"

	"lnsgate/lns/admin"
)

// events is the stream of the interface, for as long as the visit lasts.
func (p *Page) events(a *ask) error {
	left := min(visitLife-p.cfg.Now().Sub(a.visit.began), visitIdle)
	ctx, cancel := context.WithTimeout(admin.WithActor(a.Context(), a.actor), max(left, time.Second))
	defer cancel()
	go func() {
		select {
		case <-a.visit.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	r, err := http.NewRequestWithContext(ctx, a.Method, "/v1/events", http.NoBody)
	if err != nil {
		return err
	}
	r.RemoteAddr = a.RemoteAddr
	p.server.Handler().ServeHTTP(a.w, r)
	return nil
}
