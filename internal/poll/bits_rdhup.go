//go:build linux || freebsd

package poll

import "golang.org/x/sys/unix"

// pollReadHangup is poll(2)'s bit for the peer's half-close.
const pollReadHangup = unix.POLLRDHUP
