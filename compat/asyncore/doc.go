// Package asyncore is CPython's asyncore on corobridge. A handler embeds [Dispatcher] and defines
// the methods that it needs. They are called when something happens to its connection.
//
//	type Echo struct{ asyncore.Dispatcher }
//
//	func (e *Echo) HandleRead() error {
//		data, err := e.Recv(8192)
//		if len(data) > 0 {
//			_, err = e.Send(data)
//		}
//		return err
//	}
//
// [Init] and [Attach] take the outer value and find out which methods it has. [Reader], [Writer]
// and the interfaces beside them say when each method is called. Where Python raises an exception,
// a method here returns an error. It goes to HandleError, whose default logs it and closes the
// handler.
//
// A handler's connection is a stream.Conn, whose OnReady drives the handler. So package compat can
// move it to a task as it is.
//
// Each time the loop looks for events is one iteration of asyncore's loop. First the handlers that
// have Readable or Writable are asked. Then the loop looks for events. Then the handlers that can
// read are called, and after them the handlers that can write, both in the order in which they were
// added.
//
// A [Map] holds the handlers of one loop. [Loop] runs a Map with a loop of its own, as
// asyncore.loop does. [On] puts handlers beside the tasks of a loop that runs already. Handlers and
// maps are used on their loop only, or before the loop runs; what says otherwise may be called from
// any goroutine. Loop and Poll can't be called inside a handler.
//
// Some of asyncore's faults are mended. A closed handler is never called again. HandleClose is
// called once. Input that came before a hang-up is delivered. One bad client does
// not close the listener. A handler without Writable does not keep the loop busy. And a listener
// that runs out of descriptors pauses.
package asyncore
