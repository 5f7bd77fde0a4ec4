package admin

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"net/url"
)

// CaptureHeader names the capture in the answer to the request for one.
const CaptureHeader = "Lnsgate-Capture"

// Capture asks for a capture, with the filter in the query, and returns its file, which grows until the capture ends. The ID stops
// it by StopCapture in good order; closing the file ends it at once.
func (c *Client) Capture(ctx context.Context, query url.Values) (file io.ReadCloser, id string, err error) {
	target := url.URL{Scheme: "http", Host: "lnsgate", Path: "/v1/capture", RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, "", err
	}
	endless := &http.Client{Transport: c.http.Transport}
	resp, err := endless.Do(req)
	if err != nil {
		return nil, "", cmp.Or(ctx.Err(), c.unreachable(err))
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, "", failureFrom(resp)
	}
	return resp.Body, resp.Header.Get(CaptureHeader), nil
}

// StopCapture ends a capture: its reader gets the rest, and then the end.
func (c *Client) StopCapture(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodDelete, "captures/"+url.PathEscape(id), nil, nil, &struct{}{})
}
