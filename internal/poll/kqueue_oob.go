//go:build darwin || dragonfly || openbsd

package poll

import "golang.org/x/sys/unix"

// The filter for out-of-band data.
const (
	hasOOBFilter = true
	oobFilter    = unix.EVFILT_EXCEPT
	oobNote      = unix.NOTE_OOB
)
