package reactor

import (
	"log/slog"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/world"
)

// What follows goes as soon as the packages above use internal/loop themselves.

type (
	Runnable     = loop.Runnable
	ReadyHandler = loop.ReadyHandler
	Events       = poll.Events
	Named        = loop.Named
)

const (
	Readable   = poll.Readable
	Writable   = poll.Writable
	Priority   = poll.Priority
	ReadHangup = poll.ReadHangup
	Hangup     = poll.Hangup
	Error      = poll.Error
)

type Source struct{ source }

type source = loop.Source

func (s *Source) Attach(l *Loop, fd int, h ReadyHandler) error {
	return s.source.Attach(&l.core, fd, h)
}
func (s *Source) Loop() *Loop {
	if c := s.Core(); c != nil {
		return c.Owner().(*Loop)
	}
	return nil
}

func (l *Loop) Attach(fd int, h ReadyHandler) (*Source, error) {
	s := &Source{}
	if err := s.Attach(l, fd, h); err != nil {
		return nil, err
	}
	return s, nil
}
func (l *Loop) Post(r Runnable) error                         { return l.core.Post(r) }
func (l *Loop) PostLater(d time.Duration, r Runnable) Timer   { return l.core.PostLater(d, r) }
func (l *Loop) Coroutines() *coro.Pool                        { return l.core.Coroutines() }
func (l *Loop) Clock() world.Clock                            { return l.core.World() }
func (l *Loop) World() world.World                            { return l.core.World() }
func (l *Loop) Logger() *slog.Logger                          { return l.core.Logger() }
func (l *Loop) Local(key any, init func() any) any            { return l.core.Local(key, init) }
func (l *Loop) Hold(name string) (release func(), err error)  { return l.core.Hold(name) }
func (l *Loop) Look(fn func())                                { l.core.Look(fn) }
func (l *Loop) Report(e Exception)                            { l.core.Report(e) }
func (l *Loop) Debug() bool                                   { return l.core.Debug() }
func (l *Loop) NamesTasks() bool                              { return l.core.NamesTasks() }
func (l *Loop) Site() string                                  { return l.core.Site() }
func (l *Loop) Backoff(op string, err error, d time.Duration) { l.core.Backoff(op, err, d) }
func (l *Loop) AtBatchEnd(r Runnable)                         { l.core.At(loop.BatchEnd, r) }
func (l *Loop) AtTurnEnd(r Runnable)                          { l.core.At(loop.TurnEnd, r) }
func (l *Loop) SetPoller(k PollerKind) error                  { return l.core.SetPoller(k) }

func (l *Loop) Offloaded() (running, queued int) { return l.offload.counts() }

func (l *Loop) Observer() (o Observer) {
	if l.core.Watched(func(o *Observer) bool { return o.TaskDone != nil }) {
		o.TaskDone = l.core.TaskDone
	}
	return o
}

type each struct{ fn func() }

func (e *each) Run() { e.fn() }

func (l *Loop) BeforePoll(fn func()) (remove func()) {
	e := &each{fn}
	l.core.Each(loop.BeforePoll, e)
	return func() { l.core.Not(loop.BeforePoll, e) }
}

func (l *Loop) BeforeSleep(fn func(forever bool) (again time.Duration)) {
	l.core.Each(loop.BeforeSleep, &each{func() {
		if d := fn(l.core.SleepsForever()); d > 0 {
			l.core.LookAgain(d)
		}
	}})
}
