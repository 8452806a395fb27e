package task

import (
	"fmt"
	"math"
)

// Option configures Go, Spawn and Start.
type Option func(*job)

// Name names the task: in what the loop's exception handler is told of it, and for those who look
// inside (see package inspect, and reactor.WithDebug).
func Name(name string) Option { return func(j *job) { j.more().name = name } }

// Isolated makes a member of a Group whose failure is its own: it cancels nobody, and neither Wait,
// which waits for it all the same, nor Errors returns it. An error that nobody retrieves goes to
// the loop's exception handler, as that of a task without a Group does.
func Isolated() Option { return func(j *job) { j.scope.traits |= isolated } }

// Daemon makes a member of a Group that serves the others: Wait does not wait for it to end by
// itself, but cancels it, with the cause ErrEnded, when all others have ended, and then awaits it.
// This needs a Wait that waits to be cancelled; one that gives up cancels nobody. What a daemon
// starts with its context is a daemon too, except for the members of a Group that it makes.
//
// A daemon that fails before that fails the group, as any member does; add Isolated for one that
// may fail. A task without a Group belongs to the loop, which is cancelled when main, or Close,
// ends everything: there Daemon changes nothing.
func Daemon() Option { return func(j *job) { j.scope.traits |= daemon } }

// Eager has the first step of the task made before Go returns: the task runs until it first waits,
// or ends, and then the caller goes on, before anything else that is ready. So a task that finds
// what it needs, in a cache for instance, has ended when Go returns, without a turn of the loop.
//
// That is so for a task, or a callback, that starts a task on its own loop; from another goroutine
// it is an ordinary start. A caller that is a task must expect the step to change variables that
// both use, as with an await.
func Eager() Option { return func(j *job) { j.scope.traits |= eager } }

// Priority gives the task a class, on a loop that was made with reactor.WithPriorities: 0, which a
// task has otherwise, is the most urgent, and each higher class is less so. The tasks that it
// starts have its class too, unless they are given their own. Priority panics if class is negative,
// or more than 255.
func Priority(class int) Option {
	if class < 0 || class > math.MaxUint8 {
		panic(fmt.Sprintf("task: Priority(%d): give a class from 0, the most urgent, to 255", class))
	}
	return func(j *job) { j.scope.class = uint8(class) }
}
