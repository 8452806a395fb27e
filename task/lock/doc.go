// Package lock has locks that may be held across an await: Mutex, RWMutex, Semaphore, Once, and
// what is built from waiting alone: Event, Cond, Barrier.
//
// A task that waits for one of them suspends, and its loop goes on. A plain goroutine that waits
// blocks. Tasks of several loops and goroutines may use the same lock at once. Those who wait are
// served in the order in which they came: a lock, or a permit, is handed to the first in line, and
// nobody can come in between.
//
// Each operation that may wait takes a context, which bounds the wait and decides nothing else. If
// it is done when the operation begins, the operation fails with its cause and has taken nothing.
// If it ends while the operation waits, the same holds, and those behind in line lose nothing.
// What was handed over before the context ended is the caller's, with no error. In a callback of a
// loop an operation that would have to wait panics, since that would stop the loop; the methods
// that take no context never wait, and may be called from anywhere.
//
// The zero values are ready for use, except for Semaphore and Barrier, which need a number, and
// Cond, which needs its lock. None of them may be copied after the first use.
//
// Tasks of one loop need no lock for what they change without an await in between: nothing else
// runs on that loop meanwhile.
package lock
