//go:build unix && !linux

package stream

import "golang.org/x/sys/unix"

// waiting returns how many bytes wait to be read, at least as far as their being any goes.
func waiting(fd int) (int, error) {
	n, _, err := unix.Recvfrom(fd, make([]byte, 1), unix.MSG_PEEK)
	return max(n, 0), err
}
