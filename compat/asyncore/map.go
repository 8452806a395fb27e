package asyncore

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"time"

	"github.com/corobridge/corobridge/compat/internal/channel"
	"github.com/corobridge/corobridge/reactor"
)

// Map is asyncore's socket_map: the handlers of one loop. There is no global one.
type Map struct{ set channel.Set }

// Option configures a Map.
type Option func(*config)

type config struct{ log func(kind, msg string) }

// Logger sets where handlers log to. The default logs to slog.Default, and drops what is of the kind "warning", as asyncore does.
func Logger(fn func(kind, msg string)) Option { return func(c *config) { c.log = fn } }

// NewMap makes a map for Loop. It opens a loop of its own when it needs one, and closes it when Loop has ended.
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

func (m *Map) channels() *channel.Set {
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

// Stats are counts of what a map's handlers have been through.
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

// Loop runs m until it is empty, or for Count iterations: asyncore.loop. It returns ErrExitNow, or another error, that a handler's
// method let out; the other handlers stay as they are then. It panics for the map of a loop that runs elsewhere (On).
func Loop(m *Map, opts ...LoopOption) error {
	c := loopConfig{timeout: 30 * time.Second, poller: reactor.Auto, count: -1}
	for _, o := range opts {
		o(&c)
	}
	if m.Len() == 0 {
		return nil
	}
	loop, err := m.own()
	if err != nil {
		return err
	}
	if err := loop.SetPoller(c.poller); err != nil {
		return err
	}
	for m.Len() > 0 && c.count != 0 && err == nil && !m.set.Failed() {
		if c.count < 0 {
			err = loop.Run(context.Background()) // until the last handler leaves, or one fails
		} else {
			err = loop.Turn(c.timeout)
			c.count--
		}
	}
	return m.end(err)
}

// Poll runs one iteration, which waits at most timeout (negative: no bound): asyncore.poll.
func Poll(m *Map, timeout time.Duration) error {
	loop, err := m.own()
	if err != nil {
		return err
	}
	return m.end(loop.Turn(timeout))
}

// own returns the loop, which must be the map's own.
func (m *Map) own() (*reactor.Loop, error) {
	if m.set.Shared() {
		panic("asyncore: this Map is on a loop that others run; Loop and Poll are for maps made by NewMap")
	}
	return m.set.Loop()
}

// end frees the loop of a map that is empty.
func (m *Map) end(err error) error {
	if e := m.set.TakeFailure(); e != nil {
		err = e
	}
	if e := m.set.Release(); err == nil {
		err = e
	}
	return err
}

// CloseAll closes every handler of m and frees its loop: asyncore.close_all. It stops at the first error unless ignoreErrors is set.
func CloseAll(m *Map, ignoreErrors bool) error {
	var errs []error
	for h := range m.Handlers() {
		if err := h.ClassicChannel().Close(); err != nil {
			if errs = append(errs, err); !ignoreErrors {
				return err
			}
		}
	}
	return m.end(errors.Join(errs...))
}
