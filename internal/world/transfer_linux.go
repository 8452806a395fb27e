package world

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls of this file are raw: the Go scheduler is not told of them. Otherwise it would take the
// processor away during a call now and then, and getting it back costs more than a call that never
// blocks.
//
// In return each call must be short, hence MaxTransfer, and none may be inlined. A raw call is
// assembly, where a goroutine can't be preempted, so a loop that does little else would hold off a
// stop-the-world for seconds. The prologue of a function that is really called is a preemption
// point, and each call passes one.
//
// Sockets are read and written by recvfrom and sendto, without an address. For a socket they do
// what read and write do, but skip the work that those do for files. That work touches each
// connection's file and inode, which are not in the processor's cache when there are a thousand
// connections. What is not a socket answers ENOTSOCK.

// Read makes no call for an empty p. So 0, 0 means the end of the stream only if p has room.
func (*system) Read(fd int, p []byte) (int, syscall.Errno) {
	if len(p) == 0 {
		return 0, 0
	}
	p = p[:min(len(p), MaxTransfer)]
	n, errno := rawTransfer(unix.SYS_RECVFROM, fd, unsafe.Pointer(unsafe.SliceData(p)), len(p), 0)
	if errno == unix.ENOTSOCK {
		n, errno = rawTransfer(unix.SYS_READ, fd, unsafe.Pointer(unsafe.SliceData(p)), len(p), 0)
	}
	kernelWrote(p[:n])
	return n, errno
}

func (*system) Write(fd int, p []byte) (int, syscall.Errno) {
	if len(p) == 0 {
		return 0, 0
	}
	p = p[:min(len(p), MaxTransfer)]
	kernelReads(p)
	n, errno := rawTransfer(unix.SYS_SENDTO, fd, unsafe.Pointer(unsafe.SliceData(p)), len(p), unix.MSG_NOSIGNAL)
	if errno == unix.ENOTSOCK {
		n, errno = rawTransfer(unix.SYS_WRITE, fd, unsafe.Pointer(unsafe.SliceData(p)), len(p), 0)
	}
	return n, errno
}

// Writev takes the first maxSlices slices that are not empty, up to MaxTransfer bytes. What is left
// over is for the next call, as after any short write.
func (*system) Writev(fd int, bufs [][]byte) (int, syscall.Errno) {
	var vec [maxSlices]unix.Iovec
	count, room := 0, MaxTransfer
	for _, p := range bufs {
		if len(p) == 0 {
			continue
		}
		if count == len(vec) || room == 0 {
			break
		}
		p = p[:min(len(p), room)]
		kernelReads(p)
		vec[count].Base = unsafe.SliceData(p)
		vec[count].SetLen(len(p))
		count++
		room -= len(p)
	}
	if count == 0 {
		return 0, 0
	}
	return rawTransfer(unix.SYS_WRITEV, fd, unsafe.Pointer(&vec), count, 0)
}

// rawTransfer makes a call of the form (descriptor, address, length, flags, no address).
//
//go:noinline
func rawTransfer(trap uintptr, fd int, at unsafe.Pointer, length, flags int) (int, syscall.Errno) {
	return repeat(func() (int, syscall.Errno) {
		n, _, errno := unix.RawSyscall6(trap, uintptr(fd), uintptr(at), uintptr(length), uintptr(flags), 0, 0)
		return int(n), errno
	})
}

func (*system) Accept(fd int) (int, Addr, syscall.Errno) {
	var raw rawAddr
	nfd, errno := rawAccept(fd, &raw)
	if errno != 0 {
		return -1, Addr{}, errno
	}
	return nfd, raw.decode(), 0
}

//go:noinline
func rawAccept(fd int, raw *rawAddr) (int, syscall.Errno) {
	return repeat(func() (int, syscall.Errno) {
		raw.size = unix.SizeofSockaddrAny
		nfd, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&raw.any)),
			uintptr(unsafe.Pointer(&raw.size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		return int(nfd), errno
	})
}
