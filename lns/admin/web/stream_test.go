package web

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"lnsgate/lns/trace"
)

func TestEventsEndWithTheLogin(t *testing.T) {
	w := newWorld()
	b := open(t, w, nil).as(viewerToken)
	server := httptest.NewUnstartedServer(b.handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/ui/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: cookieName, Value: b.cookies[cookieName]})
	got, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	w.watch <- trace.Event{Kind: trace.SessionOpened, ID: "n1-7"}
	lines := bufio.NewScanner(got.Body)
	for lines.Scan() && !strings.Contains(lines.Text(), "n1-7") {
	}
	if ctx.Err() != nil {
		t.Fatal("the event does not come")
	}
	b.submit("/ui/", "/ui/logout", map[string][]string{})
	for lines.Scan() {
	}
	if ctx.Err() != nil {
		t.Error("the stream goes on after the log-out")
	}
}

// upload posts a file to the import.
func (b *browser) upload(text string) *http.Response {
	b.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	_ = form.WriteField("csrf", csrfOf(b.t, b.see("/ui/import")))
	file, _ := form.CreateFormFile("file", "people.csv")
	_, _ = io.WriteString(file, text)
	_ = form.Close()
	r := httptest.NewRequest(http.MethodPost, "/ui/import", &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	return b.do(r)
}

func TestImportShowsItsProgress(t *testing.T) {
	step, rows := make(chan error), ""
	b := open(t, newWorld(), func(c *Config) {
		c.Import = func(ctx context.Context, file io.Reader, update bool, progress func(done, all int)) (ImportResult, error) {
			text, _ := io.ReadAll(file)
			rows = string(text)
			progress(1, 3)
			step <- nil
			err := <-step
			return ImportResult{Added: 3}, err
		}
	}).as(ownerToken)
	if got := b.upload("name\na\nb\nc\n"); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", got.StatusCode, bodyOf(t, got))
	}
	<-step
	if page := b.see("/ui/import"); !strings.Contains(page, "1 of 3 rows") || !strings.Contains(page, "data-poll") || rows != "name\na\nb\nc\n" {
		t.Errorf("under way: %q\n%s", rows, page)
	}
	if got := b.upload("name\n"); got.StatusCode != http.StatusConflict {
		t.Errorf("a second one beside it: %d", got.StatusCode)
	}
	step <- nil
	b.page.imports.work.Wait()
	if page := b.see("/ui/import"); !strings.Contains(page, "3 added, 0 changed") {
		t.Errorf("at the end:\n%s", page)
	}
	b.upload("name\n")
	<-step
	step <- errors.New("the database is away")
	b.page.imports.work.Wait()
	if page := b.see("/ui/import"); !strings.Contains(page, "The database is away.") || !strings.Contains(page, "3 were added and 0 changed, and stay") {
		t.Errorf("after a fault:\n%s", page)
	}
	for _, part := range []string{"import users", "people.csv", "3 added, 0 changed", "the database is away"} {
		if page := b.see("/ui/changes"); !strings.Contains(page, part) {
			t.Errorf("%q is not in the record of changes:\n%s", part, page)
		}
	}
	b.page.imports.close()
	if got := b.upload("name\n"); got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("while it stops: %d", got.StatusCode)
	}
}

func TestImportTakesAnAdministrator(t *testing.T) {
	b := open(t, newWorld(), nil).as(operatorToken)
	if got := b.get("/ui/import"); got.StatusCode != http.StatusForbidden {
		t.Errorf("%d", got.StatusCode)
	}
}

func TestRunCountsUntilItsEnd(t *testing.T) {
	w := newWorld()
	b := open(t, w, nil).as(viewerToken)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- b.page.Run(ctx) }()
	w.watch <- trace.Event{Kind: trace.AttemptFailed, Verdict: trace.Verdict{Cause: trace.WrongPassword}}
	w.watch <- trace.Event{Kind: trace.SessionOpened}
	close(w.watch)
	for deadline := time.Now().Add(10 * time.Second); ; {
		logins, failed, _ := tallies(b.page.history.last(60, noon))
		if logins == 1 && failed == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d logins and %d failures are counted", logins, failed)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if page := b.see("/ui/"); !strings.Contains(page, "120 now") || !strings.Contains(page, "1 logged in and 1 failed") {
		t.Error("the overview does not show it")
	}
}
