// Package queue passes items between tasks and goroutines: a Queue gives each item to one taker, a
// Broadcast gives each item to every subscriber.
//
// A task that waits for an item, or for room, suspends, and its loop goes on. A plain goroutine
// that waits blocks. Tasks of several loops and goroutines may use the same queue at once. Those
// who wait are served in the order in which they came.
//
// Each operation that may wait takes a context, which bounds the wait and decides nothing else. If
// it is done when the operation begins, or ends while the operation waits, the operation fails
// with its cause: after that no item was taken, and none was put. What was handed over before the
// context ended is the caller's, with no error. So a cancellation never loses an item, and never
// doubles one. In a callback of a loop an operation that would have to wait panics, since that
// would stop the loop; the methods that take no context never wait, and may be called from
// anywhere.
package queue
