//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package poll

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kdirections are the directions that have filters.
var kdirections = [...]Events{Readable, Writable, Priority}

// register makes r's filters. The caller holds mu.
func (p *kqueue) register(r *kfilters) error {
	directions := kdirections[:2]
	if hasOOBFilter && r.want&Priority != 0 {
		directions = kdirections[:]
	}
	r.set, r.ended = 0, 0
	for i, dir := range directions {
		r.fill(&p.changes[i], dir, r.addition(dir))
	}
	if err := p.apply(len(directions)); err == nil {
		for _, dir := range directions {
			r.set |= dir
		}
		return nil
	}
	// One was refused. We try each to find out which; adding a filter again does no harm.
	for _, dir := range directions {
		err := p.change(r, dir, r.addition(dir))
		switch {
		case err == nil:
			r.set |= dir
		case err == syscall.EPIPE && dir == Writable: // a pipe whose other end is closed
			r.ended |= Writable
		case err == syscall.EBADF || r.want&dir&(Readable|Writable) != 0:
			// Otherwise nobody misses it: only sockets have out-of-band data.
			p.drop(r)
			return err
		}
	}
	return nil
}

// addition returns the flags of a new filter.
func (r *kfilters) addition(dir Events) int {
	if r.mode == Edge || r.want&dir == 0 {
		return unix.EV_ADD | unix.EV_CLEAR
	}
	return unix.EV_ADD
}

// drop deletes r's filters. It returns the first error: ENOENT or EBADF if the kernel has forgotten
// them. The caller holds mu.
func (p *kqueue) drop(r *kfilters) error {
	var first error
	for _, dir := range kdirections {
		if r.set&dir == 0 {
			continue
		}
		if err := p.change(r, dir, unix.EV_DELETE); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// holds reports whether the kernel still has r's filters. It asks by enabling one that is enabled,
// which changes nothing. The caller holds mu.
func (p *kqueue) holds(r *kfilters) bool {
	for _, dir := range kdirections {
		if r.set&dir != 0 {
			return p.change(r, dir, unix.EV_ENABLE) == nil
		}
	}
	return false
}

// change makes one change to r's filter for a direction.
func (p *kqueue) change(r *kfilters, dir Events, flags int) error {
	r.fill(&p.changes[0], dir, flags)
	return p.apply(1)
}

// apply makes the first n changes, up to one that fails. The call does not wait. If it was
// interrupted, it has done its work.
func (p *kqueue) apply(n int) error {
	if _, err := unix.Kevent(p.fd, p.changes[:n], nil, nil); err != unix.EINTR {
		return err
	}
	return nil
}

func (r *kfilters) fill(ev *unix.Kevent_t, dir Events, flags int) {
	filter, note := unix.EVFILT_READ, 0
	switch dir {
	case Writable:
		filter = unix.EVFILT_WRITE
	case Priority:
		filter, note = oobFilter, oobNote
	}
	unix.SetKevent(ev, r.fd, filter, flags)
	ev.Fflags = uint32(note)
	*number(ev) = r.number
}

// report returns what an event says of r, and remembers an end. Hangup means that both directions
// have ended. A direction that this side has shut down counts as ended.
func (r *kfilters) report(ev *unix.Kevent_t) Events {
	dir := Priority
	switch int(ev.Filter) {
	case unix.EVFILT_READ:
		dir = Readable
	case unix.EVFILT_WRITE:
		dir = Writable
	}
	e := dir & r.want
	if ev.Flags&unix.EV_EOF == 0 {
		return e
	}
	if e == Readable {
		e |= ReadHangup
	}
	if ev.Fflags != 0 && dir != Priority {
		e |= Error
	}
	r.ended |= dir
	if r.ended&(Readable|Writable) == Readable|Writable {
		e |= Hangup
	}
	return e
}

// kevents returns room for n events. On most systems the caller's number in an event is declared as
// a pointer, which the garbage collector must not follow. So this is memory that holds no pointers
// for the collector, and events are never copied out of it.
func kevents(n int) []unix.Kevent_t {
	const size, word = unsafe.Sizeof(unix.Kevent_t{}), unsafe.Sizeof(uint64(0))
	memory := make([]uint64, (uintptr(n)*size+word-1)/word)
	return unsafe.Slice((*unix.Kevent_t)(unsafe.Pointer(unsafe.SliceData(memory))), n)
}

// number is the caller's part of an event.
func number(ev *unix.Kevent_t) *uintptr { return (*uintptr)(unsafe.Pointer(&ev.Udata)) }
