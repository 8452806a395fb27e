package seam

import "time"

type systemClock struct{ start time.Time }

// SystemClock returns the machine's clock; its Now counts from this call.
func SystemClock() Clock { return systemClock{time.Now()} }

// Now is not moved by a correction of the time of day: time.Since reads the monotonic half of start.
func (c systemClock) Now() time.Duration { return time.Since(c.start) }
func (systemClock) Wall() time.Time      { return time.Now() }
