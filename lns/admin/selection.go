package admin

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns"
)

// chosen is a session that will be shown.
type chosen struct {
	place
	other *aaa.Record // nil: it is ours, and all about it is asked for when it is written
}

// selection is what a query chooses of all sessions, one after the other. It keeps not many more than the page has.
type selection struct {
	*sessionQuery
	list  []chosen
	cut   bool // some that match are not in the list, because there is no room on the page
	total int  // all that match, on all pages
}

func (s *selection) order(a, b *place) int {
	if s.down {
		return b.compare(a)
	}
	return a.compare(b)
}

// offer takes one session, if it matches and comes behind the page before.
func (s *selection) offer(e *subject) {
	if !s.matches(e) {
		return
	}
	s.total++
	one := chosen{other: e.other}
	one.Number, one.Text = s.key(e)
	if one.Ref = elsewhereRef; e.ours != nil {
		one.Ref = refNumber(e.ours.SessionRef)
	} else {
		one.Name = e.other.Session
	}
	switch {
	case s.after != nil && s.order(&one.place, s.after) <= 0:
	case s.cut && s.order(&one.place, &s.list[s.limit-1].place) >= 0: // behind the last of those that were sorted
	default:
		s.list = append(s.list, one)
		if s.limit > 0 && len(s.list) >= 2*s.limit+spare {
			s.trim()
		}
	}
}

// spare has small pages trimmed less often.
const spare = 256

// trim sorts the list and leaves the page.
func (s *selection) trim() {
	slices.SortFunc(s.list, func(a, b chosen) int { return s.order(&a.place, &b.place) })
	if s.limit > 0 && len(s.list) > s.limit {
		s.list, s.cut = s.list[:s.limit], true
	}
}

// next is the cursor of the page behind; empty: there is none.
func (s *selection) next() string {
	if !s.cut {
		return ""
	}
	text, _ := json.Marshal(s.list[len(s.list)-1].place) // strings and numbers
	return base64.RawURLEncoding.EncodeToString(text)
}

// sessions writes the list as it goes, since it may have all sessions: of those that are not on the page, only that is looked at by which they
// are chosen.
func (s *Server) sessions(w http.ResponseWriter, r *http.Request) {
	q, err := readSessionQuery(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	records, missing := s.elsewhere(r.Context(), q.SessionFilter)
	page := &selection{sessionQuery: q}
	var one subject
	s.cfg.Engine.EachSession(r.Context(), func(h *lns.SessionHead) {
		one.ours = h
		page.offer(&one)
	})
	for i := range records {
		page.offer(&subject{other: &records[i]})
	}
	page.trim()
	out := s.listWriter(w)
	out.text(`{"sessions":[`)
	for part := range slices.Chunk(page.list, sessionChunk) {
		out.sessions(s.cfg.Engine.SessionInfos(r.Context(), oursOf(part)), part, len(page.list) <= plotted)
	}
	out.text("]")
	if page.total > 0 {
		out.text(`,"total":` + strconv.Itoa(page.total))
	}
	out.field("next", page.next())
	out.field("warning", missing)
	out.text("}\n")
	if err := out.flush(); err != nil {
		s.cfg.Log.Debug("the admin client went away before it had the answer", "path", r.URL.Path, "cause", err)
	}
}

// sessionChunk is how many sessions are asked all about at once.
const sessionChunk = 512

func oursOf(part []chosen) (refs []lns.SessionRef) {
	for i := range part {
		if part[i].other == nil {
			refs = append(refs, part[i].ref())
		}
	}
	return refs
}

// listWriter writes a list of sessions as JSON. What fails is told at its end.
type listWriter struct {
	*bufio.Writer
	encoder *json.Encoder
	control *http.ResponseController
	now     time.Time
	slow    time.Duration
	written int
}

func (s *Server) listWriter(w http.ResponseWriter) *listWriter {
	answerHead(w, http.StatusOK)
	o := &listWriter{Writer: bufio.NewWriterSize(w, 64<<10), control: http.NewResponseController(w), now: s.cfg.Now(), slow: s.patience.write}
	o.encoder = json.NewEncoder(o.Writer)
	o.encoder.SetEscapeHTML(false)
	return o
}

func (o *listWriter) text(text string) { _, _ = o.WriteString(text) }

// field writes a text that is not empty.
func (o *listWriter) field(name, text string) {
	if text == "" {
		return
	}
	o.text(`,"` + name + `":`)
	_ = o.encoder.Encode(text)
}

// sessions writes a part of the list, in its order. Those of ours that have ended meanwhile are left out.
func (o *listWriter) sessions(infos []lns.SessionInfo, part []chosen, plot bool) {
	_ = o.control.SetWriteDeadline(time.Now().Add(o.slow)) // for each part, since a long list takes longer
	at := make(map[uint64]*lns.SessionInfo, len(infos))
	for i := range infos {
		at[uint64(infos[i].LocalTunnel)<<16|uint64(infos[i].LocalID)] = &infos[i]
	}
	for i := range part {
		var view Session
		if info := at[part[i].Ref]; part[i].other != nil {
			view = sessionElsewhere(part[i].other, o.now)
		} else if info != nil {
			view = sessionFrom(info, o.now)
		} else {
			continue
		}
		if !plot && view.Line != nil {
			view.Line.Recent = nil
		}
		if o.written++; o.written > 1 {
			_ = o.WriteByte(',')
		}
		_ = o.encoder.Encode(&view)
	}
}

func (o *listWriter) flush() error { return o.Flush() }

// countSessions counts those that are open or under way, by domain.
func (s *Server) countSessions(ctx context.Context) map[string]int {
	open := make(map[string]int)
	s.cfg.Engine.EachSession(ctx, func(h *lns.SessionHead) { open[h.Domain]++ })
	return open
}
