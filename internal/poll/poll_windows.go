package poll

import (
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// winsock starts Winsock, once; a constant in effect.
var winsock = sync.OnceValue(func() error {
	const version2 = 2<<8 | 2
	var data windows.WSAData
	return windows.WSAStartup(version2, &data)
})

// NewPoll makes a poller on what WSAPoll is made of. It watches sockets only. Its cost grows with
// their number.
func NewPoll() (Poller, error) {
	if err := winsock(); err != nil {
		return nil, err
	}
	afd, err := newAFDPoll()
	if err != nil {
		return nil, err
	}
	table, err := newTable(&afdScan{afd: afd})
	if err != nil {
		afd.close()
		return nil, err
	}
	return &afdTable{table, afd}, nil
}

// afdTable closes the scanner with the table.
type afdTable struct {
	*table
	afd *afdPoll
}

func (t *afdTable) Close() error {
	err := t.table.Close()
	if err == syscall.EBADF {
		return err
	}
	if e := t.afd.close(); err == nil {
		err = e
	}
	return err
}

// afdScan makes a scanner of the driver's request. The first thing that the table watches is its
// waker, which is no socket. In its place the request has the driver's door: a socket that nothing
// happens to, so that there is always one to ask for.
type afdScan struct {
	afd   *afdPoll
	wake  windows.Handle
	asked []afdSocket
	got   []Events // got[i] is what asked[i] was found to be
	gone  []bool   // closed
}

// admit refuses with EPERM what is not a socket. It also refuses a socket that a layered service
// provider has wrapped, because the driver does not know it.
func (s *afdScan) admit(fd int) error {
	handle := windows.Handle(fd)
	if !isSocket(handle) {
		if _, err := windows.GetFileType(handle); err != nil {
			return syscall.EBADF
		}
		return syscall.EPERM
	}
	const sioBaseHandle = 0x48000022
	var base windows.Handle
	var got uint32
	err := windows.WSAIoctl(handle, sioBaseHandle, nil, 0, (*byte)(unsafe.Pointer(&base)), uint32(unsafe.Sizeof(base)), &got, nil, 0)
	if err != nil || base != handle {
		return syscall.EPERM
	}
	return nil
}

func isSocket(handle windows.Handle) bool {
	const soType = 0x1008
	_, err := windows.GetsockoptInt(handle, windows.SOL_SOCKET, soType)
	return err == nil
}

func (s *afdScan) clear() { s.asked, s.wake = s.asked[:0], 0 }

func (s *afdScan) watch(fd int, armed Events) {
	if len(s.asked) == 0 {
		s.wake = windows.Handle(fd)
		s.asked = append(s.asked, afdSocket{socket: s.afd.door, states: afdLocalClose})
		return
	}
	s.asked = append(s.asked, afdSocket{socket: windows.Handle(fd), states: afdRequest(armed)})
}

func (s *afdScan) scan(timeout time.Duration) (int, error) {
	for len(s.got) < len(s.asked) {
		s.got, s.gone = append(s.got, 0), append(s.gone, false)
	}
	clear(s.got)
	clear(s.gone)
	ready, err := s.afd.wait(s.asked, timeout, s.wake)
	if err != nil {
		return s.findClosed(err)
	}
	// They come in the order in which they were asked for. If they did not, this would only take
	// longer.
	at := 0
	for _, r := range ready {
		for range s.asked {
			at = (at + 1) % len(s.asked)
			if s.asked[at].socket == r.socket {
				break
			}
		}
		s.got[at], s.gone[at] = afdReport(r.states), r.states&afdLocalClose != 0
	}
	return len(ready), nil
}

// findClosed is for a request that was refused as a whole because one of the sockets has been
// closed.
func (s *afdScan) findClosed(err error) (n int, _ error) {
	for i, a := range s.asked[1:] {
		if !isSocket(a.socket) {
			s.got[i+1], s.gone[i+1] = Error, true
			n++
		}
	}
	if n == 0 {
		return 0, err
	}
	return n, nil
}

func (s *afdScan) found(i int) (ev Events, closed bool) { return s.got[i], s.gone[i] }
