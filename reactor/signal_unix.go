//go:build unix

package reactor

import (
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// isDelivered reports whether the Go runtime passes a signal on: it keeps those of the processor's faults and of the profiler, and
// those by which the threads of a C library speak. A signal without a name is a real-time one on Linux, and elsewhere one that
// there is not, or that the runtime does not know.
func isDelivered(sig syscall.Signal) bool {
	switch unix.SignalName(sig) { // not every system has all of these
	case "SIGKILL", "SIGSTOP", "SIGILL", "SIGTRAP", "SIGEMT", "SIGBUS", "SIGFPE", "SIGSEGV", "SIGSYS", "SIGSTKFLT", "SIGPROF":
		return false
	case "":
		return runtime.GOOS == "linux" && sig > 34
	}
	return true
}
