// Package web is the page that operators open in a browser: what is going on, who cannot log in and why, who has which address. It
// is one more client of the server's own interface (package admin), which it asks in the name of whoever has logged in: it can show
// and do nothing that the interface does not let that operator see and do.
//
// Every view is HTML made here. It works without JavaScript; with it, what changes is shown as it happens. Nothing is loaded from
// another host, and nothing stands inline, so that the browser can be told to run and show only what this server sends as a file.
//
// It does not know the engine, the database or the pools.
package web
