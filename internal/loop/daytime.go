package loop

import (
	"sync/atomic"
	"time"

	"github.com/corobridge/corobridge/internal/world"
)

// daytime converts between the time of day and the loop's monotonic clock. The two are never read
// at one moment, so it keeps the time of day at which the clock stood at zero: with that, equal
// times stay equal, whenever they are converted. It is measured again when the time of day has been
// set.
//
// It may be used from any goroutine.
type daytime struct{ zero atomic.Pointer[time.Time] }

// A difference between the two clocks that changes by less counts as inaccuracy.
const daytimeAccuracy = 100 * time.Microsecond

// when returns a time of day as a time of the clock.
func (d *daytime) when(c world.Clock, t time.Time) time.Duration { return t.Sub(d.origin(c)) }

// at returns a time of the clock as a time of day.
func (d *daytime) at(c world.Clock, when time.Duration) time.Time { return d.origin(c).Add(when) }

// origin returns the time of day at which the clock stood at zero.
func (d *daytime) origin(c world.Clock) time.Time {
	const tries = 4 // another goroutine may have had the processor between two readings
	var zero time.Time
	for range tries {
		before, wall, after := c.Now(), c.Wall(), c.Now()
		if known := d.zero.Load(); known != nil {
			// Round strips Go's own monotonic reading, which setting the time of day does not
			// change.
			since := wall.Round(0).Sub(known.Round(0))
			if before-daytimeAccuracy < since && since < after+daytimeAccuracy {
				return *known
			}
		}
		if zero = wall.Add(-after); after-before < daytimeAccuracy { // so that no timer is early
			break
		}
	}
	d.zero.Store(&zero)
	return zero
}
