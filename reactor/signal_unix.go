//go:build unix

package reactor

import (
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// isDelivered reports whether the Go runtime passes a signal on. It keeps the processor's faults,
// the profiler's signal, and those that the threads of a C library send each other. On Linux a
// signal without a name is a real-time one. Elsewhere there is no such signal, or the runtime does
// not know it.
func isDelivered(sig syscall.Signal) bool {
	switch unix.SignalName(sig) { // not every system has all of these
	case "SIGKILL", "SIGSTOP", "SIGILL", "SIGTRAP", "SIGEMT", "SIGBUS", "SIGFPE", "SIGSEGV", "SIGSYS", "SIGSTKFLT", "SIGPROF":
		return false
	case "":
		return runtime.GOOS == "linux" && sig > 34
	}
	return true
}
