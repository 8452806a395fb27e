//go:build unix

package reactor

import (
	"runtime"
	"syscall"
)

// isDelivered reports whether a process can catch a signal, and the Go runtime passes it on: it keeps those of the processor's faults and of
// the profiler, and those by which the threads of a C library speak.
func isDelivered(sig syscall.Signal) bool {
	switch sig {
	case syscall.SIGKILL, syscall.SIGSTOP,
		syscall.SIGILL, syscall.SIGTRAP, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGSEGV, syscall.SIGSYS, syscall.SIGPROF:
		return false
	}
	return runtime.GOOS != "linux" || sig < 32 || sig > 34
}
