// Package netns gives a test its network namespaces, and skips or fails a test that lacks what it needs. How namespaces
// are made stands in lnsgate/lns/host/netns.
//
// It does not import testing: Require takes any value with the methods of *testing.T.
package netns
