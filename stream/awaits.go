package stream

import "fmt"

// What a task waits for in an operation, told to those who look inside. Each is the endpoint, so to
// name it costs nothing.
type (
	input  endpoint // bytes, or their end
	room   endpoint // in the kernel's buffer; for a connection that is being made, its outcome
	flush  endpoint // what was written
	ending endpoint // of a connection that is being closed
)

func (e *input) String() string  { return (*endpoint)(e).awaited("input from") }
func (e *room) String() string   { return (*endpoint)(e).awaited("room to write to") }
func (e *flush) String() string  { return (*endpoint)(e).awaited("the flush to") }
func (e *ending) String() string { return (*endpoint)(e).awaited("the end of the connection to") }

func (e *endpoint) awaited(what string) string {
	return what + " " + e.peer()
}

// turn is what is waited for by an operation that comes while another one of its direction is under
// way.
func (e *endpoint) turn(d direction) fmt.Stringer {
	if d == inward {
		return (*input)(e)
	}
	return (*room)(e)
}

// String says what Accept waits for.
func (l *Listener) String() string { return fmt.Sprintf("connection at %v", l.Addr()) }
