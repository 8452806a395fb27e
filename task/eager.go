package task

import "github.com/corobridge/corobridge/internal/coro"

// Eager has the first step of the task made before Go returns: it runs until it first waits, or ends, and then the caller goes on,
// before anything else that is ready. So a task that finds what it needs, in a cache as it were, has ended when Go returns, without a
// turn of the loop.
//
// That goes for a task, or a callback, that starts a task on its own loop; from another goroutine it is an ordinary start. A caller that
// is a task must expect what the step does to variables that both use, as with an await.
func Eager() Option { return func(s *scope) { s.traits |= eager } }

// startNow makes the first step of a task that is in the tree. The caller is on the loop.
func startNow(s *scope, job interface {
	coro.Job
	coro.Runnable
}) {
	if c := coro.CurrentBy(s); c != nil {
		c.Before(job)
	} else {
		job.Run()
	}
}
