package explain

import (
	"testing"

	"lnsgate/test/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }
