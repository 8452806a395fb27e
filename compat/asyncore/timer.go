package asyncore

import (
	"time"

	"github.com/corobridge/corobridge/reactor"
)

// call is a callback of the loop.
type call func()

func (f call) Run() { f() }

// timers are those of a handler, until they fire or the handler ends.
type timers map[*handlerTimer]struct{}

// handlerTimer is one of them.
type handlerTimer struct {
	d     *Dispatcher
	fn    func() error
	every bool
	timer reactor.Timer
}

func (t timers) stop() {
	for h := range t {
		h.timer.Stop()
	}
	clear(t)
}

// CallLater has fn called on the loop after a duration. The timer belongs to the handler: when that
// is closed, or gives its connection away, the timer is stopped. An error of fn, or a panic, goes
// to HandleError, as one of the handler's methods would. CallLater panics if Init has not seen the
// handler.
//
// Timers do not keep Loop from returning when the map is empty. A timer of m.Loop() does not end
// with a handler, and never fires once Loop has returned, since Loop closes that loop.
func (d *Dispatcher) CallLater(after time.Duration, fn func() error) reactor.Timer {
	h := d.newTimer("CallLater", fn)
	h.timer = d.in.loop.CallLater(after, h.fire)
	return h.timer
}

// CallEvery is CallLater again and again: after a duration, twice that, and so on.
func (d *Dispatcher) CallEvery(interval time.Duration, fn func() error) reactor.Timer {
	h := d.newTimer("CallEvery", fn)
	h.every = true
	h.timer = d.in.loop.Every(interval, h.fire)
	return h.timer
}

func (d *Dispatcher) newTimer(caller string, fn func() error) *handlerTimer {
	switch {
	case d.in == nil:
		panic("asyncore: " + caller + " needs a handler that Init or Attach has seen")
	case fn == nil:
		panic("asyncore: " + caller + " needs a function")
	}
	if _, err := d.in.Loop(); err != nil {
		panic(err)
	}
	if d.timers == nil {
		d.timers = timers{}
	}
	h := &handlerTimer{d: d, fn: fn}
	d.timers[h] = struct{}{}
	return h
}

// fire makes the call, unless the handler has ended in the same turn.
func (h *handlerTimer) fire() {
	d := h.d
	if _, there := d.timers[h]; !there {
		return
	}
	if !h.every {
		delete(d.timers, h)
	}
	if err := d.protect(func(*Dispatcher) error { return h.fn() }); err != nil {
		d.fail(err)
	}
}
