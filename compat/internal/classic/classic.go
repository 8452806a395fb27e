// Package classic is what packages asynchat and compat see of a classic handler beyond its public
// methods. Package asyncore has the handlers; Dispatcher.Classic returns this view of one.
//
// All of it is used on the handler's loop only, or before that loop runs.
package classic

import (
	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
)

// Dispatcher is a handler, from the inside.
type Dispatcher interface {
	// Loop returns the loop that the handler is on. Its errors are ErrNotInitialised and
	// ErrNoConnection of package asyncore.
	Loop() (*reactor.Loop, error)
	// Serving reports whether the handler has a connection and is called for its events.
	Serving() bool
	// Lost is stream.ErrDetached after a hand-over, until there is something to serve again.
	Lost() error
	// Refuses is why nothing more can be sent: Lost, or an error after CloseWrite.
	Refuses() error
	// Said notes that the handler has output. If HandleClose is running, that has spoken.
	Said()
	// Sent reports whether the kernel has all that Send has taken. There must be a connection.
	Sent() bool
	// Wake makes the map look at the handler again, since it has something to send.
	Wake()

	// HandleClose and HandleError call the handler's method, or the default.
	HandleClose(why error) error
	HandleError(err error) error
	// CloseHandler calls the handler's own Close, or the Dispatcher's. A handler whose own Close
	// fails is closed all the same.
	CloseHandler() error

	// Attach gives the handler a live connection. It panics if the handler has one already.
	Attach(c *stream.Conn) error
	// Ended completes when the handler is closed, or gives its connection away.
	Ended() *future.Future[End]
	// Take takes the connection away. Everything that was received and not consumed is in front of
	// what is to be read next. The handler gets no further event.
	Take() (*HandOver, error)
	// Deliver gives a connection to whoever waits for Ended. It reports whether anybody does.
	Deliver(h *HandOver) bool
	// Guest counts a task that goes on with a connection of the handler's map. The classic loop
	// runs until the task has called leave.
	Guest() (leave func())
}

// Class is what a base class does instead of a plain Dispatcher. Where a function is nil, the plain
// Dispatcher's is used. Init finds the Class by the base class's method ClassicClass.
type Class struct {
	Read     func() error
	Write    func() error
	Writable func() bool
	Quiet    bool // the base class's HandleClose does not log

	// Waits reports whether Write, which Writable asks for, has a point only when the kernel has
	// everything that Send has taken.
	Waits func() bool
	// Queued returns how many bytes are still to be sent.
	Queued func() int
	// Closed is called when the handler has been closed.
	Closed func()

	// Input removes and returns what was received and not consumed, for a hand-over. kept is what
	// the handler keeps itself; the result begins with it.
	Input func(kept []byte) []byte
	// Output removes and returns what is still to be sent.
	Output func() Drain
}

// Base is a handler whose base class is not a plain Dispatcher. handler is the outer value.
type Base interface {
	ClassicClass(handler any) Class
}

// Drain passes to write what a handler had queued, in order. It reports whether the stream is to
// end after that.
type Drain func(write func([]byte) error) (finish bool, err error)

// End is how a handler ended: it was closed, or it gave its connection away.
type End struct {
	HandedOver *HandOver // nil when it was closed
}

// HandOver is a connection on its way from a handler to a task.
type HandOver struct {
	Conn   *stream.Conn
	Output Drain          // what goes out before anything that the new owner writes
	Next   stream.Handler // what goes on with the connection; nil when the taker does
}
