package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"lnsgate/lns/trace"
)

// Bounds of the streams of events.
const (
	maxStreams = 32
	heartbeat  = 15 * time.Second // so that whoever sits between sees life, and we see who is gone
	slowReader = 10 * time.Second // who does not take an event in this time is dropped
)

type stopKey struct{}

// stopping tells when the server that answers is told to stop.
func stopping(ctx context.Context) <-chan struct{} {
	if stop, ok := ctx.Value(stopKey{}).(context.Context); ok {
		return stop.Done()
	}
	return nil
}

// events writes what happens as server-sent events until the reader goes, is too slow, or the server stops.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Watch == nil {
		s.fail(w, r, &Error{http.StatusNotImplemented, "this server tells no events", ""})
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return // an answer without a body has an end
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		s.fail(w, r, &WaitError{After: heartbeat, Err: &Error{http.StatusServiceUnavailable,
			fmt.Sprintf("%d readers follow the events already, and no more may", maxStreams), "close another page or program that follows them"}})
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	feed := s.cfg.Watch(ctx)
	out := &eventWriter{w: w, control: http.NewResponseController(w), slow: s.patience.slow}
	_ = out.control.SetReadDeadline(time.Time{}) // nothing more is read, and the connection is not to end for that
	w.Header().Set("Cache-Control", "no-store")
	beat := time.NewTicker(s.patience.beat)
	defer beat.Stop()
	err := out.write(": these are the events from now on\n\n")
	for err == nil {
		select {
		case e, more := <-feed:
			if !more {
				return
			}
			err = out.event(&e)
		case <-beat.C:
			err = out.write(": alive\n\n")
		case <-ctx.Done():
			return
		case <-stopping(ctx):
			return
		}
	}
	s.cfg.Log.Debug("a reader of events is gone", "from", ActorOf(ctx).From, "cause", err)
}

// eventWriter writes server-sent events, each within a time.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	slow    time.Duration
}

func (o *eventWriter) event(e *trace.Event) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return o.write(fmt.Sprintf("event: %s\ndata: %s\n\n", e.Kind, text))
}

func (o *eventWriter) write(text string) error {
	if err := o.control.SetWriteDeadline(time.Now().Add(o.slow)); err != nil {
		return err
	}
	if _, err := o.w.Write([]byte(text)); err != nil {
		return err
	}
	if err := o.control.Flush(); err != nil {
		return err
	}
	return o.control.SetWriteDeadline(time.Time{}) // HTTP/2 would end the stream then, though nothing is being written
}
