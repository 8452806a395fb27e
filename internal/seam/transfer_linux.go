package seam

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls of this file are raw: the Go scheduler is not told of them. Told, it would take the processor away
// during a call now and then, and getting it back costs more than a call that never blocks.
//
// In return each must be short, hence MaxTransfer, and none may be inlined. A raw call is assembly, where a goroutine
// can't be preempted; a loop that does little else would hold off a stop-the-world for seconds. The prologue of a
// function that is really called is a preemption point, so each call passes one.

// Sockets are read and written by recvfrom and sendto, without an address. They do for a socket what read and write do, but go past
// what those have to do for files, with each connection's file and inode, which among a thousand connections are not in the
// processor's cache. What is not a socket says ENOTSOCK to that.

// Read does nothing for an empty p, so 0, 0 tells the end of the stream only when there was room.
func (k kernel) Read(fd int, p []byte) (int, syscall.Errno) {
	if len(p) == 0 {
		return 0, 0
	}
	p = p[:min(len(p), MaxTransfer)]
	n, errno := k.rawTransfer(unix.SYS_RECVFROM, fd, unsafe.Pointer(unsafe.SliceData(p)), len(p), 0)
	if errno == unix.ENOTSOCK {
		n, errno = k.rawTransfer(unix.SYS_READ, fd, unsafe.Pointer(unsafe.SliceData(p)), len(p), 0)
	}
	kernelWrote(p[:n])
	return n, errno
}

func (k kernel) Write(fd int, p []byte) (int, syscall.Errno) {
	if len(p) == 0 {
		return 0, 0
	}
	p = p[:min(len(p), MaxTransfer)]
	kernelReads(p)
	n, errno := k.rawTransfer(unix.SYS_SENDTO, fd, unsafe.Pointer(unsafe.SliceData(p)), len(p), unix.MSG_NOSIGNAL)
	if errno == unix.ENOTSOCK {
		n, errno = k.rawTransfer(unix.SYS_WRITE, fd, unsafe.Pointer(unsafe.SliceData(p)), len(p), 0)
	}
	return n, errno
}

// Writev takes the first maxSlices slices that are not empty, up to MaxTransfer bytes; what is left over is for the
// next call, as after any short write.
func (k kernel) Writev(fd int, bufs [][]byte) (int, syscall.Errno) {
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
	return k.rawTransfer(unix.SYS_WRITEV, fd, unsafe.Pointer(&vec), count, 0)
}

// rawTransfer makes a call of the form (descriptor, address, length, flags, no address). It returns 0 beside any errno.
//
//go:noinline
func (k kernel) rawTransfer(trap uintptr, fd int, at unsafe.Pointer, length, flags int) (int, syscall.Errno) {
	for {
		n, errno := uintptr(0), unix.EINTR
		if k.faults == nil || !k.faults.interrupted() {
			n, _, errno = unix.RawSyscall6(trap, uintptr(fd), uintptr(at), uintptr(length), uintptr(flags), 0, 0)
		}
		switch errno {
		case 0:
			return int(n), 0
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// Accept returns a zero peer if the address family is none of ours.
func (k kernel) Accept(fd int) (int, Addr, syscall.Errno) {
	var raw rawAddr
	nfd, errno := k.rawAccept(fd, &raw)
	if errno != 0 {
		return -1, Addr{}, errno
	}
	return nfd, raw.decode(), 0
}

//go:noinline
func (k kernel) rawAccept(fd int, raw *rawAddr) (int, syscall.Errno) {
	for {
		raw.size = unix.SizeofSockaddrAny
		nfd, errno := uintptr(0), unix.EINTR
		if k.faults == nil || !k.faults.interrupted() {
			nfd, _, errno = unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&raw.any)),
				uintptr(unsafe.Pointer(&raw.size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		}
		switch errno {
		case 0:
			return int(nfd), 0
		case unix.EINTR:
		default:
			return -1, errno
		}
	}
}
