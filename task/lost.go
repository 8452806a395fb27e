package task

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"weak"

	"github.com/corobridge/corobridge/reactor"
)

// lost has, for each ended task whose error nobody has asked for yet, how to report that when the loop is closed. A task that
// is collected before reports it then, and leaves. It is touched on the loop only.
type lost struct {
	reports map[uint64]func()
	last    uint64
}

func (l *lost) add(report func()) (key uint64) {
	if l.reports == nil {
		l.reports = map[uint64]func(){}
	}
	l.last++
	l.reports[l.last] = report
	return l.last
}

func (l *lost) remove(key uint64) {
	if delete(l.reports, key); len(l.reports) == 0 {
		l.reports = nil // a map does not shrink
	}
}

// reportAll reports, in the order in which the tasks ended.
func (l *lost) reportAll() {
	for _, key := range slices.Sorted(maps.Keys(l.reports)) {
		l.reports[key]()
	}
	l.reports = nil
}

// expectRetrieval sees to it that the error of t, which has ended, is reported if nobody asks for it: when t is collected, or
// when the loop is closed.
func (t *Task[T]) expectRetrieval() {
	sched := t.scope.sched
	if x := t.scope.extra; x != nil {
		x.unwatch = nil // it leads back to t, and what is part of a cycle has no finalizer
	}
	pointer, release := weak.Make(t), func() {}
	key := sched.lost.add(func() {
		if t := pointer.Value(); t != nil {
			runtime.SetFinalizer(t, nil)
			t.reportLost()
		} else if hold, err := sched.loop.Hold("the report of a lost error"); err == nil {
			release = hold // it has been collected, and the finalizer is about to post
		}
	})
	runtime.SetFinalizer(t, func(t *Task[T]) {
		sched.loop.Post(posted(func() {
			sched.lost.remove(key)
			t.reportLost()
			release()
		}))
	})
}

func (t *Task[T]) reportLost() {
	if t.promise.Retrieved() {
		return
	}
	_, err := t.TryResult()
	t.scope.sched.loop.Report(reactor.Exception{Op: "task", Name: t.scope.name(), Err: fmt.Errorf("never retrieved: %w", err), Site: t.scope.site()})
}
