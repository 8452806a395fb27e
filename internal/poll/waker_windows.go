package poll

import "golang.org/x/sys/windows"

// waker is an event object. Unlike a socket's, its state has changed when signal and drain return.
type waker struct{ event windows.Handle }

func newWaker() (waker, error) {
	event, err := newEvent()
	return waker{event}, err
}

// newEvent makes an event object that stays signalled until it is reset.
func newEvent() (windows.Handle, error) {
	const manualReset, initially = 1, 0
	return windows.CreateEvent(nil, manualReset, initially, nil)
}

// fd is what to watch: not a socket, so the scanner waits for it beside the sockets.
func (w waker) fd() int { return int(w.event) }

func (w waker) signal() error { return windows.SetEvent(w.event) }

// drain can't fail: the event is open as long as the table is.
func (w waker) drain() { _ = windows.ResetEvent(w.event) }

func (w waker) close() error { return windows.CloseHandle(w.event) }
