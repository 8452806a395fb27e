// Package classic is what packages asynchat and compat see of a classic handler, apart from what
// users see. Package asyncore has the handlers, and gives them out by Dispatcher.Classic.
//
// All of it is touched on the handler's loop only, or before that runs.
package classic

import (
	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
)

// Dispatcher is a handler, from the inside.
type Dispatcher interface {
	// Loop returns the loop that the handler is on. It fails with ErrNotInitialised or
	// ErrNoConnection of package asyncore.
	Loop() (*reactor.Loop, error)
	// Serving reports whether there is a connection whose events the handler hears.
	Serving() bool
	// Lost is stream.ErrDetached after a hand-over, until there is something to serve again.
	Lost() error
	// Wake has the map look at the handler again: it has something to send.
	Wake()

	// HandleClose and HandleError call the handler's method, or the default.
	HandleClose() error
	HandleError(err error) error
	// CloseHandler calls the handler's own Close, or the Dispatcher's.
	CloseHandler() error

	// Attach gives the handler a live connection. It panics if it has one already.
	Attach(c *stream.Conn) error
	// Ended completes when the handler is closed, or its connection handed over.
	Ended() *future.Future[End]
	// Take takes the connection away, with everything received and not consumed in front of what
	// is to be read next. The handler gets no further event.
	Take() (*HandOver, error)
	// Deliver gives a connection to whoever waits for Ended, and reports whether somebody does.
	Deliver(h *HandOver) bool
	// Guest counts a task that goes on with one of the connections of the handler's map. The
	// classic loop runs until it has left.
	Guest() (leave func())
}

// Class is what a base class does in the place of a plain Dispatcher. A nil function is a plain
// Dispatcher's. A base class has the method ClassicClass, with which Init finds it.
type Class struct {
	Read     func() error
	Write    func() error
	Writable func() bool
	Quiet    bool // its handle_close does not log

	// Input takes away what has been received and not been consumed, for a hand-over. kept is what
	// the handler itself puts before that.
	Input func(kept []byte) []byte
	// Output takes away what is to be sent.
	Output func() Drain
}

// Base is a handler whose base class is not a plain Dispatcher. handler is the outer value.
type Base interface {
	ClassicClass(handler any) Class
}

// Drain passes what a handler had queued to write, in order, and reports whether the stream is to
// end after it.
type Drain func(write func([]byte) error) (finish bool, err error)

// End is how a handler ended: closed, or with its connection handed over.
type End struct {
	HandedOver *HandOver // nil when it was closed
}

// HandOver is a connection on its way from a handler to a task.
type HandOver struct {
	Conn   *stream.Conn
	Output Drain          // what goes out before anything that the new owner writes
	Next   stream.Handler // what goes on with the connection; nil when the taker does
}
