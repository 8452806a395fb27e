package poll

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// The driver behind Winsock, afd.sys, has one request that select, WSAPoll and the rest are made
// of: wait until one of these sockets is in one of these states. We make that request ourselves, as
// libuv and mio do, because WSAPoll has two faults. It tells of a peer's half-close unasked, in
// each call, so a writer to such a peer would spin. And before Windows 10 2004 it does not tell of
// a refused connection.

const ioctlAFDPoll = 0x12024

// The states of a socket.
const (
	afdReceive     = 1 << iota // data
	afdExpedited               // out-of-band data
	afdSend                    // room to send, or connected
	afdDisconnect              // the peer has shut down its writing side
	afdAbort                   // reset
	afdLocalClose              // the socket was closed here
	_                          // connected; afdSend says so too
	afdAccept                  // a connection to accept
	afdConnectFail             // refused, or unreachable
)

// afdHeader comes before the sockets of a request.
type afdHeader struct {
	timeout   int64 // in units of 100 ns, negative for a span
	count     uint32
	exclusive uint32
}

// afdSocket goes in with the states that are asked for. If the socket is in one of them, it comes
// out with the states that the socket is in.
type afdSocket struct {
	socket windows.Handle
	states uint32
	status windows.NTStatus
}

// procDeviceIoControl is a function's address, a constant in effect.
var procDeviceIoControl = windows.NewLazySystemDLL("ntdll.dll").NewProc("NtDeviceIoControlFile")

// afdRequest returns the states that want asks for. Hangup and Error are always asked for.
func afdRequest(want Events) uint32 {
	states := uint32(afdAbort | afdLocalClose | afdConnectFail)
	if want&Readable != 0 {
		states |= afdReceive | afdAccept | afdDisconnect
	}
	if want&Writable != 0 {
		states |= afdSend
	}
	if want&Priority != 0 {
		states |= afdExpedited
	}
	return states
}

// afdReport returns what the states mean. They do not say whether our own side is shut down too, so
// Hangup comes only with a connection that has failed.
func afdReport(states uint32) Events {
	var ev Events
	if states&(afdReceive|afdAccept) != 0 {
		ev |= Readable
	}
	if states&afdSend != 0 {
		ev |= Writable
	}
	if states&afdExpedited != 0 {
		ev |= Priority
	}
	if states&afdDisconnect != 0 {
		ev |= Readable | ReadHangup
	}
	if states&(afdAbort|afdConnectFail) != 0 {
		ev |= Readable | Writable | ReadHangup | Hangup | Error
	}
	if states&afdLocalClose != 0 {
		ev |= Error
	}
	return ev
}

// afdTimeout rounds up.
func afdTimeout(timeout time.Duration) int64 {
	const unit, forever = 100 * time.Nanosecond, 1<<63 - 1
	if timeout < 0 {
		return forever
	}
	units := timeout / unit
	if timeout%unit != 0 {
		units++
	}
	return -int64(units)
}

// afdPoll is one request, whose memory the kernel uses until it is over.
type afdPoll struct {
	door windows.Handle     // a socket of our own, to reach the driver by
	over windows.Handle     // signalled when a request is
	iosb windows.Overlapped // begins as NtDeviceIoControlFile wants: status, length
	buf  []uint64           // header and sockets; uint64, for the header's alignment
	ends [2]windows.Handle  // over and wake, what a request is waited for with
}

const (
	headerSize = unsafe.Sizeof(afdHeader{})
	socketSize = unsafe.Sizeof(afdSocket{})
)

func newAFDPoll() (*afdPoll, error) {
	const flags = windows.WSA_FLAG_OVERLAPPED | windows.WSA_FLAG_NO_HANDLE_INHERIT
	door, err := windows.WSASocket(windows.AF_INET, windows.SOCK_DGRAM, windows.IPPROTO_UDP, nil, 0, flags)
	if err != nil {
		return nil, err
	}
	over, err := newEvent()
	if err != nil {
		windows.Closesocket(door)
		return nil, err
	}
	return &afdPoll{door: door, over: over}, nil
}

func (a *afdPoll) close() error {
	err := windows.CloseHandle(a.over)
	if e := windows.Closesocket(a.door); err == nil {
		err = e
	}
	return err
}

// wait makes a request. It waits until a socket is in a state that is asked for, the time is over,
// or wake is signalled. It returns the sockets that are in such a state; they are valid until the
// next call.
func (a *afdPoll) wait(asked []afdSocket, timeout time.Duration, wake windows.Handle) ([]afdSocket, error) {
	size := headerSize + uintptr(len(asked))*socketSize
	if need := int(size+7) / 8; len(a.buf) < need {
		a.buf = make([]uint64, need)
	}
	header := (*afdHeader)(unsafe.Pointer(&a.buf[0]))
	*header = afdHeader{timeout: afdTimeout(timeout), count: uint32(len(asked))}
	sockets := unsafe.Slice((*afdSocket)(unsafe.Add(unsafe.Pointer(&a.buf[0]), headerSize)), len(asked))
	copy(sockets, asked)
	switch status := a.control(size, wake); status {
	case windows.STATUS_SUCCESS:
		return sockets[:min(int(header.count), len(asked))], nil
	case windows.STATUS_TIMEOUT, windows.STATUS_CANCELLED:
		// Cancelled by wake, or by the end of the thread that asked.
		return nil, nil
	default:
		return nil, status
	}
}

// control makes the request. When it returns the kernel no longer uses the memory.
func (a *afdPoll) control(size uintptr, wake windows.Handle) windows.NTStatus {
	r, _, _ := syscall.SyscallN(procDeviceIoControl.Addr(), uintptr(a.door), uintptr(a.over), 0, 0, uintptr(unsafe.Pointer(&a.iosb)), ioctlAFDPoll,
		uintptr(unsafe.Pointer(&a.buf[0])), size, uintptr(unsafe.Pointer(&a.buf[0])), size)
	status := windows.NTStatus(r)
	if status != windows.STATUS_PENDING {
		return status
	}
	a.ends = [2]windows.Handle{a.over, wake}
	if which, err := windows.WaitForMultipleObjects(a.ends[:], false, windows.INFINITE); which != windows.WAIT_OBJECT_0 || err != nil {
		_ = windows.CancelIoEx(a.door, &a.iosb) // it fails if the request is over by now
		windows.WaitForSingleObject(a.over, windows.INFINITE)
	}
	return windows.NTStatus(a.iosb.Internal)
}
