//go:build unix

package world_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

const (
	soError = unix.SO_ERROR
	v6Only  = unix.IPV6_V6ONLY
)

// pair is a connection in which everything arrives at once.
func pair(t *testing.T) (a, b int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
		if err := unix.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
	}
	return closing(t, fds[0]), closing(t, fds[1])
}

func nonblockingNotInherited(t *testing.T, fds ...int) {
	t.Helper()
	for _, fd := range fds {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Errorf("the flags are %#x, %v; want O_NONBLOCK in them", flags, err)
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("the descriptor's flags are %#x, %v; want FD_CLOEXEC in them", flags, err)
		}
	}
}

// resetOnClose makes the peer of fd see ECONNRESET when fd is closed.
func resetOnClose(fd int) error {
	return unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}
