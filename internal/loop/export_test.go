package loop

import (
	"time"
)

// TimerPlace is one place in a loop's heap of timers.
type TimerPlace struct {
	When time.Duration
	Seq  uint64
}

// TimerHeap returns the heap, as it is. It is called on the loop, or when nobody runs it.
func (c *Core) TimerHeap() (places []TimerPlace) {
	for _, e := range c.timers.a {
		places = append(places, TimerPlace{e.when, e.seq})
	}
	return places
}

// TimerRoom returns for how many timers the heap keeps memory.
func (c *Core) TimerRoom() int { return cap(c.timers.a) }

// DoorIsEmpty reports whether other goroutines have sent the loop nothing that it has not taken in.
func (c *Core) DoorIsEmpty() bool {
	c.door.mu.Lock()
	defer c.door.mu.Unlock()
	return len(c.door.inbox) == 0
}
