package stream

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// waiting returns how many bytes wait to be read.
func waiting(fd int) (int, error) {
	const fionread = 0x4004667f
	var n, got uint32
	err := windows.WSAIoctl(windows.Handle(fd), fionread, nil, 0, (*byte)(unsafe.Pointer(&n)), uint32(unsafe.Sizeof(n)), &got, nil, 0)
	return int(n), err
}
