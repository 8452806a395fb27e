// Package task provides coroutines on a loop: straight-line code that awaits, where nothing else
// runs between two awaits.
//
// [Run] makes a loop, runs main as its first task, and returns when everything it started has
// ended. [Go] and [Spawn] start more tasks; a [Group] is an errgroup whose members are tasks.
//
// A task is a coroutine that is resumed by its loop's goroutine. Tasks of one loop therefore share
// variables without locks, as long as no await lies between reading and writing them. What blocks
// the goroutine, a channel, a sync.Mutex, a database driver, blocks the whole loop: [Blocking] and
// [Wait] are for those.
//
// # Cancellation
//
// A task's context is its cancel scope. It derives from the context given to Go; it is done when
// that is cancelled, when the task's Cancel is called, when the loop is closed, and when the task
// has ended. From then on each operation that begins with it fails with the cause, until the task
// returns, except that a result which is there already can still be taken. Tasks that were started
// with the context of an ended task go on: they have contexts of their own.
//
// # Groups
//
// A task belongs to the [Group] that its context carries, else to its loop. The first failure of a
// member cancels the others, and Wait, or the end of a [Scope], comes when all have ended. Options
// say what is special about a member: [Isolated], [Daemon]; and about its beginning: [Eager], or
// [Start] instead of Go. [WithTimeout] bounds a part of what a task does, and ends nothing else.
//
// # Locks and queues
//
// A lock that may be held across an await is in package task/lock, and a queue in package
// task/queue. Both are for tasks of any loop and for plain goroutines at once. What they and
// futures have in common: whoever waits suspends if it is a task, and blocks otherwise; those who
// wait are served in order; a call that is cancelled either has failed and taken nothing, or has
// succeeded. In a loop's callback, what would have to wait panics.
package task
