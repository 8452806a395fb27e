//go:build !unix

package reactor

import (
	"runtime"
	"syscall"
)

// isDelivered reports whether a program is told of a signal. On Windows SIGINT stands for Ctrl-C
// and Ctrl-Break, and SIGTERM for the end of the session or the window. There are no others.
func isDelivered(sig syscall.Signal) bool {
	return runtime.GOOS != "windows" || sig == syscall.SIGINT || sig == syscall.SIGTERM
}
