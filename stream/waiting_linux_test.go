package stream

import "golang.org/x/sys/unix"

// waiting returns how many bytes wait to be read.
func waiting(fd int) (int, error) { return unix.IoctlGetInt(fd, unix.TIOCINQ) }
