package testkit

import (
	"sync"
	"time"

	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
)

// Epoch is when a Clock shows 0.
var Epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Clock stands still unless a test moves it. The zero value shows 0.
type Clock struct {
	Step time.Duration // how far each look at it moves it; set it before the first

	mu  sync.Mutex
	now time.Duration
}

// ClockAt returns a clock that shows now.
func ClockAt(now time.Duration) *Clock { return &Clock{now: now} }

// Now returns what the clock shows.
func (c *Clock) Now() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now += c.Step
	return c.now
}

// Wall returns the same as a time of day.
func (c *Clock) Wall() time.Time { return Epoch.Add(c.Now()) }

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now += d
}

// Option has a loop go by the clock, except for its alarms and sleeps.
func (c *Clock) Option() reactor.Option { return reactor.WithWorld(worldtest.WithTime(c)) }
