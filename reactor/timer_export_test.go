package reactor

import "time"

// TimerPlace is one place in a loop's heap of timers.
type TimerPlace struct {
	When time.Duration
	Seq  uint64
}

// TimerHeap returns the heap, as it is. It is called on the loop, or when nobody runs it.
func TimerHeap(l *Loop) (places []TimerPlace) {
	for _, e := range l.timers.a {
		places = append(places, TimerPlace{e.when, e.seq})
	}
	return places
}

// TimerRoom returns for how many timers the heap keeps memory.
func TimerRoom(l *Loop) int { return cap(l.timers.a) }

// DoorIsEmpty reports whether other goroutines have sent the loop nothing that it has not taken in.
func DoorIsEmpty(l *Loop) bool {
	l.door.mu.Lock()
	defer l.door.mu.Unlock()
	return len(l.door.inbox) == 0
}
