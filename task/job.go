package task

import (
	"context"
	"errors"
	"reflect"
	"runtime/trace"
	"slices"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/loop"
)

// job is one task's life, whatever its result: that of a Task, and that of a member, which
// Group.Go starts. It is one of these at a time:
//
//	made     by init, in any goroutine: it has a context, which may be done already
//	queued   by start: counted in by its group, and in the ready queue
//	running  by Run, on the loop: it has a coroutine, and is in the tree
//	ending   by over: it has left its groups and the tree, and the coroutine is no longer its own
//	ended    by tell: its result is there, and its group has heard
//	refused  in place of running: the loop is closed. The function is not called
//
// A job that is cancelled while it is queued runs all the same, with a context that is done, so
// that its clean-up happens. One whose function panics or calls runtime.Goexit goes on with Failed
// in place of the rest of Do, and ends the same way.
//
//	                queued          running     ending, ended   refused
//	scope.up        set             set         set             set
//	scope.next      set on the loop set         nil             as queued
//	scope.gone      no              no          yes             no
//	scope.coro      nil             set         nil             nil
//	extra.groups    empty           any         empty           empty
type job struct {
	scope scope
	extra *extra // what few jobs have
}

// work is a job together with what is of a type: the function, and where its result goes.
type work interface {
	coro.Runnable // job's Run
	coro.Job      // job's Do, Failed and Covers
	coro.Task
	base() *job
	Inspected() *coro.Inspected

	call()            // calls the function, and ends the job with its result
	end(err error)    // ends a job whose function has not returned
	refuse(err error) // ends a job that never ran
	future() any      // the *future.Future of its result; nil if there is none
}

// extra is the part of a job that is made on need.
type extra struct {
	name   string
	groups []*Group // made by this task, and perhaps not waited for
	enough int      // groups before it is time to leave out those that are over

	// of a task of Start: takes its outcome, unless it has called started
	beforeStarted func(error) bool

	site   string        // where the task was started
	born   time.Duration // and when, on the loop's clock
	number uint64        // 0 until somebody asks
	told   bool          // the observers have been told of its end
}

// trait is what is special about a task.
type trait uint8

const (
	isolated trait = 1 << iota // what becomes of the task is no concern of its group
	daemon                     // its group does not wait for it; what it starts is a daemon too
	eager                      // its first step is made where it is started
	limited                    // it was started by Group.Go, and the group's limit counts it
	noted                      // it has a setting of its own, to which show may add
)

func (j *job) is(t trait) bool { return j.scope.traits&t != 0 }

func (j *job) base() *job { return j }

func (j *job) home() *home { return j.scope.setting.home }

// group is what the job belongs to, nil for the loop's root group.
func (j *job) group() *Group { return j.scope.setting.group }

func (j *job) more() *extra {
	if j.extra == nil {
		j.extra = &extra{}
	}
	return j.extra
}

// init makes w, whose job is j, a job on the loop h, with a context that derives from ctx.
func (j *job) init(h *home, ctx context.Context, w work) {
	j.scope.job = w
	j.scope.init(h, ctx, ofTask)
}

// start has the group count the job in, unless it has, and queues it. On a closed loop the job is
// refused. onLoop says whether the caller is on the loop.
func (j *job) start(onLoop bool) {
	s, h := &j.scope, j.home()
	if h.shows != nil || trace.IsEnabled() {
		j.note()
	}
	if g := j.group(); g != nil && !j.is(limited) {
		g.add(j)
	}
	if onLoop {
		s.link()
		if j.is(eager) {
			j.startNow()
			return
		}
	}
	if err := h.core.Post(s.job); err != nil {
		s.settle()
		s.job.refuse(err)
	}
}

// startNow makes the first step at once. The caller is on the loop.
func (j *job) startNow() {
	if c := coro.CurrentBy(&j.scope); c != nil {
		c.Before(j.scope.job)
	} else {
		j.Run()
	}
}

// Run gives the job a coroutine, and makes its first step. The loop calls it, from its ready queue.
func (j *job) Run() {
	s := &j.scope
	if s.next == nil { // it came through the door
		s.link()
	}
	s.setting.pool.Take(s.job).Run()
}

