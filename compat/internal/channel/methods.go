package channel

import (
	"fmt"
	"net"
	"reflect"
	"sync"

	"github.com/corobridge/corobridge/stream"
)

// The methods that a handler may have. asyncore gives them their public names.
type (
	reader        interface{ HandleRead() error }
	writer        interface{ HandleWrite() error }
	closer        interface{ HandleClose() error }
	connecter     interface{ HandleConnect() error }
	accepter      interface{ HandleAccept() error }
	acceptedTaker interface {
		HandleAccepted(c *stream.Conn, addr net.Addr) error
	}
	errorHandler interface{ HandleError(err error) error }
	readabler    interface{ Readable() bool }
	writabler    interface{ Writable() bool }
	unfinished   interface{ Unfinished() []byte }
	unsent       interface{ Unsent() []byte }
	closing      interface{ Close() error } // every Dispatcher has it
)

// methods says which of them the handlers of a type have. It is found once for each type, so that an event costs a type assertion.
type methods struct{ read, write, readable, writable, connect bool }

var known sync.Map // of *methods, by reflect.Type

// methodsOf finds the methods of a handler. A method that has one of the names and another signature would silently never
// be called, so it panics.
func methodsOf(handler any) *methods {
	t := reflect.TypeOf(handler)
	if m, ok := known.Load(t); ok {
		return m.(*methods)
	}
	mustFit[reader](t)
	mustFit[writer](t)
	mustFit[closer](t)
	mustFit[connecter](t)
	mustFit[accepter](t)
	mustFit[acceptedTaker](t)
	mustFit[errorHandler](t)
	mustFit[readabler](t)
	mustFit[writabler](t)
	mustFit[unfinished](t)
	mustFit[unsent](t)
	mustFit[closing](t)
	m := &methods{}
	_, m.read = handler.(reader)
	_, m.write = handler.(writer)
	_, m.connect = handler.(connecter)
	_, m.readable = handler.(readabler)
	_, m.writable = handler.(writabler)
	known.Store(t, m)
	return m
}

// mustFit panics if t has a method of the name that the interface has, and not its signature.
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
