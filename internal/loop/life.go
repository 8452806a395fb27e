package loop

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// life is who runs a loop, who keeps it from ending, and who wants to look at it.
//
// A loop is open, then closing, then closed, and never goes back. It is closing from the first
// BeginClosing on: what would begin something new is refused. It is closed after a Shut that
// returned true: everything is refused.
type life struct {
	mu      sync.Mutex
	running bool // a goroutine has claimed the loop
	holds   map[*hold]struct{}
	looks   []*look
	closing list // what is run at Closing
}

type hold struct{ name string }

// look is a function that wants to be called when nothing else of the loop runs.
type look struct{ fn func() }

// RunningAlready is what claiming a loop twice panics with.
const RunningAlready = "reactor: the loop is running already; " +
	"give it work by CallSoon or task.Go, or end that run with Stop first"

// mustBeMade panics for the zero Core, which would take what it is given and never run it.
func (c *Core) mustBeMade() {
	if c.world == nil {
		panic("reactor: the zero Loop was used; make the loop with reactor.New")
	}
}

// Claim makes the calling goroutine the one that runs the loop, until Release. It returns ErrClosed
// on a loop that is closing or closed, and panics if the loop is running already.
func (c *Core) Claim() error {
	c.mustBeMade()
	c.life.mu.Lock()
	defer c.life.mu.Unlock()
	if c.closing.Load() {
		return ErrClosed
	}
	if c.life.running {
		panic(RunningAlready)
	}
	c.life.running = true
	return nil
}

// Enter makes the calling goroutine, which has claimed the loop, the loop's own: InLoop is true in
// it, and it may run turns. leave undoes that. Enter panics in a goroutine that runs a loop or a
// coroutine already.
func (c *Core) Enter() (leave func()) {
	out := c.coros.Enter()
	c.look() // nobody has while the loop stood still
	c.Tell(func(o *Observer) {
		if o.BeforeRun != nil {
			o.BeforeRun()
		}
	})
	return func() {
		defer out()
		c.Tell(func(o *Observer) {
			if o.AfterRun != nil {
				o.AfterRun()
			}
		})
	}
}

// Release gives the claim up. It reports whether the loop is closed, or else whether Close has
// begun and relies on the caller: the claim stays then, and the caller closes the loop. After any
// other answer another goroutine may run the loop.
func (c *Core) Release() (closed, late bool) {
	c.life.mu.Lock()
	defer c.life.mu.Unlock()
	c.answerAll()
	late = c.closing.Load() && !c.closed
	c.life.running = late
	return c.closed, late
}

// Running reports whether a goroutine has claimed the loop.
func (c *Core) Running() bool {
	c.life.mu.Lock()
	defer c.life.mu.Unlock()
	return c.life.running
}

// Stop makes the run end after the present turn. If nobody runs the loop, the next run makes one
// turn that does not wait.
func (c *Core) Stop() {
	c.stop.Store(true)
	c.nudge()
}

// Stopping reports whether the run is to end.
func (c *Core) Stopping() bool { return c.stop.Load() }

// GoOn takes a Stop back.
func (c *Core) GoOn() { c.stop.Store(false) }

// Closing reports whether Close has begun.
func (c *Core) Closing() bool { return c.closing.Load() }

// Closed reports whether the loop is closed.
func (c *Core) Closed() bool {
	c.life.mu.Lock()
	defer c.life.mu.Unlock()
	return c.closed
}

// BeginClosing begins to close the loop, and stops its run. It reports whether nobody runs the loop
// who would go on with that: the caller has claimed it then, and does.
func (c *Core) BeginClosing() (alone bool) {
	c.mustBeMade()
	c.life.mu.Lock()
	first := c.closing.CompareAndSwap(false, true)
	alone = first && !c.life.running
	if alone {
		c.life.running = true
	}
	c.life.mu.Unlock()
	c.Stop()
	return alone
}

// Unwind makes the turns from now on wait only while somebody holds the loop. It is called on the
// loop.
func (c *Core) Unwind() { c.ending = true }

// Unwinding reports whether Unwind has been called. It is called on the loop.
func (c *Core) Unwinding() bool { return c.ending }

// Exited reports whether a job of a coroutine has called runtime.Goexit since the last call of
// ForgetExit. It is called on the loop.
func (c *Core) Exited() bool { return c.goexit }

// ForgetExit makes Exited false again. It is called on the loop.
func (c *Core) ForgetExit() { c.goexit = false }

