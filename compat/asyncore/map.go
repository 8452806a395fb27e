package asyncore

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"time"

	"github.com/corobridge/corobridge/compat/internal/channel"
	inner "github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/reactor"
)

// Map is asyncore's socket_map: the handlers of one loop. There is no global one.
type Map struct{ set channel.Set }

// Option configures a Map.
type Option func(*config)

type config struct{ log func(kind, msg string) }

// Logger sets where handlers log to. The default logs to slog.Default, and drops what is of the kind "warning", as asyncore does.
func Logger(fn func(kind, msg string)) Option { return func(c *config) { c.log = fn } }

// NewMap makes a map for Loop. It opens a loop of its own when it needs one; Loop closes it when the map is empty, and so does CloseAll.
func NewMap(opts ...Option) *Map { return newMap(nil, opts) }

// On makes a map of handlers that live on l, beside its tasks.
func On(l *reactor.Loop, opts ...Option) *Map { return newMap(l, opts) }

func newMap(l *reactor.Loop, opts []Option) *Map {
	c := config{log: logDefault}
	for _, o := range opts {
		o(&c)
	}
	m := &Map{}
	m.set.Init(m, l, c.log)
	return m
}

func logDefault(kind, msg string) {
	switch kind {
	case "warning":
	case "error":
		slog.Error(msg)
	default:
		slog.Info(msg)
	}
}

// ClassicSet is for the packages of this module.
func (m *Map) ClassicSet() *channel.Set {
	if m == nil {
		return nil
	}
	return &m.set
}

func mapOf(s *channel.Set) *Map {
	if s == nil {
		return nil
	}
	return s.Owner().(*Map)
}

// Loop returns the loop that m's handlers live on, for its timers and for calls from other goroutines: loop.CallSoon. A map made by
// NewMap opens its own if it has none. That one is run by the functions Loop and Poll only.
func (m *Map) Loop() (*reactor.Loop, error) { return m.set.Loop() }

// Len returns how many handlers there are.
func (m *Map) Len() int { return m.set.Len() }

// Handlers yields the handlers, in the order they were added.
func (m *Map) Handlers() iter.Seq[Handler] {
	return func(yield func(Handler) bool) {
		for _, c := range m.set.Channels() {
			if !yield(c.Handler().(Handler)) {
				return
			}
		}
	}
}

// Stats are counts of what a map's handlers have been through. Its fields, all uint64, are Callbacks, the calls of handlers' methods
// without the predicates, and HandOvers, the connections that were taken from a handler.
type Stats = channel.Stats

// Stats returns the counts.
func (m *Map) Stats() Stats { return m.set.Stats() }

// LoopOption is one of loop's keyword arguments.
type LoopOption func(*loopConfig)

type loopConfig struct {
	timeout time.Duration
	poller  reactor.PollerKind
	count   int
}

// Timeout bounds how long one iteration waits; the default is 30 s. It matters together with Count.
func Timeout(d time.Duration) LoopOption { return func(c *loopConfig) { c.timeout = d } }

// UsePoll makes the loop ask poll(2), instead of the best facility the platform has.
func UsePoll() LoopOption { return func(c *loopConfig) { c.poller = reactor.Poll } }

// Count bounds the number of iterations; the default is no bound.
func Count(n int) LoopOption { return func(c *loopConfig) { c.count = n } }

// Loop runs m until it is empty, as CloseAll makes it, or for Count iterations: asyncore.loop. It returns ErrExitNow, or another error,
// that a handler's method let out; the other handlers stay as they are then. Tasks that go on with a connection of m (compat.Continue)
// are waited for. It panics for the map of a loop that runs elsewhere (On).
func Loop(m *Map, opts ...LoopOption) error {
	c := loopConfig{timeout: 30 * time.Second, poller: reactor.Auto, count: -1}
	for _, o := range opts {
		o(&c)
	}
	m.mustBeOwn("Loop")
	if m.set.Idle() {
		return nil
	}
	loop, err := m.own(c.poller)
	if err != nil {
		return err
	}
	for !m.set.Idle() && c.count != 0 && err == nil && !m.set.Failed() {
		if c.count < 0 {
			err = loop.Run(context.Background()) // until the last handler leaves, or one fails
		} else {
			err = loop.Turn(c.timeout)
			c.count--
		}
	}
	return m.end(err)
}

// Poll runs one iteration, which waits at most timeout (negative: no bound) for something to do: asyncore.poll. Its errors are Loop's. It
// leaves m's loop open, as who polls may have more to do: Loop or CloseAll frees it.
func Poll(m *Map, timeout time.Duration) error { return turn(m, timeout, reactor.Auto) }

// Poll2 is Poll with poll(2): asyncore.poll2.
func Poll2(m *Map, timeout time.Duration) error { return turn(m, timeout, reactor.Poll) }

func turn(m *Map, timeout time.Duration, poller reactor.PollerKind) error {
	m.mustBeOwn("Poll")
	loop, err := m.own(poller)
	if err != nil {
		return err
	}
	if err = loop.Turn(timeout); m.set.Leaving() {
		return m.end(err)
	}
	return m.failure(err)
}

// mustBeOwn panics if the map is on somebody else's loop.
func (m *Map) mustBeOwn(caller string) {
	if m.set.Shared() {
		panic("asyncore: " + caller + ": this Map is on a loop that others run; Loop and Poll are for maps made by NewMap")
	}
}

// own returns the map's own loop, with the poller that is asked for.
func (m *Map) own(poller reactor.PollerKind) (*reactor.Loop, error) {
	loop, err := m.set.Loop()
	if err != nil {
		return nil, err
	}
	return loop, inner.From(loop.Context()).SetPoller(poller)
}

// failure returns what a handler has let out, else err.
func (m *Map) failure(err error) error {
	if e := m.set.TakeFailure(); e != nil {
		return e
	}
	return err
}

// end frees the loop of a map that is empty. What handlers have sent before they closed is given to the kernel first.
func (m *Map) end(err error) error {
	err = m.failure(err)
	if e := m.set.Release(); err == nil {
		err = e
	}
	return err
}

// CloseAll calls the Close of every handler of m, in order, and frees m's loop: asyncore.close_all. It stops at the first error unless
// ignoreErrors is set. It is called on the loop, or while that does not run; on the loop it leaves it to the running Loop or Poll to
// free that and return, Loop with a nil error.
func CloseAll(m *Map, ignoreErrors bool) error {
	var errs []error
	for h := range m.Handlers() {
		if err := h.ClassicChannel().CloseHandler(); err != nil {
			if errs = append(errs, err); !ignoreErrors {
				return err
			}
		}
	}
	err := errors.Join(errs...)
	if m.set.Leave() {
		return err
	}
	return m.end(err)
}
