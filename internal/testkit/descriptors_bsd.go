//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package testkit

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// Descriptors returns the open descriptors of the process, those below 4096, each with what tells
// files apart: not all of these systems have a /dev/fd that lists them. Tests compare two of them.
func Descriptors() map[string]string {
	open := map[string]string{}
	for fd := range 4096 {
		var s unix.Stat_t
		if unix.Fstat(fd, &s) == nil {
			open[strconv.Itoa(fd)] = fmt.Sprintf("mode %o, device %d, inode %d", s.Mode, s.Dev, s.Ino)
		}
	}
	return open
}
