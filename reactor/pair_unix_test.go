//go:build unix

package reactor_test

import (
	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/testkit"
)

// pair2 is pair without a test's cleanup.
func pair2() (a, b *end) {
	fds := testkit.Must(unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0))
	for _, fd := range fds {
		unix.CloseOnExec(fd)
		testkit.Check(unix.SetNonblock(fd, true))
	}
	return &end{fd: fds[0]}, &end{fd: fds[1]}
}
