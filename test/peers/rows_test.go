package peers_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// rows is how many quirks the list of real clients has.
const rows = 65

// unshown are the rows that cannot be shown in this repository, with the reason.
var unshown = map[int]string{}

// Every row of the list of quirks has a test that bears its number, in this package or beside the code that it is about.
func TestEveryRowIsShown(t *testing.T) {
	found := map[int][]string{}
	name := regexp.MustCompile(`(?m)^func Test((?:Q\d\d)+)\w*\(t `)
	number := regexp.MustCompile(`\d\d`)
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range name.FindAllStringSubmatch(string(source), -1) {
			for _, n := range number.FindAllString(m[1], -1) {
				row, _ := strconv.Atoi(n)
				found[row] = append(found[row], strings.TrimPrefix(path, root+"/"))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for row := 1; row <= rows; row++ {
		reason, excused := unshown[row]
		switch {
		case len(found[row]) == 0 && !excused:
			t.Errorf("Q-%02d has no test", row)
		case len(found[row]) > 0 && excused:
			t.Errorf("Q-%02d is shown in %s, and said not to be: %s", row, found[row], reason)
		}
		t.Logf("Q-%02d %s%s", row, strings.Join(found[row], " "), reason)
	}
}
