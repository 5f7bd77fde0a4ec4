package netns

import "lnsgate/lns/host/netns"

// Namespace is one network namespace.
type Namespace = netns.Namespace

// NewTest makes a namespace without a name, gone when the test ends.
func NewTest(t TestingT) *Namespace {
	t.Helper()
	Require(t)
	n, err := netns.New("")
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Fatalf("%v", err)
		}
	})
	return n
}

// Veth joins two namespaces by a pair of interfaces, both up.
func Veth(a *Namespace, aName string, b *Namespace, bName string) error {
	return netns.Veth(a, aName, b, bName)
}
