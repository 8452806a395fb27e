// Package stream makes sockets awaitable: buffered connections whose calls suspend the task that
// makes them, or block the goroutine that makes them, and never the loop.
//
// [Dial] and [Listen] make connections, [Server] serves them, [Pipe] makes two ends in memory. Dial
// and Server start tasks; Conn and Listener only wait.
//
// A [Conn] is the same whatever carries it. Below it is a transport: a socket, or one end of a Pipe
// (see transport.go). TLS would be one more, on top of another; there is none yet.
//
// # Reading is pulled
//
// Nothing is read from a connection until somebody asks for it, so no buffer grows because a peer
// sends. The buffer that a read fills is lent by the loop and given back when it is drained: an
// idle connection holds none. For a task that waits, the loop reads before it resumes the task.
//
// # Writing is batched
//
// Write copies into the connection's outbound buffer and returns. When the loop's batch of
// callbacks ends, and always before it blocks, each connection that was written to is flushed with
// one system call. Only above its high-water mark does Write wait, until the buffer is below the
// low-water mark: there is no drain to forget.
//
// # Cancellation
//
// A call that begins with a context that is done fails and takes nothing. A call whose context ends
// later takes nothing either, or says in its result how much it has taken: bytes are delivered or
// they stay.
package stream
