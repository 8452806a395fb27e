//go:build unix && !aix

package poll

import (
	"math"
	"syscall"
)

// inRange returns EBADF for what can't be a descriptor. The kernel looks at 32 bits of it only, and
// would take a larger number for another descriptor.
func inRange(fd int) error {
	if fd < 0 || fd > math.MaxInt32 {
		return syscall.EBADF
	}
	return nil
}
