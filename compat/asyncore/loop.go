package asyncore

import (
	"context"
	"errors"
	"time"

	"github.com/corobridge/corobridge/reactor"
)

// LoopOption is one of the keyword arguments of asyncore.loop.
type LoopOption func(*loopConfig)

type loopConfig struct {
	timeout time.Duration
	poller  reactor.PollerKind
	count   int
}

// Timeout sets how long one iteration may wait: after that long, at the latest, Readable and
// Writable are asked again. The default is 30 s, and a negative timeout is no limit.
func Timeout(d time.Duration) LoopOption { return func(c *loopConfig) { c.timeout = d } }

// UsePoll makes the loop use poll(2), instead of the best that the platform has.
func UsePoll() LoopOption { return func(c *loopConfig) { c.poller = reactor.Poll } }

// Count sets after how many iterations Loop returns. The default is no limit. An iteration is one
// of CPython's: it ends when a handler was called, or after the timeout. How often the loop turns
// meanwhile, for a Connect or a timer, does not count.
func Count(n int) LoopOption { return func(c *loopConfig) { c.count = n } }

// Loop runs m until it is empty, for example by CloseAll, or for Count iterations: asyncore.loop.
// It returns ErrExitNow, or an error that a handler's HandleError returned. After such an error the
// other handlers stay as they are. Loop waits for tasks that go on with a connection of m
// (compat.Continue). It panics for a map of a loop that others run (On).
func Loop(m *Map, opts ...LoopOption) error {
	c := loopConfig{timeout: defaultTimeout, poller: reactor.Auto, count: -1}
	for _, o := range opts {
		o(&c)
	}
	m.mustBeOwn("Loop")
	if m.idle() {
		return nil
	}
	loop, err := m.own(c.poller)
	if err != nil {
		return err
	}
	if c.count >= 0 || c.timeout == 0 {
		return m.end(m.iterations(c.timeout, c.count))
	}
	defer m.paced(c.timeout)()
	for m.goesOn() && err == nil {
		err = loop.Run(context.Background()) // until the last handler leaves, or one fails
	}
	return m.end(err)
}

func (m *Map) goesOn() bool { return !m.idle() && m.failure == nil }

// Poll runs one iteration: asyncore.poll. It returns when a handler was called, or after timeout. A
// negative timeout is no limit. With no handlers it does not wait. Its errors are Loop's. It leaves
// m's loop open, since the caller may have more to do. Loop and CloseAll free the loop.
func Poll(m *Map, timeout time.Duration) error { return turn(m, timeout, reactor.Auto) }

// Poll2 is Poll with poll(2): asyncore.poll2.
func Poll2(m *Map, timeout time.Duration) error { return turn(m, timeout, reactor.Poll) }

func turn(m *Map, timeout time.Duration, poller reactor.PollerKind) error {
	m.mustBeOwn("Poll")
	if _, err := m.own(poller); err != nil {
		return err
	}
	var err error
	if timeout == 0 || m.idle() {
		err = m.loop.Turn(0)
	} else {
		err = m.iterations(timeout, 1)
	}
	if m.leave {
		return m.end(err)
	}
	return m.outcome(err)
}

// mustBeOwn panics if the map is on a loop that others run.
func (m *Map) mustBeOwn(caller string) {
	m.owned()
	if m.shared {
		panic("asyncore: " + caller + ": this Map is on a loop that others run; Loop and Poll are for maps made by NewMap")
	}
}

// own returns the map's own loop, set to this poller.
func (m *Map) own(poller reactor.PollerKind) (*reactor.Loop, error) {
	loop, err := m.Loop()
	if err != nil {
		return nil, err
	}
	return loop, m.core.SetPoller(poller)
}

// outcome returns the error that a handler let out, once. Without one it returns err.
func (m *Map) outcome(err error) error {
	if m.failure != nil {
		err, m.failure = m.failure, nil
	}
	return err
}

// end frees the loop of a map that is empty. Before that, the kernel is given what handlers sent
// before they closed.
func (m *Map) end(err error) error {
	err = m.outcome(err)
	if e := m.release(); err == nil {
		err = e
	}
	return err
}

// release closes the loop if it is the map's own and nothing needs it any more.
func (m *Map) release() error {
	m.leave = false
	if m.shared || m.loop == nil || !m.idle() || m.loose > 0 {
		return nil
	}
	l := m.loop
	m.ticker.Stop()
	m.loop, m.core, m.hooked, m.armed = nil, nil, false, false
	m.door.Store(nil)
	return l.Close()
}

// CloseAll calls the Close of every handler of m, in order, and frees m's loop: asyncore.close_all.
// It stops at the first error. With ignoreErrors it goes on, and returns all errors, joined. It is
// called on the loop, or while the loop does not run. On the loop it does not free the loop: the
// running Loop or Poll does so and returns, Loop with a nil error.
func CloseAll(m *Map, ignoreErrors bool) error {
	if m.core == nil || !m.core.InLoop() {
		m.owned()
	}
	var errs []error
	for h := range m.Handlers() {
		err := h.dispatcher().closeHandler()
		if err == nil {
			continue
		}
		if errs = append(errs, err); !ignoreErrors {
			return err
		}
		h.dispatcher().close(false) // it leaves the map all the same
	}
	err := errors.Join(errs...)
	if m.leave = !m.shared && m.loop != nil && m.loop.InLoop(); m.leave {
		return err
	}
	return m.end(err)
}
