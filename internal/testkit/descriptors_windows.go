package testkit

import (
	"strconv"

	"golang.org/x/sys/windows"
)

// Descriptors returns the open sockets of the process, those with a low handle. Tests compare two
// of them. Of the other handles most are the runtime's, and come and go with its threads.
func Descriptors() map[string]string {
	const below, step, soType = 1 << 11, 4, 0x1008
	open := map[string]string{}
	for handle := windows.Handle(step); handle < below; handle += step {
		if _, err := windows.GetsockoptInt(handle, windows.SOL_SOCKET, soType); err == nil {
			open[strconv.Itoa(int(handle))] = "socket"
		}
	}
	return open
}
