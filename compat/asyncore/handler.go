package asyncore

import (
	"fmt"
	"net"
	"reflect"
	"sync"

	"github.com/corobridge/corobridge/compat/internal/classic"
	"github.com/corobridge/corobridge/stream"
)

// Handler is any struct that embeds Dispatcher or asynchat.Chat. Init and Attach find out which of
// the interfaces below it satisfies, once for each type. They panic if it has a method with one of
// these names and another signature, since that method would never be called.
type Handler interface {
	dispatcher() *Dispatcher
	Classic() classic.Dispatcher // for the packages of this module
}

type (
	// Reader is called when there is input, or the end of input. Recv tells which.
	Reader interface{ HandleRead() error }
	// Writer is called when there is room for output. A handler without Writable is called once
	// each time there is room again. A handler with Writable is called in every iteration in which
	// Writable says yes.
	Writer interface{ HandleWrite() error }
	// Closer is called when the peer is gone, or CloseWhenDone is done. Cause tells which. The
	// default calls the handler's Close.
	//
	// HandleClose is called once. It may send, close, or do neither. A handler that has not closed
	// by then is closed when there is a further reason, and at once if its connection is broken.
	// One that was told of the end of input may go on to send. If it has sent nothing in
	// HandleClose, it is told of that end in each iteration, as in CPython.
	Closer interface{ HandleClose() error }
	// Connecter is called when Connect has succeeded. Connected is true only after it has returned.
	// Its error goes to HandleError. If that does not close the handler, HandleConnect is called
	// again.
	Connecter interface{ HandleConnect() error }
	// Accepter is called when a client waits to be accepted. The default accepts it and calls
	// HandleAccepted.
	Accepter interface{ HandleAccept() error }
	// AcceptedTaker is given an accepted connection. The default closes it.
	AcceptedTaker interface {
		HandleAccepted(c *stream.Conn, addr net.Addr) error
	}
	// Expter is called when urgent data has come: TCP's out-of-band data. RecvUrgent returns it.
	// Without HandleExpt it is dropped. FreeBSD and NetBSD do not tell of it.
	Expter interface{ HandleExpt() error }
	// ErrorHandler is given the errors and panics of the other methods. The default logs them, and
	// calls HandleClose. A listener goes on: its error concerns one client only. If HandleError
	// returns an error, Loop ends with it. On a loop that others run (On), the loop's exception
	// handler is told, and the handler is closed.
	ErrorHandler interface{ HandleError(err error) error }
	// Readabler is asked each time before the loop looks for events. It says whether the handler
	// wants input, or, if it listens, connections.
	Readabler interface{ Readable() bool }
	// Writabler is asked at the same times. It says whether the handler has something to write.
	Writabler interface{ Writable() bool }
)

// Unfinished and Unsent tell a hand-over what only the handler knows: the bytes it has received and
// not consumed, and the bytes it still means to send. A handler that keeps such buffers itself has
// these methods. asynchat.Chat and DispatcherWithSend need none.
type (
	Unfinished interface{ Unfinished() []byte }
	Unsent     interface{ Unsent() []byte }
)

// closing is a handler with a Close of its own above the Dispatcher's.
type closing interface{ Close() error }

// methods says which methods the handlers of a type have, for those methods that each iteration
// asks about.
type methods struct{ read, write, readable, writable, connect, expt bool }

var known sync.Map // of *methods, by reflect.Type

// methodsOf returns the methods of a handler's type.
func methodsOf(handler any) *methods {
	t := reflect.TypeOf(handler)
	if m, ok := known.Load(t); ok {
		return m.(*methods)
	}
	mustFit[Reader](t)
	mustFit[Writer](t)
	mustFit[Closer](t)
	mustFit[Connecter](t)
	mustFit[Accepter](t)
	mustFit[AcceptedTaker](t)
	mustFit[Expter](t)
	mustFit[ErrorHandler](t)
	mustFit[Readabler](t)
	mustFit[Writabler](t)
	mustFit[Unfinished](t)
	mustFit[Unsent](t)
	mustFit[closing](t)
	m := &methods{}
	_, m.read = handler.(Reader)
	_, m.write = handler.(Writer)
	_, m.connect = handler.(Connecter)
	_, m.expt = handler.(Expter)
	_, m.readable = handler.(Readabler)
	_, m.writable = handler.(Writabler)
	known.Store(t, m)
	return m
}

// mustFit panics if t has a method with the name of the one in the interface I, and another
// signature.
func mustFit[I any](t reflect.Type) {
	want := reflect.TypeFor[I]().Method(0)
	if got, ok := t.MethodByName(want.Name); ok && !t.Implements(reflect.TypeFor[I]()) {
		panic(fmt.Sprintf("asyncore: %v.%s must be %v, and is %v", t, want.Name, want.Type, signature(got)))
	}
}

// signature is a method's type without its receiver.
func signature(m reflect.Method) reflect.Type {
	var in, out []reflect.Type
	for i := 1; i < m.Type.NumIn(); i++ {
		in = append(in, m.Type.In(i))
	}
	for i := range m.Type.NumOut() {
		out = append(out, m.Type.Out(i))
	}
	return reflect.FuncOf(in, out, m.Type.IsVariadic())
}