// Do is part of coro.Job.
func (j *job) Do() {
	s := &j.scope
	s.coro = s.setting.pool.Running()
	if s.setting.home.shows != nil || trace.IsEnabled() {
		j.doShown()
		return
	}
	s.job.call()
}

// Failed is part of coro.Job.
func (j *job) Failed(err error) {
	if j.scope.gone { // the function has returned: a callback with Inline has panicked, at the end
		j.home().core.Report(loop.Exception{Op: "callback", Name: j.name(), Err: err, Site: j.site()})
		return
	}
	j.scope.job.end(err)
}

// Covers is part of coro.Job.
func (j *job) Covers(ctx context.Context) bool {
	s, ok := ctx.(*scope)
	return ok && s.covers(&j.scope)
}

// Class is asked for by the loop: of a task that is to start, and through its coroutine of one that
// goes on.
func (j *job) Class() int { return int(j.scope.class) }

// over ends all of the job that nobody waits for: its groups, its context, its place in the tree.
// It reports whether err, which it ends with, is expected: nil, or only saying that it was
// cancelled.
func (j *job) over(err error) (expected bool) {
	if j.extra != nil && len(j.extra.groups) > 0 {
		j.leaveGroups()
	}
	expected = err == nil || j.scope.explains(err)
	j.scope.coro = nil
	if j.home().shows != nil && !j.extra.told {
		j.extra.told = true // an observer may call Goexit: then over is called again
		j.home().core.TaskDone(j.TaskName(), err, j.age())
	}
	j.scope.end()
	return expected
}

// owed returns an entry of the ledger if err is nobody's unless somebody asks for it; otherwise
// nil: it is expected, or the group's.
func (j *job) owed(err error, expected bool) *coro.Loss {
	if expected || j.group() != nil && !j.is(isolated) {
		return nil
	}
	return j.scope.setting.pool.NewLoss("task", j.name(), j.site(), err)
}

// tell tells the group that the job has ended with err.
func (j *job) tell(err error, expected bool) {
	if err != nil || j.extra != nil {
		err = j.failure(err, expected)
	}
	if g := j.group(); g != nil {
		g.done(j, err)
	}
}

// failure returns what err, with which the job has ended, is to its group: nil if that is not
// concerned. An expected error tells only of a cancellation. If it was not the group's, whoever
// cancelled knows of it.
func (j *job) failure(err error, expected bool) error {
	if x := j.extra; x != nil && x.beforeStarted != nil {
		take := x.beforeStarted
		x.beforeStarted = nil
		if take(err) {
			return nil
		}
	}
	if j.is(isolated) || err != nil && expected && j.withdrawn() {
		return nil
	}
	return err
}

// Withdraw cancels the job, and nobody above it. It is part of coro.Task.
func (j *job) Withdraw(cause error) bool {
	if j.scope.Err() != nil {
		return false
	}
	f := finished(context.Canceled, cause)
	f.from = j.group()
	j.scope.cancel(f)
	return true
}

// withdrawn reports whether a job that is over was cancelled by Withdraw, or with another one of
// its group that was.
func (j *job) withdrawn() bool {
	return j.group() != nil && j.scope.real.Load().ended().from == j.group()
}

// explains reports whether err says no more than that the scope was cancelled, which is known to
// whoever did that.
func (s *scope) explains(err error) bool {
	if s.Err() == nil {
		return false
	}
	cause := context.Cause(s)
	return says(err, cause, func(err error) bool { return errors.Is(err, s.Err()) || errors.Is(err, cause) })
}

// says reports whether known is true of err, and of each of the errors that err joins: a task that
// is cancelled, and then fails to close a file, may return both. What cause joins is known.
func says(err, cause error, known func(error) bool) bool {
	if !known(err) {
		return false
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if reflect.TypeOf(e).Comparable() && e == cause {
			return true
		}
		if joined, ok := e.(interface{ Unwrap() []error }); ok {
			return !slices.ContainsFunc(joined.Unwrap(), func(part error) bool { return !says(part, cause, known) })
		}
	}
	return true
}
