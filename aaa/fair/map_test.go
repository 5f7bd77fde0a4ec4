package fair

import "testing"

func TestWhoHasMostGivesWay(t *testing.T) {
	m := NewMap[string, int](4)
	put := func(name string, n int, client, want string) {
		t.Helper()
		if gone, full := m.Put(name, n, client); gone != want || full != (want != "") {
			t.Errorf("%q gives way to %q, want %q", gone, name, want)
		}
	}
	put("a", 1, "few", "")
	put("b", 2, "many", "")
	put("c", 3, "many", "")
	put("d", 4, "many", "")
	put("e", 5, "many", "b")
	put("c", 6, "many", "")
	put("f", 7, "third", "d")
	if n, there := m.Get("c"); !there || n != 6 || m.Len() != 4 {
		t.Errorf("c is %d of %d: %v", n, m.Len(), there)
	}
	if n, there := m.Get("a"); !there || n != 1 {
		t.Errorf("what has a client of its own is %d: %v", n, there)
	}
	if !m.Delete("a") || m.Delete("a") || m.Delete("b") {
		t.Error("what is deleted is not what was kept")
	}
	if _, there := m.Get("a"); there || m.Len() != 3 {
		t.Errorf("%d are left", m.Len())
	}
}
