package configs

// Trace says how much is kept of how logins went.
type Trace struct {
	Memory   Size  `mapstructure:"memory"`    // for the stories of attempts that are over; 0: none are told
	KeepDays int   `mapstructure:"keep_days"` // of the rows of the table logins; 0: for ever
	Steps    Steps `mapstructure:"steps"`     // of which logins the table has every step
}

// Steps says of which logins every step is written into the database.
type Steps uint8

// The choices.
const (
	StepsOfFailed Steps = iota
	StepsOfAll
	StepsOfNone
)

var stepsNames = []string{"failed", "all", "none"}

func (v Steps) String() string { return nameOf(stepsNames, v) }

// UnmarshalText reads failed, all or none.
func (v *Steps) UnmarshalText(b []byte) error { return readName(v, stepsNames, b) }

func defaultTrace() Trace { return Trace{Memory: 16 << 20, KeepDays: 90} }

func (c *checker) checkTrace() {
	if m := c.cfg.Trace.Memory; m != 0 && m < 1<<20 || m > 4<<30 {
		c.say("trace.memory", "%v is neither 0 nor between 1MiB and 4GiB", m)
	}
	c.between("trace.keep_days", c.cfg.Trace.KeepDays, 0, 36500)
}
