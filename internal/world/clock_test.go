package world_test

import (
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/world"
)

func TestSystemClock(t *testing.T) {
	before := time.Now()
	c := world.System()
	last := c.Now()
	if last < 0 || last > time.Since(before) {
		t.Errorf("begins at %v, want between 0 and what has passed since", last)
	}
	for range 1000 {
		now := c.Now()
		if now < last {
			t.Fatalf("went back from %v to %v, want it never to", last, now)
		}
		last = now
	}
	if wall := c.Wall(); wall.Before(before) || wall.After(time.Now()) {
		t.Errorf("the time of day is %v, want between %v and now", wall, before)
	}
}
