package seam

import "time"

// Alarm calls ring once, after d, on a goroutine of its own. stop prevents that, and reports whether it did.
//
// It belongs to the clock's seam, for who has to be called although the loop, whose timers are the usual way, is stuck.
type Alarm func(d time.Duration, ring func()) (stop func() bool)

// SystemAlarm rings on the machine's clock.
func SystemAlarm(d time.Duration, ring func()) (stop func() bool) {
	return time.AfterFunc(d, ring).Stop
}
