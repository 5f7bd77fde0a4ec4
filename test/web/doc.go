// Package web opens the page of operators in a real browser: headless Chromium against a running lnsgate with a real database, in a
// network namespace from which nothing else can be reached. The script walk.js is the operator; what it asks of the outside, such as
// somebody who dials in, the test does.
//
// Chromium and Node.js come from the distribution. The two libraries of the script, playwright-core and axe-core, are fetched from
// the registry of npm once, by their address and their hash, and kept in the user's cache folder; npm itself is not needed.
// LNSGATE_TEST_SHOTS names a folder where pictures of every view are left.
//
// It does not test what a view says in detail: the tests of lnsgate/lns/admin/web do.
package web
