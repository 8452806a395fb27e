package loop

import (
	"sync"
	"sync/atomic"
)

// door is where other goroutines hand work to the loop.
//
//	post:            lock; append; first: mail = true; note and clear sleeping; unlock;
//	                 if it slept, wake the poller
//	each turn:       if mail: lock; swap the slices; mail = false; unlock;
//	                 move what came to the ready queue
//	before blocking: lock; if something came, do not block; sleeping = true; unlock; wait;
//	                 lock; sleeping = false; unlock
//
// sleeping is guarded by the mutex. So a post sees either a loop that has yet to look at the inbox,
// or one that must be woken. No wake-up is lost, and there is at most one for each sleep, however
// many posts come.
type door struct {
	mail atomic.Bool

	mu       sync.Mutex
	inbox    []Runnable
	spare    []Runnable
	sleeping bool
	wakes    uint64
}

func (c *Core) postForeign(r Runnable) error {
	c.mustBeMade()
	d := &c.door
	d.mu.Lock()
	if c.closed {
		d.mu.Unlock()
		return ErrClosed
	}
	d.inbox = append(d.inbox, r)
	if len(d.inbox) == 1 {
		d.mail.Store(true)
	}
	c.unlockAndWake()
	return nil
}

// unlockAndWake ends a critical section of the door that has given the loop a reason not to sleep.
func (c *Core) unlockAndWake() {
	d := &c.door
	asleep := d.sleeping
	if asleep {
		d.sleeping = false
		d.wakes++
	}
	d.mu.Unlock()
	if asleep {
		c.polling.poller.Wake()
	}
}

// nudge makes the loop look at its flags.
func (c *Core) nudge() {
	c.door.mu.Lock()
	c.unlockAndWake()
}

// takeMail moves what came through the door to the end of the ready queue.
func (c *Core) takeMail() {
	d := &c.door
	d.mu.Lock()
	in := d.inbox
	d.inbox, d.spare = d.spare[:0], nil
	d.mail.Store(false)
	d.mu.Unlock()
	c.counts.ForeignBatches++
	c.ready.pushAll(in)
	clear(in)
	if cap(in) <= keepRing { // not what a burst has needed
		d.spare = in
	}
}

// fallAsleep reports whether the loop may block: nothing came, and nobody asked it to stop.
func (c *Core) fallAsleep() bool {
	d := &c.door
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.inbox) > 0 || c.stop.Load() {
		return false
	}
	d.sleeping = true
	return true
}

func (c *Core) awake() {
	c.door.mu.Lock()
	c.door.sleeping = false
	c.door.mu.Unlock()
}
