package lac

import (
	"time"

	"lnsgate/lns/ppp"
)

// holdBack keeps our own LCP requests while the profile's client waits with them; it answers the server's at once.
func (l *link) holdBack(frames []ppp.Frame, now time.Time) []ppp.Frame {
	if !now.Before(l.heldTill) {
		return frames
	}
	var rest []ppp.Frame
	for _, f := range frames {
		if p, err := ppp.ParsePacket(f.Packet); err == nil && p.Code == ppp.ConfigureRequest {
			l.held = []ppp.Frame{f}
			continue
		}
		rest = append(rest, f)
	}
	return rest
}

// release sends what was held back, when its time has come.
func (l *link) release(now time.Time, out *linkOut) {
	if len(l.held) > 0 && !now.Before(l.heldTill) {
		out.frames = append(out.frames, l.held...)
		l.held = nil
	}
}

// introduce says what the profile's client says of itself.
func (l *link) introduce(out *linkOut) {
	if l.profile != nil {
		out.frames = append(out.frames, l.profile.identifications(l.login.Magic)...)
	}
}
