package quirk

import (
	"fmt"
	"iter"
	"strings"
	"time"

	"lnsgate/lns/trace"
)

// Profile is a kind of client.
type Profile uint8

// The kinds.
const (
	None    Profile = iota // nothing special is known of it
	Windows                // since Vista
	Apple                  // macOS and iOS
	Android                // its mtpd
	Sleeper                // anything on batteries, by the word of an administrator
	MikroTik
	XL2TPD
	DLink // DIR-300 and its like, by the word of an administrator
	LAC   // of an operator: it is always there
	profileCount
)

var names = [profileCount]string{
	None: "none", Windows: "windows", Apple: "apple", Android: "android", Sleeper: "sleeper", MikroTik: "mikrotik",
	XL2TPD: "xl2tpd", DLink: "dlink", LAC: "lac",
}

// String is the name by which an administrator chooses it.
func (p Profile) String() string {
	if p < profileCount {
		return names[p]
	}
	return fmt.Sprintf("profile %d", uint8(p))
}

// Profiles are all of them.
func Profiles() iter.Seq[Profile] {
	return func(yield func(Profile) bool) {
		for p := None; p < profileCount && yield(p); p++ {
		}
	}
}

// Names lists what Parse knows.
func Names() []string { return names[:] }

// Parse finds a profile by its name; false when there is none of it.
func Parse(name string) (Profile, bool) {
	for p, n := range names {
		if n == name {
			return Profile(p), true
		}
	}
	return None, false
}

// The words of a group that are no names of profiles.
const (
	Auto = "auto" // by what the peer says of itself
	Off  = "off"  // treat all alike
)

// Choose is what a group wants for a peer: the profile that it names, or with Auto, which is also the empty word, that of
// the peer's signs. An unknown name is as good as Off.
func Choose(word string, s trace.Signs) Profile {
	if word == "" || word == Auto {
		return Recognise(s)
	}
	p, _ := Parse(word)
	return p
}

// Recognise tells the kind of client from its SCCRQ; None when that says nothing. What it may be wrong about costs little.
func Recognise(s trace.Signs) Profile {
	vendor := strings.ToLower(s.Vendor)
	switch {
	case vendor == "microsoft":
		return Windows
	case vendor == "mikrotik":
		return MikroTik
	case strings.Contains(vendor, "xelerance"):
		return XL2TPD
	case strings.HasPrefix(vendor, "cisco"), strings.HasPrefix(vendor, "huawei"), strings.HasPrefix(vendor, "juniper"):
		return LAC
	case vendor != "" || s.Firmware != 0 || s.Bearer:
		return None
	case s.HostName == "anonymous" && s.Window == 1:
		return Android
	case s.Window == 4:
		return Apple // neither vendor, firmware nor bearer, and a window: nobody else does
	}
	return None
}

// How long a client that sleeps may be silent. A phone wakes up for its next notification, a laptop when its lid
// is opened; what comes later dials again.
const (
	androidPatience = 30 * time.Minute
	applePatience   = 10 * time.Minute
	slowestEcho     = time.Minute // asking more often wakes up radios for nothing
)

// Echo is how often the peer is asked for life on its link, and how many questions it may leave open. A group that asks
// nobody, or that is more patient already, stays as it is.
func (p Profile) Echo(interval time.Duration, failures int) (time.Duration, int) {
	patience := p.patience()
	if interval <= 0 || interval*time.Duration(failures) >= patience {
		return interval, failures
	}
	interval = max(interval, slowestEcho)
	return interval, int((patience + interval - 1) / interval)
}

func (p Profile) patience() time.Duration {
	switch p {
	case Android, Sleeper:
		return androidPatience
	case Apple:
		return applePatience
	}
	return 0
}

// Hello is how long the peer may be silent until its tunnel is asked for life; zero is never. Of a client that sleeps, or
// does not answer HELLO at all, the echo of its link decides alone.
func (p Profile) Hello(interval time.Duration) time.Duration {
	if p.patience() > 0 {
		return 0
	}
	return interval
}

// idleTunnel is how long a tunnel of a peer that gets no HELLO is kept without a session: nothing else would end it.
const idleTunnel = time.Minute

// IdleTunnel is how long the tunnel is kept without a session; zero is for ever.
func (p Profile) IdleTunnel(timeout time.Duration) time.Duration {
	if p.patience() > 0 && timeout <= 0 {
		return idleTunnel
	}
	return timeout
}

// ForgetsTunnel says that the peer sends messages of an open tunnel with tunnel id 0: they are told by where they
// come from. That makes a forged message easier, so nobody is recognised as such by himself.
func (p Profile) ForgetsTunnel() bool { return p == DLink }
