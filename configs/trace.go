package configs

// Trace says how much is kept of how logins went.
type Trace struct {
	Memory   Size  `mapstructure:"memory"`    // for the stories of attempts that are over; 0: none are told
	KeepDays int   `mapstructure:"keep_days"` // of the rows of the table logins; 0: for ever
	Rows     Which `mapstructure:"rows"`      // which logins have a row there
	Steps    Which `mapstructure:"steps"`     // and of which of them the row has every step
}

// Which says which logins are written into the database.
type Which uint8

// The choices.
const (
	WhichFailed Which = iota
	WhichAll
	WhichNone
)

var whichNames = []string{"failed", "all", "none"}

func (v Which) String() string { return nameOf(whichNames, v) }

// UnmarshalText reads failed, all or none.
func (v *Which) UnmarshalText(b []byte) error { return readName(v, whichNames, b) }

func defaultTrace() Trace { return Trace{Memory: 16 << 20, KeepDays: 90, Rows: WhichAll} }

func (c *checker) checkTrace() {
	if m := c.cfg.Trace.Memory; m != 0 && m < 1<<20 || m > 4<<30 {
		c.say("trace.memory", "%v is neither 0 nor between 1MiB and 4GiB", m)
	}
	c.between("trace.keep_days", c.cfg.Trace.KeepDays, 0, 36500)
}
