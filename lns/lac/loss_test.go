package lac

import (
	"math/rand/v2"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/negotiate"
)

// loginDatagrams is how many datagrams a login without loss takes.
func loginDatagrams(t *testing.T) int {
	w := newWorld(t, chapLNS(), testConfig())
	w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
	w.until("up", time.Second, w.isUp)
	if w.sent < 15 {
		t.Fatalf("a login took only %d datagrams: the count is wrong", w.sent)
	}
	return w.sent
}

func TestLoginSurvivesTheLossOfAnyDatagram(t *testing.T) {
	for lost := 1; lost <= loginDatagrams(t); lost++ {
		w := newWorld(t, chapLNS(), testConfig())
		w.lose = func(number int, _ bool) bool { return number == lost }
		w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
		w.until("up", 10*time.Second, w.isUp)
	}
}

func TestLoginSurvivesTheLossOfAnyTwoDatagrams(t *testing.T) {
	n := loginDatagrams(t)
	for first := 1; first <= n; first++ {
		for second := first + 1; second <= n+1; second++ {
			w := newWorld(t, chapLNS(), testConfig())
			w.lose = func(number int, _ bool) bool { return number == first || number == second }
			w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
			w.until("up", 20*time.Second, w.isUp)
		}
	}
}

func TestLoginConvergesUnderRandomLoss(t *testing.T) {
	for seed := range uint64(200) {
		for _, offer := range []negotiate.AuthProtocol{negotiate.AuthCHAPMD5, negotiate.AuthMSCHAPv2, negotiate.AuthPAP} {
			chance := rand.New(rand.NewPCG(seed, 1))
			w := newWorld(t, newScriptedLNS("Admin@123", offer), testConfig())
			w.lose = func(int, bool) bool { return chance.Float64() < 0.1 }
			w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP, aaa.MSCHAPv2, aaa.PAP))
			w.until("up", 30*time.Second, w.isUp)
		}
	}
}

func TestLoginConvergesUnderLossAndReordering(t *testing.T) {
	for seed := range uint64(200) {
		chance := rand.New(rand.NewPCG(seed, 2))
		w := newWorld(t, chapLNS(), testConfig())
		w.lose = func(int, bool) bool { return chance.Float64() < 0.1 }
		w.travel = func() time.Duration { return time.Duration(chance.Int64N(int64(50 * time.Millisecond))) }
		w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
		w.until("up", 30*time.Second, w.isUp)
	}
}

// A frame that overtakes the one that opens its phase is kept, not lost: without any loss, reordering alone must not
// cost a restart timer of seconds.
func TestReorderingAloneCostsNoSeconds(t *testing.T) {
	for seed := range uint64(200) {
		chance := rand.New(rand.NewPCG(seed, 3))
		w := newWorld(t, chapLNS(), testConfig())
		w.travel = func() time.Duration {
			return time.Millisecond + time.Duration(chance.Int64N(int64(5*time.Millisecond)))
		}
		w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
		w.until("up", 1500*time.Millisecond, w.isUp)
	}
}
