package world

import "syscall"

// repeat makes a system call, and makes it again as long as a signal interrupts it. It returns 0
// beside any errno. The compiler inlines it together with call, so it costs nothing.
func repeat(call func() (n int, errno syscall.Errno)) (int, syscall.Errno) {
	for {
		switch n, errno := call(); errno {
		case 0:
			return n, 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}
