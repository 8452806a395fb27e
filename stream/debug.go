package stream

import (
	"fmt"
	"runtime"

	"github.com/corobridge/corobridge/internal/loop"
)

// watchHandle has the loop report a handle that is collected while it could still be closed. It is
// for debug mode, where c, a new handle to e, has memory of its own. The loop has the endpoint, and
// what lies in that is never collected.
func watchHandle(c *Conn, e *endpoint) {
	runtime.AddCleanup(c, (*abandoned).tell, &abandoned{e, c.epoch, e.core().Site()})
}

// abandoned is a handle that nobody has any more.
type abandoned struct {
	e     *endpoint
	epoch uint32
	site  string // where it was made
}

// tell runs on a goroutine of the runtime's, which must not wait.
func (a *abandoned) tell() {
	e := a.e
	e.lock()
	gone := e.usable(a.epoch) != nil
	e.unlock()
	if !gone {
		e.core().Post(callback(func() {
			err := fmt.Errorf("stream: the connection to %s was collected without Close", e.peer())
			e.core().Report(loop.Exception{Op: "connection", Err: err, Site: a.site})
		}))
	}
}
