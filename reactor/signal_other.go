//go:build !unix

package reactor

import "syscall"

// isDelivered reports whether a process can catch a signal.
func isDelivered(sig syscall.Signal) bool { return sig != syscall.SIGKILL }
