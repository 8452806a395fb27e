package world_test

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"
)

const (
	soError = 0x1007
	v6Only  = windows.IPV6_V6ONLY
)

// pair is a connection. On loopback nearly everything arrives at once.
func pair(t *testing.T) (a, b int) {
	t.Helper()
	ln, addr := listen(t, "tcp4", false, ip("127.0.0.1:0"))
	a = dial(t, "tcp4", addr)
	b, _ = accept(t, ln)
	return a, b
}

// nonblockingNotInherited can't ask whether a socket blocks: Winsock does not tell.
func nonblockingNotInherited(t *testing.T, fds ...int) {
	t.Helper()
	information := windows.NewLazySystemDLL("kernel32.dll").NewProc("GetHandleInformation")
	for _, fd := range fds {
		var flags uint32
		r, _, err := information.Call(uintptr(fd), uintptr(unsafe.Pointer(&flags)))
		if r == 0 || flags&windows.HANDLE_FLAG_INHERIT != 0 {
			t.Errorf("the handle's flags are %#x, %v; want it not inherited", flags, err)
		}
	}
}

// resetOnClose makes the peer of fd see ECONNRESET when fd is closed.
func resetOnClose(fd int) error {
	return windows.SetsockoptLinger(windows.Handle(fd), windows.SOL_SOCKET, windows.SO_LINGER, &windows.Linger{Onoff: 1})
}
