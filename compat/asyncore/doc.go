// Package asyncore is CPython's asyncore on corobridge: a handler embeds [Dispatcher], defines the methods it needs, and is
// called when something happens to its connection.
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
// Which methods there are is found by [Init] and [Attach], which take the outer value; [Reader], [Writer] and the interfaces beside
// them say when each is called. What raises an exception in Python returns an error here: it goes to HandleError, whose default
// logs it and closes the handler.
//
// Each time the loop looks for events is one iteration of asyncore's loop: handlers with predicates are asked, the loop looks, and then
// those that can read are called, and after them those that can write, both in the order in which they were added.
//
// A [Map] holds the handlers of one loop. [Loop] runs a Map of its own, as asyncore.loop does; [On] puts handlers beside the
// tasks of a loop that runs already. Handlers and maps are used on their loop only, or before it runs.
//
// Some of asyncore's defects are mended: a closed handler is never called again, HandleClose is called once, input that
// came before a hang-up is delivered, one bad client does not close the listener, a handler without Writable does
// not keep the loop busy, and running out of descriptors makes a pause.
package asyncore
