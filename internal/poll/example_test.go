//go:build unix && !aix

package poll_test

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/poll"
)

// A descriptor that becomes readable is reported with the tag it was added with.
func ExampleNew() {
	p, err := poll.New(poll.Auto)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	var pipe [2]int
	unix.Pipe(pipe[:])
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])

	p.Add(pipe[0], 42, poll.Readable, poll.Edge)
	unix.Write(pipe[1], []byte("x"))
	events := make([]poll.Event, 8)
	n, err := p.Wait(events, -1)
	fmt.Println(n, events[0].Tag, events[0].Events == poll.Readable, err)
	// Output: 1 42 true <nil>
}