// Hold keeps Close waiting until release is called, from any goroutine; a second release does
// nothing. name says in the log whom Close waits for. While the loop is closing it can still be
// held, by what unwinds. On a closed loop Hold returns ErrClosed.
func (c *Core) Hold(name string) (release func(), err error) {
	c.mustBeMade()
	c.life.mu.Lock()
	defer c.life.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	h := &hold{name}
	if c.life.holds == nil {
		c.life.holds = map[*hold]struct{}{}
	}
	c.life.holds[h] = struct{}{}
	return func() {
		c.life.mu.Lock()
		delete(c.life.holds, h)
		c.life.mu.Unlock()
		if c.closing.Load() {
			c.lookAgain()
		}
	}, nil
}

// lookAgain has a Close that waits look again whether it is done. One entry of the ready queue does
// for all that come before it has run.
func (c *Core) lookAgain() {
	if c.again.CompareAndSwap(false, true) {
		c.Post(Callback(func() { c.again.Store(false) }))
	}
}

// Held reports whether Close has to wait for somebody. It is called on the loop.
func (c *Core) Held() bool {
	c.life.mu.Lock()
	defer c.life.mu.Unlock()
	return c.held()
}

func (c *Core) held() bool { return c.coros.Live() > 0 || len(c.life.holds) > 0 }

// Holders names what Close waits for, "" if there is nothing. It is called on the loop.
func (c *Core) Holders() string {
	c.life.mu.Lock()
	defer c.life.mu.Unlock()
	count := map[string]int{}
	if n := c.coros.Live(); n > 0 {
		count["task"] = n
	}
	for h := range c.life.holds {
		count[h.name]++
	}
	if len(count) == 0 {
		return c.restless()
	}
	var who []string
	for _, name := range slices.Sorted(maps.Keys(count)) {
		who = append(who, fmt.Sprintf("%d × %s", count[name], name))
	}
	return strings.Join(who, ", ")
}

// restless names what keeps a loop that nobody holds from coming to rest, "" if nothing does. It is
// called with life locked.
func (c *Core) restless() string {
	switch {
	case !c.life.closing.empty():
		return "AtClose, registered again and again"
	case c.Idle():
		return ""
	case c.ready.empty() || c.ready.held != nil:
		return "callbacks, queued again and again"
	}
	return stepOf("callback", c.ready.first()).String() + ", queued again and again"
}

// Idle reports whether a turn would find nothing to do at once. It is called on the loop.
func (c *Core) Idle() bool {
	return c.ready.empty() && !c.door.mail.Load() && c.moments[BatchEnd].empty() && c.moments[TurnEnd].empty() &&
		c.polling.delivered()
}

// Shut closes the loop: everything is refused from now on, and timers are dropped. It does nothing,
// and returns false, if there is still something to do or to wait for. It is called on the loop.
func (c *Core) Shut() bool {
	c.life.mu.Lock()
	defer c.life.mu.Unlock()
	c.door.mu.Lock()
	defer c.door.mu.Unlock()
	if !c.Idle() || c.held() || !c.life.closing.empty() {
		return false
	}
	c.closed = true
	c.timers.drop()
	return true
}

// ClosePoller is the last thing that is done to a closed loop.
func (c *Core) ClosePoller() error { return c.polling.poller.Close() }

// Look has fn called once, when nothing else of the loop runs: now, if the caller is on the loop,
// or if nobody runs it, and so nobody begins to meanwhile; otherwise between two entries of the
// ready queue, or when the run ends. fn is called locked: it must not run, close or hold the loop.
//
// withdraw takes that back, and reports whether it did: false if fn has been called.
func (c *Core) Look(fn func()) (withdraw func() bool) {
	never := func() bool { return false }
	if c.InLoop() {
		fn()
		return never
	}
	c.life.mu.Lock()
	defer c.life.mu.Unlock()
	if !c.life.running {
		fn()
		return never
	}
	k := &look{fn}
	c.life.looks = append(c.life.looks, k)
	c.Post(Callback(c.answer)) // if it is closed by now, or stops first, Release answers
	return func() bool {
		c.life.mu.Lock()
		defer c.life.mu.Unlock()
		i := slices.Index(c.life.looks, k)
		if i < 0 {
			return false
		}
		c.life.looks = slices.Delete(c.life.looks, i, i+1)
		return true
	}
}

func (c *Core) answer() {
	c.life.mu.Lock()
	defer c.life.mu.Unlock()
	c.answerAll()
}

// answerAll is called by the goroutine that runs the loop, with life locked.
func (c *Core) answerAll() {
	for _, k := range c.life.looks {
		k.fn()
	}
	c.life.looks = nil
}
