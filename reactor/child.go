package reactor

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/world"
)

// AddChild calls fn on the loop, once, when the child process p has exited, with what p.Wait
// returns: asyncio's add_child_handler. The loop waits for p, so nobody else may. If p has exited
// already, fn is called soon. For an exec.Cmd, which has more to clean up, there is task.Wait.
//
// remove ends that, and reports whether it prevented the call. Then p is as before, and the caller
// has to wait for it. AddChild and remove may be called from any goroutine. Close removes what is
// left when all tasks have ended, and leaves the processes alone.
//
// On Linux no goroutine waits: the loop watches a descriptor of the process, a pidfd, like any
// other. Where there are no pidfds, as before Linux 5.4, a goroutine waits until the process has
// exited, even after remove and Close. Then nobody else can wait for p.
//
// The error is ErrClosed once Close has begun, matches os.ErrProcessDone if p has been waited for,
// or wraps the error of the system call: EMFILE when the process is out of descriptors. Nil
// arguments panic.
func (l *Loop) AddChild(p *os.Process, fn func(*os.ProcessState, error)) (remove func() bool, err error) {
	w := l.core.World()
	if p == nil || fn == nil {
		panic("reactor: AddChild needs a process and a function")
	}
	set := l.core.Local(childrenKey{}, func() any { return &children{world: w, all: map[*child]struct{}{}} }).(*children)
	c := &child{process: p, fn: fn, set: set}
	if l.core.Closing() {
		return nil, ErrClosed
	}
	fd, err := w.OpenProcess(p)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		l.core.World().Go(func() { l.awaitChild(c) })
		return c.claim, nil
	case err != nil:
		return nil, fmt.Errorf("reactor: watch process %d: %w", p.Pid, err)
	}
	if err := set.add(&l.core, c, fd); err != nil {
		w.Close(fd)
		return nil, err
	}
	return c.leave, nil
}

// awaitChild tells of a child without a pidfd.
func (l *Loop) awaitChild(c *child) {
	state, err := c.wait()
	l.core.Post(loop.Callback(func() {
		if c.claim() {
			c.fn(state, err)
		}
	}))
}

// child is a process that is watched.
type child struct {
	source  loop.Source
	process *os.Process
	fn      func(*os.ProcessState, error)
	set     *children
	over    atomic.Bool
}

// Ready tells of the exit. The process waits to be waited for by now, so that does not block.
func (c *child) Ready(poll.Events) {
	if c.leave() {
		c.fn(c.wait())
	}
}

func (c *child) wait() (*os.ProcessState, error) {
	state, err := c.set.world.WaitProcess(c.process)
	if err != nil {
		err = fmt.Errorf("reactor: wait for process %d: %w", c.process.Pid, err)
	}
	return state, err
}

// claim reports whether its caller is the one who ends the watch.
func (c *child) claim() bool { return c.over.CompareAndSwap(false, true) }

// leave ends the watch and reports whether it had not ended.
func (c *child) leave() bool {
	if !c.claim() {
		return false
	}
	c.set.drop(c)
	// Before the close: the registration belongs to the open file, which p refers to as well.
	c.source.Detach()
	c.set.world.Close(c.source.FD())
	return true
}

type childrenKey struct{}

// children are the ones with a pidfd that a loop watches.
type children struct {
	world world.World
	mu    sync.Mutex
	all   map[*child]struct{}
}

// add watches c. Unless Close has begun, it will find c: the loop keeps s already, so Close comes
// here later.
func (s *children) add(core *loop.Core, c *child, fd int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := c.source.Watch(core, fd, c, poll.Readable); err != nil { // ErrClosed if it has
		return err
	}
	s.all[c] = struct{}{}
	return nil
}

func (s *children) drop(c *child) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, c)
}

// Close ends all watches.
func (s *children) Close() error {
	s.mu.Lock()
	all := s.all
	s.all = nil
	s.mu.Unlock()
	for c := range all {
		c.leave()
	}
	return nil
}
