package world

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// The calls of this file are ordinary ones. A Windows system call is a function of a library, and
// runs on a stack that the Go runtime has to provide.

// Read makes no call for an empty p. So 0, 0 means the end of the stream only if p has room. After
// Shutdown of the reading side Read returns 0, 0 too, as on Unix.
func (*system) Read(fd int, p []byte) (int, syscall.Errno) {
	if len(p) == 0 {
		return 0, 0
	}
	p = p[:min(len(p), MaxTransfer)]
	buf := windows.WSABuf{Len: uint32(len(p)), Buf: unsafe.SliceData(p)}
	var n, flags uint32
	errno := errnoOf(windows.WSARecv(windows.Handle(fd), &buf, 1, &n, &flags, nil, nil))
	switch errno {
	case 0:
		kernelWrote(p[:n])
		return int(n), 0
	case syscall.ESHUTDOWN:
		return 0, 0
	}
	return 0, errno
}

func (*system) ReadUrgent(fd int) (byte, syscall.Errno) {
	const outOfBand = 1 // MSG_OOB
	var p [1]byte
	buf := windows.WSABuf{Len: 1, Buf: &p[0]}
	n, flags := uint32(0), uint32(outOfBand)
	errno := errnoOf(windows.WSARecv(windows.Handle(fd), &buf, 1, &n, &flags, nil, nil))
	if errno == 0 && n == 0 {
		errno = syscall.EINVAL
	}
	return p[0], errno
}

func (*system) Write(fd int, p []byte) (int, syscall.Errno) {
	if len(p) == 0 {
		return 0, 0
	}
	p = p[:min(len(p), MaxTransfer)]
	kernelReads(p)
	return send(fd, &windows.WSABuf{Len: uint32(len(p)), Buf: unsafe.SliceData(p)}, 1)
}

// Writev takes what gather takes.
func (*system) Writev(fd int, bufs [][]byte) (int, syscall.Errno) {
	var room [maxSlices][]byte
	slices := gather(room[:0], bufs)
	if len(slices) == 0 {
		return 0, 0
	}
	var vec [maxSlices]windows.WSABuf
	for i, p := range slices {
		kernelReads(p)
		vec[i] = windows.WSABuf{Len: uint32(len(p)), Buf: unsafe.SliceData(p)}
	}
	return send(fd, &vec[0], uint32(len(slices)))
}

// send fails with EPIPE after Shutdown of the writing side, as on Unix.
func send(fd int, first *windows.WSABuf, count uint32) (int, syscall.Errno) {
	var n uint32
	errno := errnoOf(windows.WSASend(windows.Handle(fd), first, count, &n, 0, nil, nil))
	switch errno {
	case 0:
		return int(n), 0
	case syscall.ESHUTDOWN:
		errno = syscall.EPIPE
	}
	return 0, errno
}
